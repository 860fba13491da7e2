//! Seed 001, "change the password by SMS, logged in": every request, response and error row.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, MARY, TestApp, eric, md5, scenario, scenario_with, wrong,
};

const SEND: &str = "/v1/user/sendChangePasswordMessage";
const CHANGE: &str = "/v1/user/changePasswordByMessage";
const NEW: &str = "second-password";

#[track_caller]
fn assert_refused_in_session(answer: &Answer, code: &str, message: &str) {
    answer.assert_a_with_token(400, code, message);
}

/// Asserts that eric's password is this one, and not that.
async fn assert_password_is(app: &TestApp, right: &str, wrong: &str) {
    let answer = app.log_in_with_password("eric", right).await;
    answer.assert_ok_with_token(&eric());
    let answer = app.log_in_with_password("eric", wrong).await;
    answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
}

#[tokio::test]
async fn the_documents_two_requests_change_the_password() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str())];
        let sent = app.post_raw(SEND, &headers, "{\n\t\n}").await;
        let ticket = sent.result().to_owned();
        assert!(!ticket.is_empty());
        sent.assert_ok_with_token(&json!(ticket));

        let code = app.last_code(ERIC);
        let body = format!(
            "{{\n\t\"phoneInfo\":\"{ticket}\",\n        \"code\":\"{code}\",\n\t\"newPassword\":\"026129\"\n}}"
        );
        app.learn_password("026129");
        let answer = app.post_raw(CHANGE, &headers, body).await;
        let fresh = answer.assert_ok_with_token(&json!(true));
        app.info(&fresh).await.assert_ok_with_token(&eric());
        assert_password_is(app, "026129", ERIC_PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn the_text_goes_to_the_accounts_phone_and_says_that_the_code_changes_the_password() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        // Whatever the body says of phones.
        let sent = app
            .post_in_session(
                SEND,
                &token,
                json!({"phone": MARY, "time": 1_532_526_039_883_u64}),
            )
            .await;
        sent.assert_ok_with_token(&json!(sent.result()));
        let code = app.last_code(ERIC);
        let text = format!("【Latchkey】修改密码验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC), [text]);
        assert!(app.texts(MARY).is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_time_may_be_anything() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for time in [json!(null), json!(""), json!("x"), json!(-1.5), json!([])] {
            let sent = app
                .post_in_session(SEND, &token, json!({"time": time}))
                .await;
            sent.assert_ok_with_token(&json!(sent.result()));
            app.wait(3600);
        }
    })
    .await;
}

#[tokio::test]
async fn the_request_may_be_a_form_and_the_code_a_number() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("token", token.as_str()),
        ];
        let sent = app.post_raw(SEND, &headers, "time=1532526039883").await;
        sent.assert_ok_with_token(&json!(sent.result()));
        let (ticket, code) = (sent.result(), app.last_code(ERIC));
        let form = format!(
            "phoneInfo={ticket}&code={}-{}&newPassword={NEW}&oldPassword={ERIC_PASSWORD}",
            &code[..3],
            &code[3..]
        );
        app.learn_password(NEW);
        let answer = app.post_raw(CHANGE, &headers, form).await;
        let token = answer.assert_ok_with_token(&json!(true));

        app.wait(120);
        let (ticket, code) = app.change_password_code(&token).await;
        let number: u32 = code.parse().unwrap();
        app.learn("75319024");
        let body = json!({
            "phoneInfo": format!(" {ticket}\n"), "code": number, "newPassword": 75_319_024
        });
        let answer = app.post_in_session(CHANGE, &token, body).await;
        answer.assert_ok_with_token(&json!(true));
        assert_password_is(app, "75319024", NEW).await;
    })
    .await;
}

#[tokio::test]
async fn the_new_password_logs_in_in_every_form_whichever_was_sent() {
    scenario(async |app| {
        let mut token = app.session_of_eric().await;
        let upper = md5("third-password").to_uppercase();
        app.learn(&upper);
        for (sent, plain) in [
            (NEW, NEW),
            (&md5("anna-password"), "anna-password"),
            (&upper, "third-password"),
        ] {
            let (ticket, code) = app.change_password_code(&token).await;
            let answer = app.change_password(&token, &ticket, &code, sent).await;
            token = answer.assert_ok_with_token(&json!(true));
            for form in [plain, &md5(plain)] {
                let answer = app.log_in_with_password("eric", form).await;
                answer.assert_ok_with_token(&eric());
            }
            app.wait(3600);
        }
    })
    .await;
}

