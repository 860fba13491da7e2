//! Seed 000, "change the password by SMS, not logged in": every request, response and error row, and
//! its misspellings. No answer carries a token.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ERIC, MARY, account, eric, mary, md5,
    message::{CODE_NOT_VALID, LOGIN_FAILED, USER_NOT_FOUND},
    pair::NEW,
    scenario,
};

const SEND: &str = "/v1/user/sendChangePasswordMessage2";
const CHANGE: &str = "/v1/user/changePasswordByMessage2";
/// The phone of the document's sample.
const SAMPLE: &str = "13732140413";

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
        answer.assert_ok_with_token(&account(7, "sample", SAMPLE));
        let answer = app.log_in_with_password(SAMPLE, "forgotten-password").await;
        answer.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn send_user_not_found_or_disabled() {
    scenario(async |app| {
        let answer = app.send_reset_code(SAMPLE).await;
        answer.assert_refused(USER_NOT_FOUND);
        app.operator_sets(6, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.send_reset_code(MARY).await;
        answer.assert_refused(LOGIN_FAILED);
        app.operator_deletes(5).await;
        let answer = app.send_reset_code(ERIC).await;
        answer.assert_refused(USER_NOT_FOUND);
        assert!(app.inbox().messages().is_empty());
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
        app.assert_password_of_eric("third-password", NEW).await;
        // It needs no old password and ignores one.
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
async fn an_account_without_a_password_gets_one() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(MARY).await;
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
        let answer = app.log_in_with_password("mary", NEW).await;
        answer.assert_ok_with_token(&mary());
    })
    .await;
}

#[tokio::test]
async fn code_not_valid_when_it_is_another_accounts() {
    scenario(async |app| {
        let (ticket, code) = app.reset_code(ERIC).await;
        let (_, marys) = app.reset_code(MARY).await;
        let guess = if marys == code { "x" } else { &marys };
        let answer = app.reset_password(&ticket, guess, NEW).await;
        answer.assert_refused(CODE_NOT_VALID);
        let answer = app.reset_password(&ticket, &code, NEW).await;
        answer.assert_ok(&json!(true));
    })
    .await;
}
