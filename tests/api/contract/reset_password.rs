//! Seed 000, "change the password by SMS, not logged in": every request, response and error row, and
//! its misspellings. No answer carries a token.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, TestApp, eric, md5, scenario, scenario_with, wrong,
};

const SEND: &str = "/v1/user/sendChangePasswordMessage2";
const CHANGE: &str = "/v1/user/changePasswordByMessage2";
/// The phone of the document's sample.
const SAMPLE: &str = "13732140413";
const NEW: &str = "second-password";

/// Asserts that eric's password is this one, and not that.
async fn assert_password_is(app: &TestApp, right: &str, wrong: &str) {
    let answer = app.log_in_with_password("eric", right).await;
    answer.assert_ok_with_token(&eric());
    let answer = app.log_in_with_password("eric", wrong).await;
    answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
}

#[tokio::test]
async fn the_documents_two_requests_change_the_password_and_return_no_token() {
    scenario(async |app| {
        app.create_user_with(7, "sample", SAMPLE, Some("forgotten-password"))
            .await;
        let sent = app
            .post_raw(SEND, &[], "{\n\t\"phone\":\"13732140413\"\n}")
            .await;
        let ticket = sent.result().to_owned();
        assert!(!ticket.is_empty());
        sent.assert_ok(&json!(ticket));

        let code = app.last_code(SAMPLE);
        let new = "665421e4e5c6a354d8698fa1df103851";
        let body = format!(
            "{{\n\t\"phoneInfo\":\"{ticket}\",\n\t\"code\":\"{code}\",\n\t\"newPassword\":\"{new}\"\n}}"
        );
        let answer = app.post_raw(CHANGE, &[], body).await;
        answer.assert_ok(&json!(true));

        let answer = app.log_in_with_password(SAMPLE, new).await;
        assert_eq!(answer.body["result"]["uuid"], 7);
        let answer = app.log_in_with_password(SAMPLE, "forgotten-password").await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
    })
    .await;
}