#[tokio::test]
async fn every_session_ends_with_the_change_but_the_one_that_made_it() {
    scenario(async |app| {
        let elsewhere = [
            app.session_of_eric().await,
            app.session_of(ERIC, &md5(ERIC_PASSWORD)).await,
        ];
        app.wait(2);
        let here = app.session_of_eric().await;
        let change = app.change_password_code(&here).await;
        let answer = app.change_password(&here, &change.0, &change.1, NEW).await;
        let goes_on = answer.assert_ok_with_token(&json!(true));
        for ended in elsewhere.iter().chain([&here]) {
            for path in ["/v1/user/info", SEND, CHANGE] {
                let answer = app.post_in_session(path, ended, json!({})).await;
                answer.assert_invalid_token();
            }
        }
        let goes_on = app.info(&goes_on).await.assert_ok_with_token(&eric());
        app.info(&goes_on).await.assert_ok_with_token(&eric());
        // So do sessions that begin later, until the next change.
        let later = app.session_of("eric", NEW).await;
        app.info(&later).await.assert_ok_with_token(&eric());
        // Nobody else is concerned.
        let (ticket, code) = app.login_code(MARY).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn send_invalid_token() {
    scenario(async |app| {
        app.post(SEND, json!({})).await.assert_invalid_token();
        let answer = app.send_change_password_code("x").await;
        answer.assert_invalid_token();
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_too_frequently_for_120_seconds_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        app.wait(30);
        let refused = app.send_change_password_code(&token).await;
        assert_refused_in_session(
            &refused,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        );
        assert!(
            matches!(refused.retry_after(), Some(88..=90)),
            "{refused:?}"
        );
        app.wait(refused.retry_after().unwrap());
        let (second_ticket, second_code) = app.change_password_code(&token).await;
        assert_eq!(code, second_code);
        // Both tickets name the one challenge; it can be spent once.
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        let token = answer.assert_ok_with_token(&json!(true));
        let answer = app
            .change_password(&token, &second_ticket, &code, "third-password")
            .await;
        assert_refused_in_session(&answer, "{CODE}_NOT_VALID", "Code not valid");
        assert_password_is(app, NEW, "third-password").await;
    })
    .await;
}

#[tokio::test]
async fn the_limits_of_a_phone_are_shared_by_all_purposes() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        app.login_code(ERIC).await;
        app.reset_code(ERIC).await;
        app.change_password_code(&token).await;
        app.wait(120);
        app.login_code(ERIC).await;
        app.change_password_code(&token).await;
        app.wait(120);
        let refused = app.send_change_password_code(&token).await;
        assert_refused_in_session(
            &refused,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        );
        assert!(
            matches!(refused.retry_after(), Some(3355..=3360)),
            "{refused:?}"
        );
        assert_eq!(app.texts(ERIC).len(), 5);
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
            // Who is not logged in learns nothing of it.
            app.post(SEND, json!({})).await.assert_invalid_token();
            let token = app.session_of_eric().await;
            let answer = app.send_change_password_code(&token).await;
            let message = "Cannot send message, try again later.";
            answer.assert_a_with_token(500, "SEND_MESSAGE_ERROR", message);
            assert!(app.code_item("change-password#5").await.is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn send_phone_required_when_the_account_has_none() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        app.operator_removes(5, "phone").await;
        let answer = app.send_change_password_code(&token).await;
        assert_refused_in_session(&answer, "{PHONE}_REQUIRED", "Phone required");
    })
    .await;
}

#[tokio::test]
async fn new_password_then_code_then_phone_info_are_required() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for body in [
            json!({}),
            json!({"newPassword": null}),
            json!({"newPassword": "", "code": "123454", "phoneInfo": "x"}),
            json!({"newPassword": " \t\n\u{3000}  ", "code": "123454", "phoneInfo": "x"}),
            json!({"oldPassword": ERIC_PASSWORD}),
        ] {
            let answer = app.post_in_session(CHANGE, &token, body).await;
            assert_refused_in_session(&answer, "{NEW_PASSWORD}_REQUIRED", "New password required");
        }
        for body in [
            json!({"newPassword": NEW}),
            json!({"newPassword": NEW, "code": null, "phoneInfo": "x"}),
            json!({"newPassword": NEW, "code": " ", "phoneInfo": "x"}),
        ] {
            let answer = app.post_in_session(CHANGE, &token, body).await;
            assert_refused_in_session(&answer, "{CODE}_REQUIRED", "Code required");
        }
        for body in [
            json!({"newPassword": NEW, "code": "123454"}),
            json!({"newPassword": NEW, "code": 123_454, "phoneInfo": ""}),
            json!({"newPassword": NEW, "code": "x", "phoneInfo": null, "oldPassword": "x"}),
        ] {
            let answer = app.post_in_session(CHANGE, &token, body).await;
            assert_refused_in_session(&answer, "{PHONE_INFO}_REQUIRED", "Phone info required");
        }
    })
    .await;
}

