//! Test numbers for app review: no SMS, a code known beforehand, and the same limits as any number.

use serde_json::{Value, json};

use crate::support::{ERIC, TestApp, account, eric, message::CODE_NOT_VALID, scenario_with};

const NUMBER: &str = "13800000000";
const CODE: &str = "246810";
/// The tests' clock begins today; this ends in 2099.
const ENVIRONMENT: &[(&str, &str)] = &[("TEST_NUMBERS", "+8613800000000=246810@2099-01-01")];

fn reviewer() -> Value {
    account(7, "reviewer", NUMBER)
}

async fn ticket(app: &TestApp) -> String {
    let sent = app.send_login_code(NUMBER).await;
    sent.assert_ok(&json!(sent.result()));
    sent.result().to_owned()
}

#[tokio::test]
async fn its_code_logs_in_and_no_sms_is_sent() {
    scenario_with(ENVIRONMENT, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let ticket = ticket(app).await;
        assert!(app.inbox().messages().is_empty());
        let answer = app.log_in(&ticket, "246811").await;
        answer.assert_refused(CODE_NOT_VALID);
        let answer = app.log_in(&ticket, CODE).await;
        answer.assert_ok_with_token(&reviewer());
        // Once.
        let answer = app.log_in(&ticket, CODE).await;
        answer.assert_refused(CODE_NOT_VALID);
    })
    .await;
}

#[tokio::test]
async fn it_has_the_cool_down_the_tries_and_the_limits_of_any_number() {
    scenario_with(ENVIRONMENT, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let first = ticket(app).await;
        let refused = app.send_login_code(NUMBER).await;
        assert_eq!(refused.assert_too_frequent(), 120);
        for n in 0..5 {
            let answer = app.log_in(&first, &format!("00000{n}")).await;
            answer.assert_refused(CODE_NOT_VALID);
        }
        // Its tries are used up.
        let answer = app.log_in(&first, CODE).await;
        answer.assert_refused(CODE_NOT_VALID);
        for _ in 1..5 {
            app.wait(120);
            ticket(app).await;
        }
        app.wait(120);
        // Five an hour.
        app.send_login_code(NUMBER).await.assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn its_code_is_wrong_for_every_other_number() {
    scenario_with(ENVIRONMENT, async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        if code != CODE {
            let answer = app.log_in(&ticket, CODE).await;
            answer.assert_refused(CODE_NOT_VALID);
        }
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn it_costs_no_money_and_proves_nothing_to_the_guard() {
    let environment = [ENVIRONMENT, &[("DAILY_SPEND_USD", "0")]].concat();
    scenario_with(&environment, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let path = "/v1/user/sendLoginMessage";
        let sent = app
            .post_from("203.0.113.7", path, json!({ "phone": NUMBER }))
            .await;
        let answer = app.log_in(sent.result(), CODE).await;
        answer.assert_ok_with_token(&reviewer());
        let source = app.code_item("source#203.0.113.7").await;
        assert!(!source.contains_key("verified"), "{source:?}");
    })
    .await;
}

#[tokio::test]
async fn after_its_day_it_is_a_number_like_any_other() {
    let environment = [("TEST_NUMBERS", "+8613800000000=246810@2020-01-01")];
    scenario_with(&environment, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let ticket = ticket(app).await;
        let code = app.last_code(NUMBER);
        if code != CODE {
            let answer = app.log_in(&ticket, CODE).await;
            answer.assert_refused(CODE_NOT_VALID);
        }
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&reviewer());
    })
    .await;
}