#[tokio::test]
async fn the_text_says_that_the_code_changes_the_password() {
    scenario(async |app| {
        let (_, code) = app.reset_code(ERIC).await;
        let text = format!("【Latchkey】修改密码验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC), [text]);
    })
    .await;
}

#[tokio::test]
async fn send_takes_the_documents_misspellings_but_the_right_spelling_wins() {
    scenario(async |app| {
        for body in [
            json!({"phon": ERIC}),
            json!({"phon": ERIC, "contryCode": "86"}),
            json!({"phon": 13_800_138_001_u64, "contryCode": 86}),
            json!({"phone": ERIC, "contryCode": "+86"}),
            json!({"phon": "138 0013 8001", "countryCode": "+86"}),
            json!({"phone": ERIC, "phon": MARY, "countryCode": "86", "contryCode": "44"}),
            json!({"phone": "", "phon": ERIC, "countryCode": null, "contryCode": "86"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_ok(&json!(answer.result()));
            app.wait(3600);
        }
        for form in ["phon=13800138001&contryCode=%2B86", "phone=138-0013-8001"] {
            let answer = app.post_form(SEND, form).await;
            answer.assert_ok(&json!(answer.result()));
            app.wait(3600);
        }
        assert_eq!(app.texts(ERIC).len(), 9);
        assert!(app.texts(MARY).is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_phone_required_or_not_valid() {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"phone": null, "phon": ""}),
            json!({"phone": " "}),
            json!({"countryCode": "86"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_a(400, "{PHONE}_REQUIRED", "Phone required");
        }
        for body in [
            json!({"phone": "1373214041"}),
            json!({"phon": "abc"}),
            json!({"phone": [ERIC]}),
            json!({"phon": ERIC, "contryCode": "44"}),
            json!({"phone": "7911123456", "countryCode": "44"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_a(400, "PHONE_NOT_VALIDATE", "Phone not validate");
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_user_not_found_or_disabled() {
    scenario(async |app| {
        let answer = app.send_reset_code(SAMPLE).await;
        answer.assert_a(400, "USER_NOT_FOUND", "User not found");
        app.operator_sets(6, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.send_reset_code(MARY).await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        app.operator_deletes(5).await;
        let answer = app.send_reset_code(ERIC).await;
        answer.assert_a(400, "USER_NOT_FOUND", "User not found");
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_too_frequently_for_120_seconds_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        app.wait(30);
        let refused = app.send_reset_code(ERIC).await;
        let wait = refused.assert_too_frequent();
        assert!((88..=90).contains(&wait), "{wait}");
        app.wait(wait);
        let (second_ticket, second_code) = app.reset_code(ERIC).await;
        assert_eq!(code, second_code);
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        let answer = app
            .reset_password(&second_ticket, &code, "third-password")
            .await;
        answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        assert_password_is(app, NEW, "third-password").await;
    })
    .await;
}

#[tokio::test]
async fn send_message_error_when_switched_off_or_not_configured() {
    for environment in [
        [("LOGIN_ENABLED", "false")],
        [("SMS_BRAND", "")],
        [("SENDER_ID_REQUIRED", "86")],
        [("SMS_TEXTS", r#"{"86":{}}"#)],
    ] {
        scenario_with(&environment, async |app| {
            let answer = app.send_reset_code(ERIC).await;
            let message = "Cannot send message, try again later.";
            answer.assert_a(500, "SEND_MESSAGE_ERROR", message);
            let nothing_stored = app.code_item("reset-password#+8613800138001").await;
            assert!(nothing_stored.is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn code_then_new_password_then_phone_info_are_required() {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"code": null}),
            json!({"code": "", "newPassword": NEW, "phoneInfo": "x"}),
            json!({"newPassword": "x", "phoneInfo": "x"}),
        ] {
            let answer = app.post(CHANGE, body).await;
            answer.assert_a(400, "{CODE}_REQUIRED", "Code required");
        }
        for body in [
            json!({"code": "121593"}),
            json!({"code": "121593", "newPassword": null, "phoneInfo": "x"}),
            json!({"code": 121_593, "newPassword": "  ", "phoneInfo": "x"}),
        ] {
            let answer = app.post(CHANGE, body).await;
            answer.assert_a(400, "{NEW_PASSWORD}_REQUIRED", "New password required");
        }
        for body in [
            json!({"code": "121593", "newPassword": NEW}),
            json!({"code": "x", "newPassword": NEW, "phoneInfo": " "}),
        ] {
            let answer = app.post(CHANGE, body).await;
            answer.assert_a(400, "{PHONE_INFO}_REQUIRED", "Phone info required");
        }
    })
    .await;
}

#[tokio::test]
async fn new_password_not_valid_costs_no_try() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        for new in [
            json!("12345"),
            json!("x".repeat(65)),
            json!("密码密码密"),
            json!(12345),
            json!([NEW]),
            json!(true),
        ] {
            for code in [code.as_str(), "121593"] {
                let body = json!({"phoneInfo": ticket, "code": code, "newPassword": new});
                let answer = app.post(CHANGE, body).await;
                answer.assert_a(400, "{NEW_PASSWORD}_NOT_VALID", "New password not valid");
            }
        }
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn the_request_may_be_a_form_and_the_code_a_number_and_the_password_in_either_form() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        app.learn_password(NEW);
        let form = format!("phoneInfo={ticket}&code={code}&newPassword={NEW}");
        app.post_form(CHANGE, &form).await.assert_ok(&json!(true));
        for form in [NEW, &md5(NEW)] {
            let answer = app.log_in_with_password("eric", form).await;
            answer.assert_ok_with_token(&eric());
        }
        app.wait(120);
        let (ticket, code) = app.reset_code(ERIC).await;
        let number: u32 = code.parse().unwrap();
        let upper = md5("third-password").to_uppercase();
        app.learn(&upper);
        let body = json!({"phoneInfo": ticket, "code": number, "newPassword": upper});
        app.post(CHANGE, body).await.assert_ok(&json!(true));
        assert_password_is(app, "third-password", NEW).await;
        // It needs no old password and looks at none.
        app.wait(120);
        let (ticket, code) = app.reset_code(ERIC).await;
        let body = json!({
            "phoneInfo": ticket, "code": code, "newPassword": NEW, "oldPassword": "x"
        });
        app.post(CHANGE, body).await.assert_ok(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn every_session_ends_with_the_change() {
    scenario(async |app| {
        let sessions = [app.session_of_eric().await, app.session_of_eric().await];
        let (ticket, code) = app.reset_code(ERIC).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        for ended in &sessions {
            app.info(ended).await.assert_invalid_token();
            let answer = app.send_change_password_code(ended).await;
            answer.assert_invalid_token();
        }
        let token = app.session_of("eric", NEW).await;
        app.info(&token).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn phone_info_not_valid() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        let session = app.session_of_eric().await;
        for phone_info in [
            // The sample of the document: somebody else's.
            json!("T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NekEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uMzhiZTg4ZjMwZTEyYzU5ODc1MzgyNGE2MjQ3NDBkNDI."),
            json!("x"),
            json!(5),
            json!([ticket]),
            json!(true),
            json!(ticket[1..]),
            json!(format!("{ticket}.")),
            json!(session),
        ] {
            let body = json!({"phoneInfo": phone_info, "code": code, "newPassword": NEW});
            let answer = app.post(CHANGE, body).await;
            answer.assert_a(400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
        }
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn code_not_valid_when_it_is_wrong_spent_expired_or_its_tries_are_used_up() {
    scenario(async |app| {
        let refused = async |ticket: &str, code: &str| {
            let answer = app.reset_password(ticket, code, NEW).await;
            answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        };
        let (ticket, code) = app.reset_code(ERIC).await;
        for n in 0..5 {
            refused(&ticket, &wrong(&code, n)).await;
        }
        refused(&ticket, &code).await;
        app.wait(120);
        let (ticket, code) = app.reset_code(ERIC).await;
        // mary's code is not eric's.
        let (_, marys) = app.reset_code(MARY).await;
        refused(&ticket, if marys == code { "x" } else { &marys }).await;
        app.wait(300);
        refused(&ticket, &code).await;
        app.wait(300);
        refused(&ticket, &code).await;
        assert_password_is(app, ERIC_PASSWORD, NEW).await;
        let (ticket, code) = app.reset_code(ERIC).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        refused(&ticket, &code).await;
    })
    .await;
}

#[tokio::test]
async fn user_not_found_user_login_failed_user_phone_not_match_keep_the_code_usable() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        let change = async || app.reset_password(&ticket, &code, NEW).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let answer = change().await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        app.operator_sets(5, "phone", AttributeValue::S(ANNA.into()))
            .await;
        let answer = change().await;
        answer.assert_a(400, "USER_PHONE_NOT_MATCH", "User phone not match.");
        app.operator_removes(5, "phone").await;
        let answer = change().await;
        answer.assert_a(400, "USER_PHONE_NOT_MATCH", "User phone not match.");
        app.operator_sets(5, "phone", AttributeValue::S(ERIC.into()))
            .await;
        change().await.assert_ok(&json!(true));

        let (ticket, code) = app.reset_code(MARY).await;
        app.operator_deletes(6).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_a(400, "USER_NOT_FOUND", "User not found");
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_password_gets_one() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(MARY).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        let answer = app.log_in_with_password("mary", NEW).await;
        assert_eq!(answer.body["result"]["uuid"], 6);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_locked_out_by_wrong_passwords_is_not_let_in_by_a_new_one_but_by_sms() {
    scenario(async |app| {
        for _ in 0..10 {
            let answer = app.log_in_with_password("eric", "wrong-password").await;
            assert_eq!(answer.status, 400);
        }
        let (ticket, code) = app.reset_code(ERIC).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        let answer = app.log_in_with_password("eric", NEW).await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        assert!(answer.retry_after().is_some());
        let (ticket, code) = app.login_code(ERIC).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
        app.wait(24 * 3600);
        app.session_of("eric", NEW).await;
    })
    .await;
}
