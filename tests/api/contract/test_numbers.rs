//! Test numbers for app review: no SMS, a code known beforehand, and the same limits as any number.

use serde_json::json;

use crate::support::{ERIC, TestApp, scenario_with};

const NUMBER: &str = "13800000000";
const CODE: &str = "246810";
/// The tests' clock begins today; this ends in 2099.
const ENVIRONMENT: &[(&str, &str)] = &[("TEST_NUMBERS", "+8613800000000=246810@2099-01-01")];

async fn ticket(app: &TestApp) -> String {
    let sent = app.send_login_code(NUMBER).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    sent.result().to_owned()
}

#[tokio::test]
async fn its_code_logs_in_and_no_sms_is_sent() {
    scenario_with(ENVIRONMENT, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let ticket = ticket(app).await;
        assert!(app.inbox().messages().is_empty());
        assert_eq!(app.log_in(&ticket, "246811").await.status, 400);
        assert_eq!(app.log_in(&ticket, CODE).await.status, 200);
        assert_eq!(app.log_in(&ticket, CODE).await.status, 400, "once");
    })
    .await;
}

#[tokio::test]
async fn it_has_the_cool_down_the_tries_and_the_limits_of_any_number() {
    scenario_with(ENVIRONMENT, async |app| {
        app.create_user(7, "reviewer", NUMBER).await;
        let first = ticket(app).await;
        let refused = app.send_login_code(NUMBER).await;
        assert_eq!(refused.retry_after(), Some(120));
        for n in 0..5 {
            let guess = format!("00000{n}");
            assert_eq!(app.log_in(&first, &guess).await.status, 400);
        }
        assert_eq!(app.log_in(&first, CODE).await.status, 400, "tries used up");
        for _ in 1..5 {
            app.wait(120);
            ticket(app).await;
        }
        app.wait(120);
        assert_eq!(
            app.send_login_code(NUMBER).await.status,
            400,
            "five an hour"
        );
    })
    .await;
}

#[tokio::test]
async fn its_code_is_wrong_for_every_other_number() {
    scenario_with(ENVIRONMENT, async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        if code != CODE {
            assert_eq!(app.log_in(&ticket, CODE).await.status, 400);
        }
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
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
        assert_eq!(app.log_in(sent.result(), CODE).await.status, 200);
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
            assert_eq!(app.log_in(&ticket, CODE).await.status, 400);
        }
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}
