//! A hundred at once. Run on the embedded DynamoDB and on AWS's DynamoDB Local.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use shared::domain::user::Draws;

use crate::support::{
    ANNA, Answer, DAY, ERIC, ERIC_PASSWORD, MARY, PATIENT, TestApp, eric,
    fault::Fault,
    message::{CODE_NOT_VALID, NAME_EXISTS, PHONE_EXISTS},
    scenario_with, wrong,
};

const CROWD: usize = 100;
const SLOT: &str = "login#+8613800138001";

async fn scenario(test: impl AsyncFnOnce(&TestApp)) {
    scenario_with(&[PATIENT], test).await;
}

/// All of these at once.
async fn at_once(requests: impl Iterator<Item = impl Future<Output = Answer>>) -> Vec<Answer> {
    futures_util::future::join_all(requests).await
}

/// How many requests of a crowd have read before the first of them writes.
const READ_FIRST: usize = 5;

/// All of these at once. At least [`READ_FIRST`] of them reach this operation before any performs it; on
/// a small machine they might otherwise run one after the other.
async fn at_once_before(
    app: &TestApp,
    operation: &'static str,
    requests: impl Iterator<Item = impl Future<Output = Answer>>,
) -> Vec<Answer> {
    app.dynamodb.break_it(Fault::Gathers {
        operation,
        requests: READ_FIRST,
    });
    let answers = at_once(requests).await;
    assert!(app.dynamodb.has_gathered(), "too slow to be a crowd");
    app.dynamodb.mend().await;
    answers
}

