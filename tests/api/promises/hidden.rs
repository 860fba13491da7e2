//! `HIDE_UNKNOWN_USERS`: neither an answer nor its time reveals whether an account exists.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use bench::timing::share_of_longer;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{
    ANNA, Answer, DAY, ERIC, ERIC_PASSWORD, MARY, PATIENT, TestApp, claims,
    fault::Fault,
    gotrue::{OTP, TOKEN},
    scenario_with,
    timing::{STEADY, by_turns},
    wrong,
};

const HIDDEN: &[(&str, &str)] = &[("HIDE_UNKNOWN_USERS", "true")];
const UNKNOWN: &str = "13911112222";

/// All that an answer shows. A ticket has random parts: its claims' names and types are seen, and its length.
fn seen(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    if let Some(ticket) = body["result"].as_str().filter(|text| text.contains('.')) {
        body["result"] = json!([shape(ticket), ticket.len()]);
    }
    let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    json!([answer.status, headers, answer.retry_after(), body])
}

/// The names and types of a ticket's claims.
fn shape(ticket: &str) -> Value {
    let claims = claims(ticket);
    let kinds = claims.as_object().unwrap().iter().map(|(name, value)| {
        let kind = match value {
            Value::Number(_) => "number",
            Value::String(_) => "text",
            _ => "else",
        };
        json!([name, kind])
    });
    kinds.collect()
}

/// Requests a code, requests again too early, guesses six times, and requests again, at one pair of
/// dialect A.
async fn history_in_a(app: &TestApp, send: &str, redeem: &str, phone: &str) -> Vec<Value> {
    let asked = json!({ "phone": phone });
    let sent = app.post(send, asked.clone()).await;
    let mut history = vec![seen(&sent)];
    history.push(seen(&app.post(send, asked.clone()).await));
    for n in 0..6 {
        let guess = wrong("000000", n);
        let body = json!({
            "phoneInfo": sent.result(), "code": guess, "newPassword": "new-password",
            "name": "somebody", "password": "new-password",
        });
        history.push(seen(&app.post(redeem, body).await));
    }
    app.wait(120);
    history.push(seen(&app.post(send, asked).await));
    history
}