#[tokio::test]
async fn new_password_not_valid_costs_no_try() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        for new in [
            json!("12345"),
            json!("x".repeat(65)),
            json!("密码密码密"),
            json!(12345),
            json!([NEW]),
            json!({"plain": NEW}),
            json!(false),
        ] {
            for code in [code.as_str(), "123454"] {
                let body = json!({"phoneInfo": ticket, "code": code, "newPassword": new});
                let answer = app.post_in_session(CHANGE, &token, body).await;
                assert_refused_in_session(
                    &answer,
                    "{NEW_PASSWORD}_NOT_VALID",
                    "New password not valid",
                );
            }
        }
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn old_password_is_optional_and_if_it_is_wrong_the_code_stays_usable() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let change = app.change_password_code(&token).await;
        let (ticket, code) = &change;
        for old in [
            "wrong-password",
            &md5("wrong-password"),
            "ERIC-PASSWORD",
            "x",
            &"x".repeat(65),
        ] {
            let answer = app.change_password_from(old, &token, &change, NEW).await;
            assert_refused_in_session(
                &answer,
                "{OLD_PASSWORD}_NOT_VALID",
                "Old password not valid",
            );
        }
        for old in [json!([ERIC_PASSWORD]), json!(true), json!(12345)] {
            let body = json!({
                "phoneInfo": ticket, "code": code, "newPassword": NEW, "oldPassword": old
            });
            let answer = app.post_in_session(CHANGE, &token, body).await;
            assert_refused_in_session(
                &answer,
                "{OLD_PASSWORD}_NOT_VALID",
                "Old password not valid",
            );
        }
        assert_password_is(app, ERIC_PASSWORD, NEW).await;
        let answer = app
            .change_password_from(ERIC_PASSWORD, &token, &change, NEW)
            .await;
        let token = answer.assert_ok_with_token(&json!(true));
        // In either form; and blank is as good as absent.
        app.wait(120);
        let change = app.change_password_code(&token).await;
        let answer = app
            .change_password_from(&md5(NEW), &token, &change, "third-password")
            .await;
        let token = answer.assert_ok_with_token(&json!(true));
        app.wait(120);
        let (ticket, code) = app.change_password_code(&token).await;
        let body = json!({
            "phoneInfo": ticket, "code": code, "newPassword": NEW, "oldPassword": " "
        });
        let answer = app.post_in_session(CHANGE, &token, body).await;
        answer.assert_ok_with_token(&json!(true));
        assert_password_is(app, NEW, "third-password").await;
    })
    .await;
}

