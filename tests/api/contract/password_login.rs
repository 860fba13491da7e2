//! Logging in with a password, dialect A; no document has it.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bench::timing::{ROUND, share_of_longer};
use serde_json::{Value, json};

use crate::support::{
    ANNA, Answer, DAY, ERIC, ERIC_PASSWORD, MARY, PATIENT, TestApp, account, eric, md5,
    message::{LOGIN_FAILED, PASSWORD_NOT_VALID, PASSWORD_REQUIRED},
    scenario, scenario_with,
    timing::by_turns,
};

const LOGIN: &str = "/v1/user/login";
/// A cost at which hashing takes longer than the rest of a login.
const DEAR: [(&str, &str); 2] = [("PASSWORD_MEMORY_KIB", "16384"), ("PASSWORD_PASSES", "1")];

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_refused(LOGIN_FAILED);
}

#[tokio::test]
async fn a_phone_or_a_name_and_the_password_in_either_form_log_in() {
    scenario(async |app| {
        let upper = md5(ERIC_PASSWORD).to_uppercase();
        app.learn(&upper);
        for password in [ERIC_PASSWORD, &md5(ERIC_PASSWORD), &upper] {
            for body in [
                json!({"value": ERIC}),
                json!({"value": 13_800_138_001_u64}),
                json!({"value": "138 0013 8001"}),
                json!({"value": "138-0013-8001", "countryCode": "+86"}),
                json!({"value": ERIC, "countryCode": 86}),
                json!({"value": ERIC, "countryCode": "８６"}),
                json!({"value": ERIC, "countryCode": ""}),
                json!({"value": ERIC, "countryCode": null}),
                json!({"value": "eric"}),
                json!({"value": "Eric"}),
                json!({"value": " eric "}),
                // A name has no country.
                json!({"value": "eric", "countryCode": "44"}),
            ] {
                let mut body = body;
                body["password"] = json!(password);
                let answer = app.post(LOGIN, body).await;
                answer.assert_ok_with_token(&eric());
            }
        }
        let forms = ["value=eric", "value=138+0013+8001&countryCode=%2B86"];
        for form in forms {
            let form = format!("{form}&password={ERIC_PASSWORD}");
            app.post_form(LOGIN, &form)
                .await
                .assert_ok_with_token(&eric());
        }
    })
    .await;
}

#[tokio::test]
async fn value_required_comes_before_password_required() {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"password": ERIC_PASSWORD}),
            json!({"value": null, "password": ERIC_PASSWORD}),
            json!({"value": " ", "password": "x"}),
            json!({"value": ["eric"], "password": ERIC_PASSWORD}),
        ] {
            let answer = app.post(LOGIN, body).await;
            answer.assert_a(400, "{VALUE}_REQUIRED", "Value required");
        }
        for body in [
            json!({"value": "eric"}),
            json!({"value": "eric", "password": null}),
            json!({"value": "eric", "password": ""}),
            json!({"value": "nobody", "password": "  "}),
        ] {
            let answer = app.post(LOGIN, body).await;
            answer.assert_refused(PASSWORD_REQUIRED);
        }
    })
    .await;
}

#[tokio::test]
async fn password_not_valid_for_any_user_and_not_counted() {
    scenario(async |app| {
        for value in ["eric", "nobody"] {
            for _ in 0..4 {
                for password in [
                    json!("12345"),
                    json!("x".repeat(65)),
                    json!([ERIC_PASSWORD]),
                ] {
                    let answer = app
                        .post(LOGIN, json!({"value": value, "password": password}))
                        .await;
                    answer.assert_refused(PASSWORD_NOT_VALID);
                }
            }
        }
        app.session_of_eric().await;
    })
    .await;
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    scenario(async |app| {
        app.create_user_with(7, "disabled", ANNA, Some("anna-password"))
            .await;
        app.operator_sets(7, "status", AttributeValue::N("1".into()))
            .await;
        app.create_user_with(8, "deleted", "13900139002", Some("anna-password"))
            .await;
        app.operator_deletes(8).await;
        let mut answers = Vec::new();
        for (value, password) in [
            ("eric", "wrong-password"),
            (ERIC, "wrong-password"),
            ("eric", "ERIC-PASSWORD"),
            ("eric", " eric-password"),
            ("eric", &md5("wrong-password")),
            ("nobody", ERIC_PASSWORD),
            ("13900139009", ERIC_PASSWORD),
            // Neither a phone number nor a known name.
            ("1380013800", ERIC_PASSWORD),
            (&"x".repeat(65), ERIC_PASSWORD),
            ("\u{7f}", ERIC_PASSWORD),
            // mary logs in by SMS only.
            ("mary", ERIC_PASSWORD),
            (MARY, ERIC_PASSWORD),
            ("disabled", "anna-password"),
            ("deleted", "anna-password"),
        ] {
            let answer = app.log_in_with_password(value, password).await;
            assert_refused(&answer);
            let mut headers = answer.headers.clone();
            headers.remove("date");
            answers.push(headers);
        }
        let body = json!({"value": ERIC, "countryCode": "1", "password": ERIC_PASSWORD});
        assert_refused(&app.post(LOGIN, body).await);
        assert!(answers.iter().all(|headers| *headers == answers[0]));
    })
    .await;
}

