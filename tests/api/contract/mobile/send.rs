//! `POST /v1/user/verify_code`: how often, and what may keep a message from going out.

use std::time::Duration;

use crate::support::{
    DAY, TestApp,
    fault::{Fault, sns_error},
    mobile::{FREE, OTHER},
    scenario, scenario_with, wrong,
};

#[tokio::test]
async fn too_many_requests_within_a_minute_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(20);
        let refused = app.send_phone_change_code(&session, FREE).await;
        refused.assert_c_for_now(429, "Too Many Requests", 38..=40);
        // Another number has a cool-down of its own.
        app.phone_change_code(&session, OTHER).await;
        app.wait(refused.retry_after().unwrap());
        assert_eq!(app.phone_change_code(&session, FREE).await, code);
        assert_eq!(app.texts(FREE).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_in_an_hour_and_after_ten_wrong_codes() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        for _ in 0..5 {
            app.phone_change_code(&session, FREE).await;
            app.wait(60);
        }
        let refused = app.send_phone_change_code(&session, FREE).await;
        refused.assert_c_for_now(429, "Too Many Requests", 3595 - 5 * 60..=3600 - 5 * 60);

        for _ in 0..2 {
            let code = app.phone_change_code(&session, OTHER).await;
            for n in 0..5 {
                let answer = app.change_phone(&session, OTHER, &wrong(&code, n)).await;
                answer.assert_c(400_190, "verify code error");
            }
            app.wait(60);
        }
        let refused = app.send_phone_change_code(&session, OTHER).await;
        refused.assert_c_for_now(429, "Too Many Requests", DAY - 125..=DAY - 115);
        let refused = app.change_phone(&session, OTHER, "123456").await;
        refused.assert_c_for_now(400_191, "verify code expired", DAY - 125..=DAY - 115);
    })
    .await;
}

#[tokio::test]
async fn login_interface_config_not_found_while_login_is_switched_off() {
    scenario_with(&[("LOGIN_ENABLED", "false")], async |app| {
        assert_not_configured(app, 400_198, "login interface config not found").await;
    })
    .await;
}

#[tokio::test]
async fn sms_config_not_found_without_a_brand() {
    for brand in ["", " "] {
        scenario_with(&[("SMS_BRAND", brand)], async |app| {
            assert_not_configured(app, 400_197, "sms config not found").await;
        })
        .await;
    }
}

#[tokio::test]
async fn sms_sign_name_not_found_in_a_country_that_requires_a_sender_id() {
    let environment = [
        ("SENDER_ID_REQUIRED", "44,86"),
        ("SENDER_IDS", r#"{"44":"Latchkey"}"#),
    ];
    scenario_with(&environment, async |app| {
        assert_not_configured(app, 400_196, "sms sign name not found").await;
    })
    .await;
    let environment = [
        ("SENDER_ID_REQUIRED", "86"),
        ("SENDER_IDS", r#"{"86":"Latchkey"}"#),
    ];
    scenario_with(&environment, async |app| {
        app.phone_change_code(&app.session_of_eric().await, FREE)
            .await;
        let sms = &app.inbox().messages()[0];
        assert_eq!(sms.attributes["AWS.SNS.SMS.SenderID"], "Latchkey");
    })
    .await;
}

#[tokio::test]
async fn sms_template_not_found_without_a_text_for_the_purpose() {
    for texts in [r#"{"86":{}}"#, r#"{"86":{"login":"{code} logs you in"}}"#] {
        scenario_with(&[("SMS_TEXTS", texts)], async |app| {
            assert_not_configured(app, 400_195, "sms template not found").await;
        })
        .await;
    }
    let environment = [(
        "SMS_TEXTS",
        r#"{"86":{"change-phone":"{brand}: {code} ({minutes})"}}"#,
    )];
    scenario_with(&environment, async |app| {
        let code = app
            .phone_change_code(&app.session_of_eric().await, FREE)
            .await;
        assert_eq!(app.texts(FREE), [format!("Latchkey: {code} (5)")]);
    })
    .await;
}

/// Asserts that nothing is sent, and that nothing is stored that could throttle the next attempt.
async fn assert_not_configured(app: &TestApp, code: u32, msg: &str) {
    let session = app.session_of_eric().await;
    let answer = app.send_phone_change_code(&session, FREE).await;
    answer.assert_c(code, msg);
    assert!(app.inbox().messages().is_empty());
    let slot = format!("change-phone#5#+86{FREE}");
    assert!(app.code_item(&slot).await.is_empty());
}

#[tokio::test]
async fn sms_access_key_not_found_rejected_and_unavailable_are_what_sns_says() {
    for (code, msg, faults) in [
        (
            400_194,
            "sms access key not found",
            vec![
                sns_error(403, "AuthorizationError"),
                sns_error(403, "InvalidClientTokenId"),
            ],
        ),
        (
            400_193,
            "sms rejected",
            vec![
                sns_error(400, "OptedOut"),
                sns_error(400, "InvalidParameter"),
                // The spend limit, or any other refusal of SNS.
                sns_error(400, "MonthlySpendLimitReached"),
            ],
        ),
        (
            400_192,
            "sms unavailable",
            vec![
                Fault::Refuses,
                sns_error(400, "Throttling"),
                sns_error(429, "Throttled"),
                sns_error(500, "InternalError"),
                Fault::Answers {
                    status: 503,
                    body: "<html>busy</html>".into(),
                },
                Fault::Hangs,
            ],
        ),
    ] {
        scenario(async |app| {
            let session = app.session_of_eric().await;
            for (n, fault) in faults.iter().enumerate() {
                let mobile = format!("1390013910{n}");
                app.sns.break_it(fault.clone());
                let answer = app.send_phone_change_code(&session, &mobile).await;
                assert_eq!(answer.body["code"], code, "{fault:?}");
                answer.assert_c(code, msg);
                assert!(answer.took < Duration::from_secs(10), "{fault:?}");
                // A message that did not go out releases its cool-down.
                app.sns.mend().await;
                let code = app.phone_change_code(&session, &mobile).await;
                assert_eq!(app.texts(&mobile).len(), 1, "{fault:?}");
                let moved = app.change_phone(&session, &mobile, &code).await;
                moved.assert_c_success();
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_number_gets_one_code_a_minute_from_all_accounts_together() {
    scenario(async |app| {
        let eric = app.session_of_eric().await;
        let zoe = app.session_of_zoe().await;
        let first = app.send_phone_change_code(&eric, FREE).await;
        first.assert_c_success();
        let second = app.send_phone_change_code(&zoe, FREE).await;
        second.assert_c_for_now(429, "Too Many Requests", 58..=60);
        app.wait(second.retry_after().unwrap());
        app.send_phone_change_code(&zoe, FREE)
            .await
            .assert_c_success();

        // A message that may have gone out counts, but can be requested again at once.
        app.wait(60);
        app.sns.break_it(Fault::LosesAnswers { times: 1 });
        let lost = app.send_phone_change_code(&eric, FREE).await;
        lost.assert_c(400_192, "sms unavailable");
        app.sns.mend().await;
        app.send_phone_change_code(&eric, FREE)
            .await
            .assert_c_success();
    })
    .await;
}