#[tokio::test]
async fn guesses_at_the_old_password_count_as_those_at_the_login_do() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let mut change = app.change_password_code(&token).await;
        for n in 0..10 {
            let answer = match n % 2 {
                0 => {
                    app.change_password_from("wrong-password", &token, &change, NEW)
                        .await
                }
                _ => app.log_in_with_password("eric", "wrong-password").await,
            };
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        let refused = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        refused.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        assert!(refused.retry_after().is_some());
        let answer = app
            .change_password_from(ERIC_PASSWORD, &token, &change, NEW)
            .await;
        assert_refused_in_session(
            &answer,
            "{OLD_PASSWORD}_NOT_VALID",
            "Old password not valid",
        );
        // Who has a session and the code needs no old password.
        app.wait(120);
        change = app.change_password_code(&token).await;
        let answer = app.change_password(&token, &change.0, &change.1, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn phone_info_not_valid() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        app.create_user_with(7, "anna", ANNA, Some("anna-password"))
            .await;
        let annas = app.session_of("anna", "anna-password").await;
        let sent = app.send_change_password_code(&annas).await;
        let parts: Vec<&str> = ticket.split('.').collect();
        let anna_parts: Vec<&str> = sent.result().split('.').collect();
        for phone_info in [
            // The sample of the document: somebody else's.
            json!("T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NakEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uN2JjYWZkYjA1ZGEzNzM0ZTAxYWMzODVkNjFlYzRjMWE."),
            json!("x"),
            json!(5),
            json!([ticket]),
            json!(ticket[..ticket.len() - 1]),
            json!(ticket.to_lowercase()),
            json!(format!("{}.{}.{}", parts[0], anna_parts[1], parts[2])),
            // Valid, but anna's.
            json!(sent.result()),
            json!(token),
        ] {
            let body = json!({"phoneInfo": phone_info, "code": code, "newPassword": NEW});
            let answer = app.post_in_session(CHANGE, &token, body).await;
            assert_refused_in_session(
                &answer,
                "{PHONE_INFO}_NOT_VALID",
                "Phone info not valid",
            );
        }
        // Nor can anna use eric's.
        let answer = app.change_password(&annas, &ticket, &code, NEW).await;
        assert_refused_in_session(&answer, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn code_not_valid_when_it_is_wrong_spent_expired_or_its_tries_are_used_up() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let refused = async |token: &str, ticket: &str, code: &str| {
            let answer = app.change_password(token, ticket, code, NEW).await;
            assert_refused_in_session(&answer, "{CODE}_NOT_VALID", "Code not valid");
            assert_eq!(answer.retry_after(), None);
        };
        let (ticket, code) = app.change_password_code(&token).await;
        refused(&token, &ticket, "abc").await;
        for n in 0..4 {
            refused(&token, &ticket, &wrong(&code, n)).await;
        }
        refused(&token, &ticket, &code).await;
        app.wait(120);
        let (ticket, code) = app.change_password_code(&token).await;
        app.wait(300);
        refused(&token, &ticket, &code).await;
        // Not even the ticket lives on.
        app.wait(300);
        refused(&token, &ticket, &code).await;
        let (ticket, code) = app.change_password_code(&token).await;
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        let token = answer.assert_ok_with_token(&json!(true));
        refused(&token, &ticket, &code).await;
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_codes_a_day_then_the_wait_is_told() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let mut last = (String::new(), String::new());
        for _ in 0..2 {
            last = app.change_password_code(&token).await;
            for n in 0..5 {
                let guess = wrong(&last.1, n);
                let answer = app.change_password(&token, &last.0, &guess, NEW).await;
                assert_refused_in_session(&answer, "{CODE}_NOT_VALID", "Code not valid");
            }
            app.wait(120);
        }
        let answer = app.change_password(&token, &last.0, &last.1, NEW).await;
        assert_refused_in_session(&answer, "{CODE}_NOT_VALID", "Code not valid");
        assert!(
            matches!(answer.retry_after(), Some(86_150..=86_160)),
            "{answer:?}"
        );
        let answer = app.send_change_password_code(&token).await;
        assert_refused_in_session(
            &answer,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        );
        // Codes for other purposes are counted by themselves.
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn user_phone_not_match_when_it_has_changed_since_the_send() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        app.operator_sets(5, "phone", AttributeValue::S(ANNA.into()))
            .await;
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        assert_refused_in_session(&answer, "USER_PHONE_NOT_MATCH", "User phone not match.");
        app.operator_removes(5, "phone").await;
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        assert_refused_in_session(&answer, "{PHONE}_REQUIRED", "Phone required");
        // It was the account's fault, not the code's.
        app.operator_sets(5, "phone", AttributeValue::S(ERIC.into()))
            .await;
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn a_resend_to_another_phone_is_another_code() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (old_ticket, old_code) = app.change_password_code(&token).await;
        app.operator_sets(5, "phone", AttributeValue::S(ANNA.into()))
            .await;
        app.wait(120);
        let sent = app.send_change_password_code(&token).await;
        sent.assert_ok_with_token(&json!(sent.result()));
        let code = app.last_code(ANNA);
        assert_ne!(code, old_code);
        let answer = app
            .change_password(&token, &old_ticket, &old_code, NEW)
            .await;
        assert_refused_in_session(&answer, "{CODE}_NOT_VALID", "Code not valid");
        let answer = app.change_password(&token, sent.result(), &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_password_gets_one_but_has_no_old_one() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(MARY).await;
        let token = app.log_in(&ticket, &code).await.token().to_owned();
        let sent = app.send_change_password_code(&token).await;
        let change = (sent.result().to_owned(), app.last_code(MARY));
        let answer = app
            .change_password_from("any-password", &token, &change, NEW)
            .await;
        assert_refused_in_session(
            &answer,
            "{OLD_PASSWORD}_NOT_VALID",
            "Old password not valid",
        );
        let answer = app.change_password(&token, &change.0, &change.1, NEW).await;
        answer.assert_ok_with_token(&json!(true));
        let answer = app.log_in_with_password("mary", NEW).await;
        assert_eq!(answer.body["result"]["uuid"], 6);
    })
    .await;
}