#[tokio::test]
async fn a_name_equal_to_anothers_phone_does_not_shadow_the_phone() {
    scenario(async |app| {
        app.create_user_with(7, ERIC, ANNA, Some("anna-password"))
            .await;
        let answer = app.log_in_with_password(ERIC, ERIC_PASSWORD).await;
        answer.assert_ok_with_token(&eric());
        assert_refused(&app.log_in_with_password(ERIC, "anna-password").await);
        let answer = app.log_in_with_password(ANNA, "anna-password").await;
        answer.assert_ok_with_token(&account(7, ERIC, ANNA));
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_passwords_a_day_then_not_even_the_right_one_until_it_passes() {
    scenario(async |app| {
        app.session_of_eric().await;
        for n in 0..10 {
            // By phone and by name: one account, one count.
            let value = [ERIC, "eric"][n % 2];
            let answer = app.log_in_with_password(value, "wrong-password").await;
            assert_refused(&answer);
            assert_eq!(answer.retry_after(), None, "{n}");
            app.wait(60);
        }
        for value in [ERIC, "eric"] {
            let refused = app.log_in_with_password(value, ERIC_PASSWORD).await;
            assert_refused(&refused);
            let wait = refused.retry_after().unwrap();
            assert!((DAY - 602..=DAY - 600).contains(&wait), "{wait}");
        }
        // The SMS login still works.
        let (ticket, code) = app.login_code(ERIC).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
        // The right password logs in again as soon as the first of the ten is a day old.
        app.wait(DAY - 600);
        for _ in 0..12 {
            app.session_of_eric().await;
        }
        assert_refused(&app.log_in_with_password("eric", "wrong-password").await);
        let refused = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        assert_refused(&refused);
        let wait = refused.retry_after().unwrap();
        assert!((57..=60).contains(&wait), "{wait}");
        app.wait(wait);
        app.session_of_eric().await;
    })
    .await;
}

#[tokio::test]
async fn right_passwords_do_not_count_however_many_come_at_once() {
    scenario(async |app| {
        for _ in 0..11 {
            app.session_of_eric().await;
        }
        for _ in 0..4 {
            let five = (0..5).map(|_| app.log_in_with_password("eric", ERIC_PASSWORD));
            for answer in futures_util::future::join_all(five).await {
                answer.assert_ok_with_token(&eric());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_name_is_limited_like_an_account() {
    scenario(async |app| {
        for (value, known) in [("eric", true), ("nobody", false), ("13900139009", false)] {
            for _ in 0..10 {
                let answer = app.log_in_with_password(value, "wrong-password").await;
                assert_refused(&answer);
                assert_eq!(answer.retry_after(), None, "{value}");
            }
            let refused = app.log_in_with_password(value, "wrong-password").await;
            assert_refused(&refused);
            let wait = refused.retry_after().unwrap();
            assert!((DAY - 2..=DAY).contains(&wait), "{value} ({known}): {wait}");
        }
        // Another case of the name does not help.
        let refused = app.log_in_with_password("NoBody", "wrong-password").await;
        assert!(refused.retry_after().is_some());
        // Other users are not affected.
        let answer = app.log_in_with_password("mary", "wrong-password").await;
        assert_eq!(answer.retry_after(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_guesses_at_once_ten_are_evaluated() {
    scenario_with(&[PATIENT], async |app| {
        let guesses = (0..100).map(|n| format!("wrong-password-{n}"));
        let guesses: Vec<String> = guesses.chain([ERIC_PASSWORD.to_owned()]).collect();
        let answers = guesses
            .iter()
            .map(|guess| app.log_in_with_password("eric", guess));
        let answers = futures_util::future::join_all(answers).await;
        let (accepted, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        refused.iter().for_each(assert_refused);
        let (unseen, looked_at): (Vec<_>, Vec<_>) = refused
            .iter()
            .partition(|answer| answer.retry_after().is_some());
        // A right guess among the first releases its place for one more.
        assert!(accepted.len() <= 1);
        assert!((10 - accepted.len()..=10).contains(&looked_at.len()));
        assert_eq!(unseen.len(), 101 - accepted.len() - looked_at.len());
        let late = app.log_in_with_password("eric", "wrong-password").await;
        assert_eq!(late.retry_after().is_none(), looked_at.len() < 10);
        let (ticket, code) = app.login_code(ERIC).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}

/// An account whose hash is made at the functions' cost, through the API.
async fn anna(app: &TestApp) -> Value {
    let (ticket, code) = app.register_code(ANNA).await;
    let answer = app.register(&ticket, &code, "anna", "anna-password").await;
    let (user, _) = answer.assert_registered("anna", ANNA);
    user
}

/// How long one hash takes at [`DEAR`], under the machine's present load.
fn cost_of_a_hash(app: &TestApp) -> Duration {
    let hasher = &app.function_app("login").config.password_hasher;
    let password = shared::domain::password::Password::parse("anna-password").unwrap();
    let costs = (0..15).map(|_| {
        let begun = Instant::now();
        hasher.hash(&password, [0; 16]).unwrap();
        begun.elapsed()
    });
    median(costs.collect())
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort();
    of[of.len() / 2]
}

#[tokio::test]
async fn past_the_limit_nothing_is_hashed() {
    scenario_with(&[("PASSWORD_MEMORY_KIB", "65536")], async |app| {
        anna(app).await;
        let mut wrong = Vec::new();
        for _ in 0..10 {
            let answer = app.log_in_with_password("anna", "wrong-password").await;
            wrong.push(answer.took);
        }
        let mut refused = Vec::new();
        for _ in 0..10 {
            let answer = app.log_in_with_password("anna", "anna-password").await;
            assert!(answer.retry_after().is_some());
            refused.push(answer.took);
        }
        let (wrong, refused) = (median(wrong), median(refused));
        assert!(
            refused * 2 < wrong,
            "looked at: {wrong:?}, not looked at: {refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    const TRIES: usize = 200;
    let environment = [&DEAR[..], &[PATIENT]].concat();
    scenario_with(&environment, async |app| {
        anna(app).await;
        let log_in = async |value| {
            let answer = app.log_in_with_password(value, "wrong-password").await;
            assert_refused(&answer);
            assert_eq!(answer.retry_after(), None);
            answer
        };
        let unknown = async |n| {
            // Ten a day is the limit.
            if n % ROUND == 0 {
                app.wait(DAY);
            }
            log_in("nobody").await
        };
        let [unknown, wrong] = by_turns(TRIES, unknown, async |_| log_in("anna").await).await;
        let share = share_of_longer(&unknown, &wrong);
        let (unknown, wrong) = (median(unknown), median(wrong));
        let told = format!("unknown {unknown:?}, wrong {wrong:?}, share {share}");
        let hash = cost_of_a_hash(app);
        assert!(unknown.abs_diff(wrong) < hash / 3, "{told}, hash {hash:?}");
        assert!((0.3..=0.7).contains(&share), "{told}");
    })
    .await;
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_the_next_login_by_one_of_the_configured_cost() {
    let environment = [("PASSWORD_MEMORY_KIB", "128"), ("PASSWORD_PASSES", "3")];
    let at_cost = |hash: &str| hash.starts_with("$argon2id$v=19$m=128,t=3,p=1$");
    scenario_with(&environment, async |app| {
        let old = app.stored_hash(5).await;
        assert!(old.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{old}");
        // Neither a wrong password nor an SMS login replaces it.
        assert_refused(&app.log_in_with_password("eric", "wrong-password").await);
        let (ticket, code) = app.login_code(ERIC).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
        assert_eq!(app.stored_hash(5).await, old);

        let session = app.session_of_eric().await;
        let new = app.stored_hash(5).await;
        assert!(at_cost(&new), "{new}");
        // Nothing else has changed: the session goes on, either form of the password logs in, and
        // the hash is replaced once.
        app.info(&session).await.assert_ok_with_token(&eric());
        for password in [ERIC_PASSWORD, &md5(ERIC_PASSWORD)] {
            let answer = app.log_in_with_password("eric", password).await;
            answer.assert_ok_with_token(&eric());
        }
        assert_refused(&app.log_in_with_password("eric", "wrong-password").await);
        assert_eq!(app.stored_hash(5).await, new);

        let user = anna(app).await;
        let hash = app.stored_hash(user["uuid"].as_u64().unwrap()).await;
        assert!(at_cost(&hash), "{hash}");
        let (ticket, code) = app.reset_code(ERIC).await;
        let answer = app.reset_password(&ticket, &code, "second-password").await;
        answer.assert_ok(&json!(true));
        assert!(at_cost(&app.stored_hash(5).await));
    })
    .await;
}