#[tokio::test]
async fn in_dialect_a_known_and_unknown_have_the_same_history() {
    for (send, redeem) in [
        ("/v1/user/sendLoginMessage", "/v1/user/loginByMessage"),
        ("/v1/user/sendRegisterMessage", "/v1/user/register"),
        (
            "/v1/user/sendChangePasswordMessage2",
            "/v1/user/changePasswordByMessage2",
        ),
    ] {
        scenario_with(HIDDEN, async |app| {
            let known = history_in_a(app, send, redeem, ERIC).await;
            app.wait(DAY);
            let unknown = history_in_a(app, send, redeem, UNKNOWN).await;
            assert_eq!(known, unknown, "{send}");
            app.wait(DAY);
            app.operator_sets(
                6,
                "status",
                aws_sdk_dynamodb::types::AttributeValue::N("1".into()),
            )
            .await;
            let disabled = history_in_a(app, send, redeem, MARY).await;
            assert_eq!(known, disabled, "{send}, disabled");
            let registers = send.contains("Register");
            assert_eq!(app.texts(ERIC).is_empty(), registers);
            assert_eq!(app.texts(UNKNOWN).is_empty(), !registers);
            assert!(app.texts(MARY).is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn in_dialect_b_known_and_unknown_and_anothers_number_have_the_same_history() {
    scenario_with(HIDDEN, async |app| {
        let mut histories = Vec::new();
        for (name, phone) in [("eric", ERIC), ("nobody", UNKNOWN), ("mary", ANNA)] {
            let mut history = vec![seen(&app.make_sure(name, "123456").await)];
            history.push(seen(&app.send_verification_code(name, phone).await));
            history.push(seen(&app.send_verification_code(name, phone).await));
            for n in 0..6 {
                history.push(seen(&app.make_sure(name, &wrong("000000", n)).await));
            }
            let changed = app.change_passwd(name, "no-token-of-ours", "Wachtwoord42");
            history.push(seen(&changed.await));
            histories.push(history);
        }
        assert_eq!(histories[0], histories[1]);
        assert_eq!(histories[0], histories[2]);
        assert_eq!(app.inbox().messages().len(), 1, "eric's");
    })
    .await;
}

#[tokio::test]
async fn in_dialect_c_a_number_in_use_and_a_free_one_have_the_same_history() {
    scenario_with(HIDDEN, async |app| {
        let session = app.session_of_eric().await;
        let mut histories = Vec::new();
        for mobile in [MARY, UNKNOWN] {
            let mut history = Vec::new();
            for _ in 0..2 {
                history.push(seen(&app.send_phone_change_code(&session, mobile).await));
            }
            for n in 0..6 {
                let guess = wrong("000000", n);
                history.push(seen(&app.change_phone(&session, mobile, &guess).await));
            }
            histories.push(history);
        }
        assert_eq!(histories[0], histories[1]);
        assert!(app.texts(MARY).is_empty());
        assert_eq!(app.texts(UNKNOWN).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn decoys_use_up_nobodys_messages_and_touch_no_live_code() {
    scenario_with(HIDDEN, async |app| {
        let code = app.verification_code("eric", ERIC).await;
        // Made-up names with the phone, the name with other phones, and a phone that no account has.
        for n in 0..30 {
            let answer = app
                .send_verification_code(&format!("nobody-{n}"), ERIC)
                .await;
            assert_eq!(answer.body["msg"], 2006, "{answer:?}");
        }
        for n in 0..3 {
            app.wait(60);
            let phone = format!("1390013980{n}");
            app.send_verification_code("eric", &phone).await;
            app.send_register_code(ERIC).await;
            app.send_login_code(ANNA).await;
            app.send_reset_code(ANNA).await;
        }
        let answer = app.make_sure("eric", &code).await;
        app.learn_reset_token(&answer).expect("the code is live");
        assert_eq!(app.inbox().messages().len(), 1);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let (ticket, code) = app.register_code(ANNA).await;
        let joined = app.register(&ticket, &code, "anna", "anna-password").await;
        assert_eq!(joined.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_phone_gets_five_messages_an_hour_over_all_purposes_and_nobody_is_told() {
    scenario_with(HIDDEN, async |app| {
        let mut histories = Vec::new();
        for (name, phone) in [("eric", ERIC), ("nobody", UNKNOWN), ("mary", ANNA)] {
            let mut history = Vec::new();
            for _ in 0..6 {
                history.push(seen(&app.send_login_code(phone).await));
                history.push(seen(&app.send_reset_code(phone).await));
                history.push(seen(&app.send_verification_code(name, phone).await));
                app.wait(121);
            }
            for answer in &mut history {
                // The clock goes on meanwhile.
                if let Some(wait) = answer[2].as_u64() {
                    answer[2] = json!(wait / 60);
                }
            }
            histories.push(history);
        }
        assert_eq!(histories[0], histories[1]);
        assert_eq!(histories[0], histories[2]);
        assert!(histories[0][14][2].is_null() && !histories[0][15][2].is_null());
        assert_eq!(app.texts(ERIC).len(), 5);
        assert_eq!(app.inbox().messages().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn wrong_codes_over_all_purposes_have_the_same_history() {
    scenario_with(HIDDEN, async |app| {
        let mut histories = Vec::new();
        for (name, phone) in [("eric", ERIC), ("nobody", UNKNOWN)] {
            let login = app.send_login_code(phone).await;
            let reset = app.send_reset_code(phone).await;
            let register = app.send_register_code(phone).await;
            app.send_verification_code(name, phone).await;
            let mut history = Vec::new();
            for n in 0..4 {
                let guess = wrong("000000", n);
                history.push(seen(&app.log_in(login.result(), &guess).await));
                let (ticket, new) = (reset.result(), "new-password");
                history.push(seen(&app.reset_password(ticket, &guess, new).await));
                let ticket = register.result();
                let registered = app.register(ticket, &guess, "somebody", new).await;
                history.push(seen(&registered));
                history.push(seen(&app.make_sure(name, &guess).await));
            }
            app.wait(121);
            history.push(seen(&app.send_login_code(phone).await));
            history.push(seen(&app.send_reset_code(phone).await));
            history.push(seen(&app.send_register_code(phone).await));
            history.push(seen(&app.send_verification_code(name, phone).await));
            for answer in &mut history {
                if let Some(wait) = answer[2].as_u64() {
                    assert!((24 * 3600 - 150..=24 * 3600).contains(&wait), "{wait}");
                    answer[2] = json!("a day");
                }
            }
            histories.push(history);
            app.wait(24 * 3600);
        }
        assert_eq!(histories[0], histories[1]);
        let first = histories[0].iter().position(|answer| answer[2].is_string());
        assert_eq!(first, Some(10), "ten are evaluated");
    })
    .await;
}

#[tokio::test]
async fn a_lock_out_by_phone_tells_nothing_of_the_name() {
    scenario_with(HIDDEN, async |app| {
        let mut histories = Vec::new();
        for handles in [[ERIC, "eric"], [UNKNOWN, "nobody"], [MARY, "not-mary"]] {
            let mut history = Vec::new();
            for handle in handles {
                for _ in 0..12 {
                    let refused = app.log_in_with_password(handle, "a-wrong-password");
                    let mut shown = seen(&refused.await);
                    // The clock goes on meanwhile.
                    if let Some(wait) = shown[2].as_u64() {
                        assert!((DAY - 30..=DAY).contains(&wait), "{wait}");
                        shown[2] = json!("a day");
                    }
                    history.push(shown);
                }
            }
            histories.push(history);
            app.wait(DAY);
        }
        assert_eq!(histories[0], histories[1]);
        assert_eq!(histories[0], histories[2]);
        assert!(histories[0][9][2].is_null() && histories[0][10][2].is_string());
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_passwords_a_day_are_all_that_an_account_evaluates_by_whichever_handle() {
    scenario_with(HIDDEN, async |app| {
        for _ in 0..10 {
            app.log_in_with_password(ERIC, "a-wrong-password").await;
        }
        let wrong = app.log_in_with_password("eric", "a-wrong-password").await;
        let right = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        assert_eq!(seen(&right), seen(&wrong));
        assert_eq!(right.retry_after(), None);
        app.wait(DAY);
        app.session_of_eric().await;
        // Right passwords count by neither.
        for _ in 0..12 {
            app.session_of_eric().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_answer_an_environment_is_busy_as_long_for_an_unknown_number() {
    let environment = [HIDDEN, &[RICH]].concat();
    with_users(&environment, async |app| {
        let slow = Duration::from_millis(250);
        app.sns.break_it(Fault::IsSlow(slow));
        for path in ["/v1/user/sendLoginMessage", "/v1/user/sendRegisterMessage"] {
            // How long work goes on after the answer; in Lambda the next event waits for it.
            let busy = async |phone: String| {
                let begun = Instant::now();
                let answer = app.post(path, json!({ "phone": phone })).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                begun.elapsed() - answer.took
            };
            for n in 0..2 {
                busy(known(n)).await;
                busy(unknown(n)).await;
            }
            let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
            for n in 2..9 {
                of_known.push(busy(known(n)).await);
                of_unknown.push(busy(unknown(n)).await);
            }
            of_known.sort();
            of_unknown.sort();
            let (of_known, of_unknown) = (of_known[3], of_unknown[3]);
            assert!(
                of_known.min(of_unknown) >= slow,
                "{path}: {of_known:?} {of_unknown:?}"
            );
            let difference = of_known.abs_diff(of_unknown);
            assert!(difference < slow / 4, "{path}: {of_known:?} {of_unknown:?}");
            app.wait(DAY);
        }
        app.sns.mend().await;
    })
    .await;
}

#[tokio::test]
async fn a_known_user_logs_in_as_usual() {
    scenario_with(HIDDEN, async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let (ticket, code) = app.register_code(ANNA).await;
        let joined = app.register(&ticket, &code, "anna", "anna-password").await;
        assert_eq!(joined.status, 200);
        let token = app.reset_token("eric", ERIC).await;
        let changed = app.change_passwd("eric", &token, "Wachtwoord42").await;
        changed.assert_b_ok("密码修改成功");
    })
    .await;
}

#[tokio::test]
async fn register_after_a_decoy_sends_a_code_that_works() {
    scenario_with(HIDDEN, async |app| {
        app.send_login_code(ANNA).await;
        let (ticket, code) = app.register_code(ANNA).await;
        let joined = app.register(&ticket, &code, "anna", "anna-password").await;
        assert_eq!(joined.status, 200);
        app.wait(120);
        let (ticket, code) = app.login_code(ANNA).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_fails_after_the_answer_keeps_its_cool_down_and_costs_nothing() {
    let environment = [HIDDEN, &[("DAILY_SPEND_USD", "0.05")]].concat();
    scenario_with(&environment, async |app| {
        app.sns.break_it(Fault::Refuses);
        assert_eq!(app.send_login_code(ERIC).await.status, 200);
        assert_eq!(app.send_login_code(ERIC).await.retry_after(), Some(120));
        app.sns.mend().await;
        app.wait(120);
        assert_eq!(app.send_login_code(ERIC).await.status, 200);
        assert_eq!(app.texts(ERIC).len(), 1);
    })
    .await;
}

/// How many requests of each kind are timed. The share of pairs in which the known one takes longer is
/// 0.5 if the times are equal, and 0.6 with the cost of reading an item that exists. Its standard
/// deviation is 0.046 here; chance exceeds the bound of 0.5 ± [`STRAY`] once in 9,000 endpoints.
const TIMED: usize = 80;
const STRAY: f64 = 0.27;

/// An endpoint, and the share of pairs in which a known phone takes longer.
type Told = (&'static str, f64);

/// Times an endpoint.
async fn told(
    endpoint: &'static str,
    known: impl AsyncFn(usize) -> Answer,
    unknown: impl AsyncFn(usize) -> Answer,
) -> Told {
    let [known, unknown] = by_turns(TIMED, known, unknown).await;
    (endpoint, share_of_longer(&known, &unknown))
}

fn known(n: usize) -> String {
    format!("138{:08}", 5_000 + n)
}

fn unknown(n: usize) -> String {
    format!("139{:08}", 5_000 + n)
}

async fn with_users(environment: &[(&str, &str)], test: impl AsyncFn(&TestApp)) {
    let environment = [environment, &[PATIENT]].concat();
    scenario_with(&environment, async |app| {
        for n in 0..TIMED {
            let uid = 10_000 + n as u64;
            app.create_user(uid, &format!("known-{n}"), &known(n)).await;
        }
        test(app).await;
    })
    .await;
}

/// The endpoints of dialect A that send to phones, and those that redeem their codes.
async fn told_by_time_in_a(app: &TestApp) -> Vec<Told> {
    let mut all = Vec::new();
    for (send, redeem) in [
        ("/v1/user/sendLoginMessage", "/v1/user/loginByMessage"),
        ("/v1/user/sendRegisterMessage", "/v1/user/register"),
        (
            "/v1/user/sendChangePasswordMessage2",
            "/v1/user/changePasswordByMessage2",
        ),
    ] {
        app.wait(DAY);
        let tickets = Mutex::new(HashMap::new());
        let ask = async |phone: String| {
            let sent = app.post(send, json!({ "phone": phone })).await;
            let ticket = sent.result().to_owned();
            tickets.lock().unwrap().insert(phone, ticket);
            sent
        };
        let asked = told(
            send,
            async |n| ask(known(n)).await,
            async |n| ask(unknown(n)).await,
        );
        all.push(asked.await);
        let guess = async |phone: String| {
            let ticket = tickets.lock().unwrap()[&phone].clone();
            let body = json!({
                "phoneInfo": ticket, "code": "0000000", "newPassword": "new-password",
                "name": "somebody", "password": "new-password",
            });
            app.post(redeem, body).await
        };
        let guessed = told(
            redeem,
            async |n| guess(known(n)).await,
            async |n| guess(unknown(n)).await,
        );
        all.push(guessed.await);
    }
    all
}

/// Every endpoint of dialects A to C whose time could reveal an account.
async fn told_by_time(app: &TestApp) -> Vec<Told> {
    let mut all = told_by_time_in_a(app).await;
    app.wait(DAY);
    let ask = async |name: String, phone: String| app.send_verification_code(&name, &phone).await;
    let sent = told(
        "/Systems/sendVerificationCode",
        async |n| ask(format!("known-{n}"), known(n)).await,
        async |n| ask(format!("other-{n}"), unknown(n)).await,
    );
    all.push(sent.await);
    let guess = async |name: String| app.make_sure(&name, "000000").await;
    let guessed = told(
        "/Systems/makeSureVerificationCode",
        async |n| guess(format!("known-{n}")).await,
        async |n| guess(format!("other-{n}")).await,
    );
    all.push(guessed.await);
    let change = async |name: String| app.change_passwd(&name, "no-token", "Wachtwoord42").await;
    let changed = told(
        "/Systems/changepasswd",
        async |n| change(format!("known-{n}")).await,
        async |n| change(format!("other-{n}")).await,
    );
    all.push(changed.await);
    let log_in = async |name: String| app.log_in_with_password(&name, "wrong-password").await;
    let logged_in = told(
        "/v1/user/login",
        async |n| log_in(format!("known-{n}")).await,
        async |n| log_in(format!("other-{n}")).await,
    );
    all.push(logged_in.await);
    app.wait(DAY);
    let session = app.session_of_eric().await;
    let ask = async |phone: String| app.send_phone_change_code(&session, &phone).await;
    let asked = told(
        "/v1/user/verify_code",
        async |n| ask(known(n)).await,
        async |n| ask(unknown(n)).await,
    );
    all.push(asked.await);
    let guess = async |phone: String| app.change_phone(&session, &phone, "000000").await;
    let guessed = told(
        "/v1/user/mobile",
        async |n| guess(known(n)).await,
        async |n| guess(unknown(n)).await,
    );
    all.push(guessed.await);
    all
}

/// The endpoints of dialect D to which a stranger names a phone, and those of a change of the phone.
async fn told_by_time_in_d(app: &TestApp) -> Vec<Told> {
    let phone = |of: fn(usize) -> String, n| format!("86{}", of(n));
    let mut all = Vec::new();
    let verify = async |phone: String| app.verify(&phone, "000000").await;
    for (otp, redeem, creates) in [
        ("otp, creating", "verify of it", true),
        ("otp, creating nothing", "verify of that", false),
    ] {
        app.wait(DAY);
        let ask = async |phone: String| {
            let body = json!({"phone": phone, "create_user": creates});
            app.sdk_post(OTP, body).await
        };
        let asked = told(
            otp,
            async |n| ask(phone(known, n)).await,
            async |n| ask(phone(unknown, n)).await,
        );
        all.push(asked.await);
        let guessed = told(
            redeem,
            async |n| verify(phone(known, n)).await,
            async |n| verify(phone(unknown, n)).await,
        );
        all.push(guessed.await);
    }
    app.wait(121);
    let again = told(
        "resend",
        async |n| app.resend("sms", &phone(known, n)).await,
        async |n| app.resend("sms", &phone(unknown, n)).await,
    );
    all.push(again.await);
    let log_in = async |phone: String| {
        let body = json!({"phone": phone, "password": "a-wrong-password"});
        let path = format!("{TOKEN}?grant_type=password");
        app.sdk_post(&path, body).await
    };
    let logged_in = told(
        "token",
        async |n| log_in(phone(known, n)).await,
        async |n| log_in(phone(unknown, n)).await,
    );
    all.push(logged_in.await);
    app.wait(DAY);
    let session = app.signed_in("8613800139000").await;
    let token = session["access_token"].as_str().unwrap();
    let move_to = async |phone: &str| app.update_user(token, json!({"phone": phone})).await;
    let moved = told(
        "user",
        async |n| move_to(&phone(known, n)).await,
        async |n| move_to(&phone(unknown, n)).await,
    );
    all.push(moved.await);
    app.wait(121);
    let guess = async |phone: String| {
        move_to(&phone).await;
        app.verify_move(token, &phone, "000000").await
    };
    let guessed = told(
        "verify of a move",
        async |n| guess(phone(known, n)).await,
        async |n| guess(phone(unknown, n)).await,
    );
    all.push(guessed.await);
    all
}

/// A cap above all that the test sends.
const RICH: (&str, &str) = ("DAILY_SPEND_USD", "1000");

/// Asserts that no endpoint is told by time, whether SNS is quick or slow. Most of the time is waiting, so both are
/// measured at once.
async fn assert_not_told(timed: impl AsyncFn(&TestApp) -> Vec<Told>) {
    let environment = [HIDDEN, &[RICH]].concat();
    let measured = async |slow: bool| {
        with_users(&environment, async |app| {
            app.dynamodb.break_it(STEADY);
            if slow {
                app.sns.break_it(Fault::IsSlow(Duration::from_millis(15)));
            }
            for (endpoint, share) in timed(app).await {
                let strays = (share - 0.5).abs();
                assert!(strays < STRAY, "{endpoint}, slow {slow}: {share}");
            }
            app.sns.mend().await;
            app.dynamodb.mend().await;
        })
        .await;
    };
    join(measured(false), measured(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tells_known_from_unknown_by_the_clock_in_dialects_a_to_c() {
    assert_not_told(told_by_time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tells_known_from_unknown_by_the_clock_in_dialect_d() {
    assert_not_told(told_by_time_in_d).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_tells_when_they_are_not_hidden() {
    with_users(&[RICH], async |app| {
        app.sns.break_it(Fault::IsSlow(Duration::from_millis(15)));
        let all = told_by_time_in_a(app).await;
        app.sns.mend().await;
        let share = |of| all.iter().find(|(endpoint, _)| *endpoint == of).unwrap().1;
        assert!(share("/v1/user/sendLoginMessage") > 0.5 + STRAY);
        assert!(share("/v1/user/sendRegisterMessage") < 0.5 - STRAY);
    })
    .await;
}