fn successes(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_logins_with_the_right_code_give_one_session() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let answers = (0..CROWD).map(|_| app.log_in(&ticket, &code));
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_refused(CODE_NOT_VALID);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_codes_at_once_evaluate_no_more_than_five() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let guesses: Vec<String> = (0..CROWD - 1)
            .map(|n| wrong(&code, n as u32))
            .chain([code.clone()])
            .collect();
        let answers = at_once(guesses.iter().map(|guess| app.log_in(&ticket, guess))).await;
        let accepted = successes(&answers);
        assert!(accepted <= 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_refused(CODE_NOT_VALID);
        }
        // Every evaluation is a write that moves the version; the send was the first.
        let version = app.code_item(SLOT).await["version"].as_n().unwrap().clone();
        let evaluated: usize = version.parse::<usize>().unwrap() - 1;
        assert!((accepted..=5).contains(&evaluated), "{evaluated}");
        if accepted == 0 {
            assert_eq!(app.wrong_tries(SLOT).await, "5");
        }
        // Either way the challenge is over.
        let late = app.log_in(&ticket, &code).await;
        late.assert_refused(CODE_NOT_VALID);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sends_send_one_sms() {
    scenario(async |app| {
        let answers = at_once((0..CROWD).map(|_| app.send_login_code(ERIC))).await;
        assert_eq!(successes(&answers), 1);
        assert_eq!(app.texts(ERIC).len(), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            let wait = refused.assert_too_frequent();
            // A request that came just before the winner waits a little more than 120 s.
            assert!((100..=121).contains(&wait), "{wait}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_and_logins_at_once_leave_one_session_and_one_code() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.wait(120);
        let sends = at_once((0..CROWD / 2).map(|_| app.send_login_code(ERIC)));
        let logins = at_once((0..CROWD / 2).map(|_| app.log_in(&ticket, &code)));
        let (sends, logins) = futures_util::future::join(sends, logins).await;
        assert_eq!(successes(&sends), 1, "the cool-down admits one resend");
        assert_eq!(successes(&logins), 1, "a resend spends no code");
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_registrations_of_one_name_make_one_account_and_the_others_can_pick_another() {
    scenario(async |app| {
        let phones: Vec<String> = (0..CROWD).map(|n| format!("139001392{n:02}")).collect();
        let sent = phones.iter().map(|phone| app.register_code(phone));
        let sent = futures_util::future::join_all(sent).await;
        let names = ["Anna", "anna", "ANNA", "aNNa"];
        let answers = sent.iter().enumerate().map(|(n, (ticket, code))| {
            let name = names[n % names.len()];
            app.register(ticket, code, name, "anna-password")
        });
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_refused(NAME_EXISTS);
        }
        let winner = answers.iter().position(|answer| answer.status == 200);
        let winner = winner.unwrap();
        let uid = &answers[winner].body["result"]["uuid"];
        let mut keys = vec![
            "name#anna".to_owned(),
            "name#eric".into(),
            "name#mary".into(),
            format!("phone#+86{}", phones[winner]),
            "phone#+8613627140483".into(),
            "phone#+8613800138001".into(),
            format!("user#{uid}"),
            "user#5".into(),
            "user#6".into(),
        ];
        keys.sort();
        assert_eq!(app.user_keys().await, keys, "one account, none half made");

        let others = (0..CROWD).filter(|n| *n != winner).take(20);
        let others: Vec<(usize, String)> = others.map(|n| (n, format!("anna-{n}"))).collect();
        let retries = others.iter().map(|(n, name)| {
            let (ticket, code) = &sent[*n];
            app.register(ticket, code, name, "anna-password")
        });
        for (answer, (n, name)) in at_once(retries).await.iter().zip(&others) {
            answer.assert_ok_with_token(&answer.body["result"]);
            assert_eq!(answer.body["result"]["name"], *name);
            assert_eq!(answer.body["result"]["phone"], phones[*n]);
        }
        assert_eq!(app.user_keys().await.len(), 9 + 3 * 20);
    })
    .await;
}

/// A taken name must not tell the right one of many guesses at once, before they have used up the tries.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_guesses_at_once_for_a_taken_name_no_more_are_evaluated_than_there_are_tries()
{
    scenario(async |app| {
        let phones = (0..4).map(|n| format!("1390013950{n}"));
        let mut told = 0;
        for phone in phones {
            let (ticket, code) = app.register_code(&phone).await;
            let right: usize = code.parse().unwrap();
            let guesses: Vec<String> = (0..CROWD)
                .map(|n| format!("{:06}", (right + 37 + n) % 1_000_000))
                .collect();
            let guesses = guesses.iter().take(CROWD - 1).chain([&code]);
            let answers =
                guesses.map(|guess| app.register(&ticket, guess, "eric", "anna-password"));
            let answers = at_once_before(app, "TransactWriteItems", answers).await;
            told += answers
                .iter()
                .filter(|answer| answer.body["code"] == NAME_EXISTS.1)
                .count();
        }
        // By chance the right one is among the five tries once in twenty times.
        assert!(told < 4, "{told} of 4 codes were told");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_registrations_of_one_phone_make_one_account() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let names: Vec<String> = (0..CROWD).map(|n| format!("anna-{n}")).collect();
        let answers = names
            .iter()
            .map(|name| app.register(&ticket, &code, name, "anna-password"));
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_refused(PHONE_EXISTS);
        }
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        let uid = &winner.body["result"]["uuid"];
        let name = winner.body["result"]["name"].as_str().unwrap();
        let keys = app.user_keys().await;
        assert_eq!(keys.len(), 9, "one account, none half made: {keys:?}");
        for key in [format!("user#{uid}"), format!("name#{name}")] {
            assert!(keys.contains(&key), "{key} is not of {keys:?}");
        }
        let answer = app.log_in_with_password(ANNA, "anna-password").await;
        answer.assert_ok_with_token(&winner.body["result"]);
        // The names of the others are free.
        let (ticket, code) = app.register_code("13900139002").await;
        let free = names.iter().find(|other| *other != name).unwrap();
        let answer = app.register(&ticket, &code, free, "anna-password").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_registration_sent_a_hundred_times_makes_one_account() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let answers = (0..CROWD).map(|_| app.register(&ticket, &code, "anna", "anna-password"));
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_refused(PHONE_EXISTS);
        }
        assert_eq!(app.user_keys().await.len(), 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_password_changes_with_one_code_one_is_made() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        let passwords: Vec<String> = (0..CROWD).map(|n| format!("new-password-{n}")).collect();
        let answers = passwords
            .iter()
            .map(|new| app.change_password(&token, &ticket, &code, new));
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for (answer, password) in answers.iter().zip(&passwords) {
            match answer.body["code"].as_str() {
                Some("OK") => {
                    let goes_on = answer.assert_ok_with_token(&json!(true));
                    app.info(&goes_on).await.assert_ok_with_token(&eric());
                    app.session_of("eric", password).await;
                }
                // A request that read the account before the change and its code after it.
                Some("{CODE}_NOT_VALID") => {
                    answer.assert_refused_in_session(CODE_NOT_VALID);
                }
                _ => answer.assert_invalid_token(),
            }
        }
        app.info(&token).await.assert_invalid_token();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_password_resets_with_one_code_one_is_made() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        let passwords: Vec<String> = (0..CROWD).map(|n| format!("new-password-{n}")).collect();
        let answers = passwords
            .iter()
            .map(|new| app.reset_password(&ticket, &code, new));
        let answers = at_once_before(app, "TransactWriteItems", answers).await;
        assert_eq!(successes(&answers), 1);
        for (answer, password) in answers.iter().zip(&passwords) {
            match answer.status {
                200 => {
                    answer.assert_ok(&json!(true));
                    app.session_of("eric", password).await;
                }
                _ => answer.assert_refused(CODE_NOT_VALID),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_wrong_codes_for_a_password_evaluate_no_more_than_five() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        let guesses: Vec<String> = (0..CROWD as u32).map(|n| wrong(&code, n)).collect();
        let answers = guesses
            .iter()
            .map(|guess| app.change_password(&token, &ticket, guess, "second-password"));
        for refused in at_once(answers).await {
            refused.assert_refused_in_session(CODE_NOT_VALID);
        }
        let item = app.code_item("change-password#5").await;
        // The send wrote first.
        assert_eq!(item["version"].as_n().unwrap(), "6");
        let late = app
            .change_password(&token, &ticket, &code, "second-password")
            .await;
        late.assert_refused_in_session(CODE_NOT_VALID);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_reset_at_once_leave_the_password_of_one_that_was_made() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let change = app.change_password_code(&token).await;
        let reset = app.reset_code(ERIC).await;
        let (changed, was_reset) = futures_util::future::join(
            app.change_password(&token, &change.0, &change.1, "second-password"),
            app.reset_password(&reset.0, &reset.1, "third-password"),
        )
        .await;
        // The reset needs no session; the change has none left when it comes second.
        was_reset.assert_ok(&json!(true));
        let second = app.log_in_with_password("eric", "second-password").await;
        let third = app.log_in_with_password("eric", "third-password").await;
        assert_eq!((second.status, third.status), (400, 200));
        app.info(&token).await.assert_invalid_token();
        match changed.status {
            200 => {
                let ended = changed.assert_ok_with_token(&json!(true));
                app.info(&ended).await.assert_invalid_token();
            }
            _ => changed.assert_invalid_token(),
        }
    })
    .await;
}

/// How many answers of dialect B or C have this code.
fn saying(answers: &[Answer], key: &str, value: u32) -> usize {
    let says = |answer: &&Answer| answer.body[key] == value;
    answers.iter().filter(says).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_uses_of_a_reset_token_set_one_password() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        let passwords: Vec<String> = (0..CROWD).map(|n| format!("Wachtwoord{n:02}")).collect();
        let uses = passwords
            .iter()
            .map(|password| app.change_passwd("eric", &token, password));
        let answers = at_once_before(app, "TransactWriteItems", uses).await;
        assert_eq!(saying(&answers, "msg", 2006), 1);
        for (answer, password) in answers.iter().zip(&passwords) {
            if answer.body["msg"] == 2006 {
                app.session_of("eric", password).await;
            } else {
                answer.assert_b(8014, "令牌已过期");
            }
        }
        // Raised once, as the password was written once.
        let item = app.user_item(5).await;
        assert_eq!(item["epoch"], AttributeValue::N("1".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_right_codes_give_one_reset_token() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let uses = (0..CROWD).map(|_| app.make_sure("eric", &code));
        let answers = at_once_before(app, "TransactWriteItems", uses).await;
        assert_eq!(saying(&answers, "msg", 2006), 1);
        for refused in answers.iter().filter(|answer| answer.body["msg"] != 2006) {
            refused.assert_b(8014, "验证码已过期");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_wrong_codes_without_a_ticket_evaluate_no_more_than_five() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let guesses: Vec<String> = (0..CROWD as u32).map(|n| wrong(&code, n)).collect();
        let uses = guesses.iter().map(|guess| app.make_sure("eric", guess));
        let answers = at_once_before(app, "TransactWriteItems", uses).await;
        let dead = saying(&answers, "msg", 8014);
        assert_eq!((saying(&answers, "msg", 8013), dead), (5, CROWD - 5));
        let item = app.code_item("recover#eric").await;
        // The send wrote first.
        assert_eq!(item["version"].as_n().unwrap(), "6");

        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, ANNA).await;
        let guesses: Vec<String> = (0..CROWD as u32).map(|n| wrong(&code, n)).collect();
        let moves = guesses
            .iter()
            .map(|guess| app.change_phone(&session, ANNA, guess));
        let answers = at_once_before(app, "TransactWriteItems", moves).await;
        let dead = saying(&answers, "code", 400_191);
        assert_eq!((saying(&answers, "code", 400_190), dead), (5, CROWD - 5));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sends_of_dialects_b_and_c_send_one_sms_each() {
    scenario(async |app| {
        let sends = (0..CROWD).map(|_| app.send_verification_code("eric", ERIC));
        let answers = at_once_before(app, "TransactWriteItems", sends).await;
        assert_eq!(saying(&answers, "msg", 2006), 1);
        for refused in answers.iter().filter(|answer| answer.body["msg"] != 2006) {
            refused.assert_b_for_now(8012, "发送过于频繁，请稍后再试:8", 50..=61);
        }
        assert_eq!(app.texts(ERIC).len(), 1);

        let session = app.session_of_eric().await;
        let sends = (0..CROWD).map(|_| app.send_phone_change_code(&session, ANNA));
        let answers = at_once_before(app, "TransactWriteItems", sends).await;
        assert_eq!(saying(&answers, "code", 200), 1);
        for refused in answers.iter().filter(|answer| answer.body["code"] != 200) {
            refused.assert_c_for_now(429, "Too Many Requests", 50..=61);
        }
        assert_eq!(app.texts(ANNA).len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_moves_with_the_right_code_one_is_made_and_sends_one_notice() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, ANNA).await;
        let moves = (0..CROWD).map(|_| app.change_phone(&session, ANNA, &code));
        let answers = at_once_before(app, "TransactWriteItems", moves).await;
        assert_eq!(saying(&answers, "code", 200), 1);
        for refused in answers.iter().filter(|answer| answer.body["code"] != 200) {
            refused.assert_c(400_191, "verify code expired");
        }
        assert_eq!(app.texts(ERIC).len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accounts_that_move_to_one_number_one_wins_and_the_other_finds_it_in_use() {
    scenario(async |app| {
        let eric = app.session_of_eric().await;
        let zoe = app.session_of_zoe().await;
        for round in 0..10 {
            let number = format!("1390013920{round}");
            let mut codes = Vec::new();
            for session in [&eric, &zoe] {
                codes.push(app.phone_change_code(session, &number).await);
                app.wait(60);
            }
            let before = [phone_of(app, &eric).await, phone_of(app, &zoe).await];
            app.dynamodb.break_it(Fault::Gathers {
                operation: "TransactWriteItems",
                requests: 2,
            });
            let (erics, zoes) = futures_util::future::join(
                app.change_phone(&eric, &number, &codes[0]),
                app.change_phone(&zoe, &number, &codes[1]),
            )
            .await;
            let after = [phone_of(app, &eric).await, phone_of(app, &zoe).await];
            let eric_won = erics.body["code"] == 200;
            let (won, lost) = if eric_won {
                (erics, zoes)
            } else {
                (zoes, erics)
            };
            won.assert_c_success();
            lost.assert_c(400_199, "mobile already in use");
            let (winner, loser) = (usize::from(!eric_won), usize::from(eric_won));
            assert_eq!(after[winner], number);
            assert_eq!(after[loser], before[loser]);
            // One key for each number that an account has, and no other.
            let keys = app.user_keys().await;
            let mut expected =
                [&after[0], &after[1], MARY].map(|phone| format!("phone#+86{phone}"));
            expected.sort();
            let phones = keys.iter().filter(|key| key.starts_with("phone#"));
            assert!(phones.eq(&expected), "{keys:?}");
        }
    })
    .await;
}

const TWO_NUMBERS: [&str; 2] = ["13900139201", "13900139202"];

/// Moves an account to both at once: each move has read the account before either writes.
async fn move_to_two_numbers(app: &TestApp, session: &str) -> [Answer; 2] {
    let [first, second] = TWO_NUMBERS;
    let codes = [
        app.phone_change_code(session, first).await,
        app.phone_change_code(session, second).await,
    ];
    app.dynamodb.break_it(Fault::Gathers {
        operation: "TransactWriteItems",
        requests: 2,
    });
    let (first, second) = futures_util::future::join(
        app.change_phone(session, first, &codes[0]),
        app.change_phone(session, second, &codes[1]),
    )
    .await;
    [first, second]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_moved_to_two_numbers_at_once_has_one_of_them_and_no_other() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let [first, second] = move_to_two_numbers(app, &session).await;
        // Both codes are right, so he moves to one number and then to the other.
        first.assert_c_success();
        second.assert_c_success();
        let phone = phone_of(app, &session).await;
        assert!(TWO_NUMBERS.contains(&phone.as_str()), "{phone}");
        let keys = app.user_keys().await;
        let phones: Vec<&String> = keys
            .iter()
            .filter(|key| key.starts_with("phone#"))
            .collect();
        let mary = format!("phone#+86{}", MARY);
        assert_eq!(phones, [&mary, &format!("phone#+86{phone}")]);
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_phone_moved_to_two_numbers_at_once_has_one_of_them_and_no_other() {
    scenario(async |app| {
        let carol = json!({"name": "carol", "password": "a-password"});
        app.import(json!([carol])).await;
        let session = app.session_of("carol", "a-password").await;
        let [first, second] = move_to_two_numbers(app, &session).await;
        first.assert_c_success();
        second.assert_c_success();
        let phone = phone_of(app, &session).await;
        let mut keys = app.user_keys().await;
        keys.retain(|key| key.starts_with("phone#+86139"));
        assert_eq!(keys, [format!("phone#+86{phone}")]);
    })
    .await;
}

/// An account's phone, as its session reads it.
async fn phone_of(app: &TestApp, session: &str) -> String {
    let answer = app.info(session).await;
    answer.body["result"]["phone"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_registrations_draw_different_numbers_and_names_though_most_are_taken() {
    scenario(async |app| {
        // 600 numbers, of which 401 are taken, and 512 names.
        app.redeploy_drawing(Draws {
            largest_uid: 600.try_into().unwrap(),
            name_length: 2,
        })
        .await;
        for taken in (1..=600).filter(|uid| ![5, 6].contains(uid) && uid % 3 != 0) {
            let (name, phone) = (format!("taken{taken}"), format!("152{taken:08}"));
            app.create_user(taken, &name, &phone).await;
        }
        app.learn_password("a-password");
        let prepare = async |n: usize| {
            let phone = format!("139001{n:05}");
            let address = format!("198.51.100.{n}");
            let body = json!({"phone": phone});
            let sent = app.post_from(&address, "/v1/user/sendRegisterMessage", body);
            let ticket = sent.await.result().to_owned();
            let code = app.last_code(&phone);
            json!({"phoneInfo": ticket, "code": code, "password": "a-password"})
        };
        let mut bodies = Vec::new();
        for n in 0..CROWD {
            bodies.push(prepare(n).await);
        }
        let registrations = bodies
            .iter()
            .map(|body| app.post("/v1/user/register", body.clone()));
        let answers = at_once_before(app, "TransactWriteItems", registrations).await;
        let drawn = |key: &str| -> std::collections::BTreeSet<String> {
            let values = answers.iter().map(|it| it.body["result"][key].to_string());
            values.collect()
        };
        assert_eq!(successes(&answers), CROWD, "{answers:?}");
        assert_eq!(drawn("uuid").len(), CROWD);
        assert_eq!(drawn("name").len(), CROWD);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_accounts_that_want_a_name_a_hundred_times_one_gets_it() {
    scenario(async |app| {
        let mut sessions = Vec::new();
        for n in 0..20_u64 {
            let (name, phone) = (format!("person{n}"), format!("150{n:08}"));
            app.create_user_with(1000 + n, &name, &phone, Some("a-password"))
                .await;
            sessions.push(app.session_of(&name, "a-password").await);
        }
        let wishes = (0..CROWD).map(|n| app.change_name(&sessions[n % 20], "Anna"));
        let answers = at_once_before(app, "TransactWriteItems", wishes).await;
        let mut winners = std::collections::BTreeSet::new();
        for (n, answer) in answers.iter().enumerate() {
            if answer.status == 200 {
                winners.insert(n % 20);
            } else {
                answer.assert_refused_in_session(NAME_EXISTS);
            }
        }
        assert_eq!(winners.len(), 1);
        let keys = app.user_keys().await;
        let names = keys.iter().filter(|key| key.starts_with("name#"));
        assert_eq!(names.count(), 22, "{keys:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_wants_ten_names_at_once_keeps_one() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let wishes: Vec<String> = (0..10).map(|n| format!("eric{n}")).collect();
        let changes = wishes.iter().map(|name| app.change_name(&session, name));
        let answers = at_once_before(app, "TransactWriteItems", changes).await;
        assert_eq!(successes(&answers), 10, "{answers:?}");
        let last = app.info(&session).await.body["result"]["name"].clone();
        let keys = app.user_keys().await;
        let names: Vec<_> = keys
            .iter()
            .filter(|key| key.starts_with("name#eric"))
            .collect();
        assert_eq!(names, [&format!("name#{}", last.as_str().unwrap())]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_at_once_leave_twenty_sessions() {
    scenario(async |app| {
        for _ in 0..18 {
            app.session_of_eric().await;
        }
        // Eight at once, as ten wrong passwords are admitted.
        for _ in 0..2 {
            let logins = (0..8).map(|_| app.log_in_with_password("eric", ERIC_PASSWORD));
            let answers = at_once(logins).await;
            assert_eq!(successes(&answers), 8, "{answers:?}");
            assert_eq!(app.sessions_of(5).await.len(), 20);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_it_changes_the_password_stays_ended() {
    scenario(async |app| {
        let mut old = ERIC_PASSWORD.to_owned();
        for n in 0..8 {
            let (session, new) = (app.session_of("eric", &old).await, format!("password-{n}"));
            let change = app.change_known_password(&session, &old, &new);
            let (changed, ended) = futures_util::future::join(change, app.log_out(&session)).await;
            if ended.status == 200 {
                assert_eq!(app.sessions_of(5).await.len(), 0, "{n}");
            }
            if changed.status == 200 {
                old = new;
            }
            // Where the change came first, the session goes on and its old token could not end it.
            let end = json!({"end-sessions": {"uuid": 5}});
            app.operate("admin-support", end).await;
            app.wait(2 * DAY);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_while_an_account_is_deleted_nothing_of_it_is_left() {
    scenario(async |app| {
        for round in 0..10 {
            let name = format!("frank{round}");
            let (own, other) = (format!("1390014{round:04}"), format!("1390015{round:04}"));
            let user =
                json!({"name": name, "countryCode": "86", "phone": own, "password": ERIC_PASSWORD});
            let report = app.import(json!([user])).await;
            let uid = report["users"][0]["uuid"].as_u64().unwrap();
            let session = app.session_of(&name, ERIC_PASSWORD).await;
            let signed_in = app.signed_in(&format!("86{own}")).await;
            let refresh = signed_in["refresh_token"].as_str().unwrap();
            let move_code = app.phone_change_code(&session, &other).await;
            let (login_ticket, login_code) = app.login_code(&own).await;
            let (ticket, code) = app.delete_code(&session, &own).await;
            let renamed = format!("{name}-x");
            tokio::join!(
                app.delete(&session, &ticket, &code),
                app.info(&session),
                app.refresh(refresh),
                app.log_in(&login_ticket, &login_code),
                app.log_in_with_password(&name, ERIC_PASSWORD),
                app.change_phone(&session, &other, &move_code),
                app.change_name(&session, &renamed),
                app.operate("admin-data", json!({"delete": {"uuid": uid}})),
            );
            // Whoever came first: the operator's deletion is repeated until nothing stands in its way.
            let item = app.user_item(uid).await;
            let attributes: Vec<&String> = item.keys().collect();
            assert_eq!(attributes, ["deleted_ms", "pk"], "{round}");
            let owned = [
                format!("phone#+86{own}"),
                format!("phone#+86{other}"),
                format!("name#{name}"),
            ];
            let owned = owned.each_ref().map(String::as_str);
            let left = app.items_with(&owned).await;
            assert!(left.is_empty(), "{round}: {left:?}");
        }
    })
    .await;
}
