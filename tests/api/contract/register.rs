//! Registering by SMS, dialect A; no document has it. Answers and errors are those of seeds 003 and 000.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ANNA, ERIC, PATIENT, md5,
    message::{CODE_NOT_VALID, LOGIN_FAILED, NAME_EXISTS, NAME_NOT_VALID, PHONE_EXISTS},
    scenario, scenario_with,
};

const REGISTER: &str = "/v1/user/register";
const PASSWORD: &str = "anna-password";

#[tokio::test]
async fn two_requests_make_an_account_and_log_it_in() {
    scenario(async |app| {
        let sent = app.send_register_code(ANNA).await;
        let ticket = sent.result().to_owned();
        assert!(!ticket.is_empty());
        sent.assert_ok(&json!(ticket));

        let code = app.last_code(ANNA);
        let body = json!({
            "phoneInfo": ticket, "code": code, "name": "Anna", "password": md5(PASSWORD)
        });
        app.learn_password(PASSWORD);
        let headers = [
            ("content-type", "application/json"),
            ("x-local-source-ip", "203.0.113.7"),
        ];
        let before = app.clock.now();
        let answer = app.post_raw(REGISTER, &headers, body.to_string()).await;
        let (user, token) = answer.assert_registered("Anna", ANNA);
        assert_eq!(user["createIp"], "203.0.113.7");
        let created = user["createTime"].as_u64().unwrap();
        assert!((before.0..=app.clock.now().0).contains(&created));

        app.info(&token).await.assert_ok_with_token(&user);
        for value in ["Anna", "anna", ANNA] {
            let answer = app.log_in_with_password(value, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn send_user_phone_exist() {
    scenario(async |app| {
        let answer = app.send_register_code(ERIC).await;
        answer.assert_refused(PHONE_EXISTS);
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn every_form_of_password_a_client_may_send_logs_in_in_each_form() {
    scenario(async |app| {
        let (six, longest) = ("ab1!xy", "y".repeat(64));
        // Three characters short of an MD5, one over, and as long as one without being hex.
        let near_md5 = ["c0ffee".repeat(5), "d".repeat(33), "g".repeat(32)];
        let mut passwords = vec![
            six,
            &longest,
            "密码也可以是汉字",
            " spaces count ",
            "0226129",
        ];
        passwords.extend(near_md5.iter().map(String::as_str));
        for (n, password) in passwords.iter().enumerate() {
            for (form, as_sent) in [(*password).to_owned(), md5(password)].iter().enumerate() {
                let (phone, name) = (format!("139{form}01391{n:02}"), format!("anna-{n}-{form}"));
                app.learn_password(password);
                let (ticket, code) = app.register_code(&phone).await;
                let answer = app.register(&ticket, &code, &name, as_sent).await;
                let (user, _) = answer.assert_registered(&name, &phone);
                let upper = md5(password).to_uppercase();
                app.learn(&upper);
                for sent in [*password, &md5(password), &upper] {
                    let answer = app.log_in_with_password(&name, sent).await;
                    answer.assert_ok_with_token(&user);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_that_is_a_number_or_has_spaces_around_it_is_taken_as_it_is() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.learn("86420975");
        let number: u32 = code.parse().unwrap();
        let body = json!({
            "phoneInfo": ticket, "code": number, "name": "2026129a", "password": 86_420_975
        });
        let answer = app.post(REGISTER, body).await;
        let (user, _) = answer.assert_registered("2026129a", ANNA);
        let answer = app.log_in_with_password("2026129a", "86420975").await;
        answer.assert_ok_with_token(&user);
        let answer = app.log_in_with_password("2026129a", " 86420975").await;
        answer.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn a_form_registers_too() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.learn_password("p+ss word%");
        let form = format!(
            "phoneInfo={ticket}&code={}+{}&name=%E5%AE%89%E5%A8%9C&password=p%2Bss+word%25",
            &code[..3],
            &code[3..]
        );
        let answer = app.post_form(REGISTER, &form).await;
        let (user, _) = answer.assert_registered("安娜", ANNA);
        let answer = app.log_in_with_password("安娜", "p+ss word%").await;
        answer.assert_ok_with_token(&user);
    })
    .await;
}

#[tokio::test]
async fn name_exists_whatever_its_case_and_another_can_be_picked() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        for taken in ["eric", "Eric", "ERIC", "  eric "] {
            let answer = app.register(&ticket, &code, taken, PASSWORD).await;
            answer.assert_refused(NAME_EXISTS);
        }
        assert_eq!(
            app.user_keys().await.len(),
            6,
            "eric and mary, and nobody else"
        );
        let answer = app
            .register(&ticket, &code, "eric the second", PASSWORD)
            .await;
        answer.assert_registered("eric the second", ANNA);
    })
    .await;
}

#[tokio::test]
async fn one_code_asks_for_ten_taken_names_and_no_more() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        for n in 0..10 {
            let taken = if n % 2 == 0 { "eric" } else { "mary" };
            let answer = app.register(&ticket, &code, taken, PASSWORD).await;
            answer.assert_refused(NAME_EXISTS);
        }
        for name in ["eric", "anna"] {
            let answer = app.register(&ticket, &code, name, PASSWORD).await;
            answer.assert_refused(CODE_NOT_VALID);
        }
        assert_eq!(app.user_keys().await.len(), 6, "eric and mary");
        // With another code Anna gets her account.
        app.wait(120);
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "anna", PASSWORD).await;
        answer.assert_registered("anna", ANNA);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_ask_for_more_at_once() {
    scenario_with(&[PATIENT], async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let asked = (0..30).map(|_| app.register(&ticket, &code, "eric", PASSWORD));
        let answers = futures_util::future::join_all(asked).await;
        let told = answers
            .iter()
            .filter(|answer| answer.body["code"] == NAME_EXISTS.1);
        let told = told.count();
        assert!((1..=10).contains(&told), "{told}: {:?}", answers[0].body);
    })
    .await;
}

#[tokio::test]
async fn a_name_of_1_to_64_characters_is_kept_as_it_is_written() {
    scenario(async |app| {
        let longest = "名".repeat(64);
        for (n, name) in ["X", "Ärger", &longest, "13900139009x"].iter().enumerate() {
            let phone = format!("1390013920{n}");
            let (ticket, code) = app.register_code(&phone).await;
            let answer = app
                .register(&ticket, &code, &format!(" {name}\t"), PASSWORD)
                .await;
            let (user, _) = answer.assert_registered(name, &phone);
            let answer = app.log_in_with_password(name, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_looks_like_erics_is_his_or_not_valid() {
    scenario(async |app| {
        app.create_user(7, "\u{e9}ric", "13900139008").await;
        app.create_user(8, "ΣΑΣ", "13900139009").await;
        let (ticket, code) = app.register_code(ANNA).await;
        for (name, refusal) in [
            ("ｅｒｉｃ", NAME_EXISTS),
            ("ＥＲＩＣ", NAME_EXISTS),
            ("e\u{301}ric", NAME_EXISTS),
            ("E\u{301}RIC", NAME_EXISTS),
            ("σασ", NAME_EXISTS),
            ("σας", NAME_EXISTS),
            ("\u{435}ric", NAME_NOT_VALID),
            ("eric\u{200b}", NAME_NOT_VALID),
            ("eric\u{ad}", NAME_NOT_VALID),
            ("eric\u{2060}", NAME_NOT_VALID),
            ("eric\u{fe0f}", NAME_NOT_VALID),
            ("\u{202e}cire", NAME_NOT_VALID),
            ("\u{3164}", NAME_NOT_VALID),
            (ERIC, NAME_EXISTS),
            ("１３９１１１１９９９９", NAME_EXISTS),
            ("+86 139-1111-9999", NAME_EXISTS),
            ("anna@example.com", NAME_EXISTS),
        ] {
            let answer = app.register(&ticket, &code, name, PASSWORD).await;
            answer.assert_refused(refusal);
        }
        let number = json!({
            "phoneInfo": ticket, "code": code, "name": 2_026_129, "password": PASSWORD
        });
        app.learn_password(PASSWORD);
        app.post(REGISTER, number).await.assert_refused(NAME_EXISTS);
        assert_eq!(app.user_keys().await.len(), 12);
        // None of it spent the code. What is typed at the login folds as well.
        let answer = app.register(&ticket, &code, "Ａnn\u{e9}", PASSWORD).await;
        let (user, _) = answer.assert_registered("Ａnn\u{e9}", ANNA);
        for value in ["anne\u{301}", "ANNÉ", "Ａnné"] {
            let answer = app.log_in_with_password(value, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
        app.wait(120);
        let sent = app.send_verification_code("ａnne\u{301}", ANNA).await;
        sent.assert_b_ok("已发送短信");
    })
    .await;
}

#[tokio::test]
async fn without_a_name_one_is_drawn() {
    scenario(async |app| {
        app.learn_password(PASSWORD);
        let none = json!({"password": PASSWORD});
        let with = |name| json!({"password": PASSWORD, "name": name});
        for (n, mut body) in [none, with(json!("")), with(json!(null)), with(json!(" \t"))]
            .into_iter()
            .enumerate()
        {
            let phone = format!("1390013920{n}");
            let (ticket, code) = app.register_code(&phone).await;
            body["phoneInfo"] = json!(ticket);
            body["code"] = json!(code);
            let answer = app.post(REGISTER, body).await;
            let name = answer.body["result"]["name"].as_str().unwrap().to_owned();
            assert_eq!(name.len(), 16, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            let (user, _) = answer.assert_registered(&name, &phone);
            let answer = app.log_in_with_password(&name, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn user_phone_exist_when_another_account_took_the_phone_first() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.create_user(7, "quick", ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        answer.assert_refused(PHONE_EXISTS);
        // The phone is checked before the name.
        let answer = app.register(&ticket, &code, "quick", PASSWORD).await;
        answer.assert_refused(PHONE_EXISTS);
    })
    .await;
}

#[tokio::test]
async fn a_registration_sent_twice_says_that_the_phone_has_its_account() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        answer.assert_registered("Anna", ANNA);
        for name in ["Anna", "another"] {
            let answer = app.register(&ticket, &code, name, PASSWORD).await;
            answer.assert_refused(PHONE_EXISTS);
        }
        assert_eq!(app.user_keys().await.len(), 9);
    })
    .await;
}

#[tokio::test]
async fn an_account_disabled_after_register_stays_registered() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        let (user, token) = answer.assert_registered("Anna", ANNA);
        let uid = user["uuid"].as_u64().unwrap();
        app.operator_sets(uid, "status", AttributeValue::N("2".into()))
            .await;
        let answer = app.info(&token).await;
        answer.assert_refused(LOGIN_FAILED);
        let answer = app.send_register_code(ANNA).await;
        answer.assert_refused(PHONE_EXISTS);
    })
    .await;
}
