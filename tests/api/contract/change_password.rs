//! Seed 001, "change the password by SMS, logged in": every request, response and error row.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, MARY, TestApp, eric, mary, md5,
    message::{
        CODE_NOT_VALID, LOGIN_FAILED, OLD_PASSWORD_NOT_VALID, PHONE_INFO_NOT_VALID, PHONE_MISMATCH,
        PHONE_REQUIRED, TOO_FREQUENT,
    },
    pair::NEW,
    scenario, wrong,
};

const SEND: &str = "/v1/user/sendChangePasswordMessage";
const CHANGE: &str = "/v1/user/changePasswordByMessage";

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
        app.assert_password_of_eric("026129", ERIC_PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn the_text_goes_to_the_accounts_phone_and_says_that_the_code_changes_the_password() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        // A phone in the body is ignored.
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
        app.assert_password_of_eric("75319024", NEW).await;
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
        // Sessions that begin later are valid too, until the next change.
        let later = app.session_of("eric", NEW).await;
        app.info(&later).await.assert_ok_with_token(&eric());
        // Other accounts keep their sessions.
        let (ticket, code) = app.login_code(MARY).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&mary());
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
async fn the_limits_of_a_phone_are_shared_by_all_purposes() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        // The token shows that all are of one client.
        let send = async |path: &str| {
            let body = json!({ "phone": ERIC });
            let sent = app.post_in_session(path, &token, body).await;
            sent.assert_ok(&json!(sent.result()));
        };
        send("/v1/user/sendLoginMessage").await;
        send("/v1/user/sendChangePasswordMessage2").await;
        app.change_password_code(&token).await;
        app.wait(120);
        send("/v1/user/sendLoginMessage").await;
        app.change_password_code(&token).await;
        app.wait(120);
        let refused = app.send_change_password_code(&token).await;
        refused.assert_refused_in_session(TOO_FREQUENT);
        assert!(
            matches!(refused.retry_after(), Some(3355..=3360)),
            "{refused:?}"
        );
        assert_eq!(app.texts(ERIC).len(), 5);
    })
    .await;
}

#[tokio::test]
async fn send_phone_required_when_the_account_has_none() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        app.operator_removes(5, "phone").await;
        let answer = app.send_change_password_code(&token).await;
        answer.assert_refused_in_session(PHONE_REQUIRED);
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
            answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        }
        for old in [json!([ERIC_PASSWORD]), json!(true), json!(12345)] {
            let body = json!({
                "phoneInfo": ticket, "code": code, "newPassword": NEW, "oldPassword": old
            });
            let answer = app.post_in_session(CHANGE, &token, body).await;
            answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        }
        app.assert_password_of_eric(ERIC_PASSWORD, NEW).await;
        let answer = app
            .change_password_from(ERIC_PASSWORD, &token, &change, NEW)
            .await;
        let token = answer.assert_ok_with_token(&json!(true));
        // In either form; and a blank one counts as missing.
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
        app.assert_password_of_eric(NEW, "third-password").await;
    })
    .await;
}

async fn log_in(app: &TestApp, token: &str, password: &str) -> Answer {
    app.learn_password(password);
    let body = json!({"value": "eric", "password": password});
    app.post_in_session("/v1/user/login", token, body).await
}

#[tokio::test]
async fn guesses_at_the_old_password_count_as_those_at_the_login_do() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let mut change = app.change_password_code(&token).await;
        for n in 0..10 {
            if n % 2 == 0 {
                let answer = app
                    .change_password_from("wrong-password", &token, &change, NEW)
                    .await;
                answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
            } else {
                // At the login, the token shows that it is the session's owner.
                let answer = log_in(app, &token, "wrong-password").await;
                answer.assert_refused(LOGIN_FAILED);
            }
        }
        let refused = log_in(app, &token, ERIC_PASSWORD).await;
        refused.assert_refused(LOGIN_FAILED);
        assert!(refused.retry_after().is_some());
        let answer = app
            .change_password_from(ERIC_PASSWORD, &token, &change, NEW)
            .await;
        answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        // With a session and the code, no old password is needed.
        app.wait(120);
        change = app.change_password_code(&token).await;
        let answer = app.change_password(&token, &change.0, &change.1, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_codes_a_day_then_the_answer_has_the_wait() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let mut last = (String::new(), String::new());
        for _ in 0..2 {
            last = app.change_password_code(&token).await;
            for n in 0..5 {
                let guess = wrong(&last.1, n);
                let answer = app.change_password(&token, &last.0, &guess, NEW).await;
                answer.assert_refused_in_session(CODE_NOT_VALID);
            }
            app.wait(120);
        }
        let answer = app.change_password(&token, &last.0, &last.1, NEW).await;
        answer.assert_refused_in_session(CODE_NOT_VALID);
        assert!(
            matches!(answer.retry_after(), Some(86_150..=86_160)),
            "{answer:?}"
        );
        let answer = app.send_change_password_code(&token).await;
        answer.assert_refused_in_session(TOO_FREQUENT);
        // Codes for other purposes are counted by themselves.
        let (ticket, code) = app.login_code(ERIC).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&eric());
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
        answer.assert_refused_in_session(PHONE_MISMATCH);
        app.operator_removes(5, "phone").await;
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_refused_in_session(PHONE_REQUIRED);
        // The refusals were about the account, so the code is still valid.
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
        answer.assert_refused_in_session(CODE_NOT_VALID);
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
        answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        let answer = app.change_password(&token, &change.0, &change.1, NEW).await;
        answer.assert_ok_with_token(&json!(true));
        let answer = app.log_in_with_password("mary", NEW).await;
        answer.assert_ok_with_token(&mary());
    })
    .await;
}

#[tokio::test]
async fn phone_info_not_valid_in_another_accounts_session() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        app.create_user_with(7, "anna", ANNA, Some("anna-password"))
            .await;
        let annas = app.session_of("anna", "anna-password").await;
        let sent = app.send_change_password_code(&annas).await;
        let hers = app.last_code(ANNA);
        for code in [&code, &hers] {
            let answer = app.change_password(&token, sent.result(), code, NEW).await;
            answer.assert_refused_in_session(PHONE_INFO_NOT_VALID);
        }
        let answer = app.change_password(&annas, &ticket, &code, NEW).await;
        answer.assert_refused_in_session(PHONE_INFO_NOT_VALID);
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}
