//! Changing the password by the old one, dialect A; no document has it. Answers and errors are those of
//! seed 001.

use serde_json::json;

use crate::support::{
    ANNA, DAY, ERIC, ERIC_PASSWORD, account, eric, md5, message,
    message::{
        LOGIN_FAILED, NEW_PASSWORD_NOT_VALID, OLD_PASSWORD_NOT_VALID, OLD_PASSWORD_REQUIRED,
    },
    scenario,
    systems::DEAD_TOKEN,
};

const CHANGE: &str = "/v1/user/changePassword";
const NEW: &str = "second-password";

#[tokio::test]
async fn the_old_password_sets_a_new_one_and_ends_other_sessions_and_reset_tokens() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let other = app.session_of_eric().await;
        let reset_token = app.reset_token("eric", ERIC).await;
        app.wait(3);
        let answer = app.change_known_password(&token, ERIC_PASSWORD, NEW).await;
        let fresh = answer.assert_ok_with_token(&json!(true));
        app.info(&fresh).await.assert_ok_with_token(&eric());
        for dead in [&token, &other] {
            app.info(dead).await.assert_invalid_token();
        }
        // A reset token was to replace the old password.
        let refused = app.change_passwd("eric", &reset_token, "Wachtwoord2").await;
        refused.assert_b(DEAD_TOKEN.0, DEAD_TOKEN.1);
        app.assert_password_of_eric(NEW, ERIC_PASSWORD).await;
        // With a capital, and as MD5.
        let body = json!({"OldPassword": md5(NEW), "newPassword": md5(ERIC_PASSWORD)});
        let answer = app.post_in_session(CHANGE, &fresh, body).await;
        answer.assert_ok_with_token(&json!(true));
        app.assert_password_of_eric(ERIC_PASSWORD, NEW).await;
    })
    .await;
}

#[tokio::test]
async fn both_passwords_are_required_and_valid_the_old_one_first() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let old = ERIC_PASSWORD;
        app.learn_password(NEW);
        for (refusal, bodies) in [
            (
                OLD_PASSWORD_REQUIRED,
                vec![
                    json!({}),
                    json!({"newPassword": NEW}),
                    json!({"oldPassword": "", "OldPassword": null, "newPassword": "x"}),
                ],
            ),
            (
                OLD_PASSWORD_NOT_VALID,
                vec![
                    json!({"oldPassword": "short"}),
                    json!({"oldPassword": ["x"], "newPassword": NEW}),
                    json!({"oldPassword": "not-the-password", "newPassword": NEW}),
                ],
            ),
            (
                message::NEW_PASSWORD_REQUIRED,
                vec![
                    json!({"oldPassword": old}),
                    json!({"oldPassword": "not-the-password", "newPassword": " "}),
                ],
            ),
            (
                NEW_PASSWORD_NOT_VALID,
                vec![
                    json!({"oldPassword": old, "newPassword": "short"}),
                    json!({"oldPassword": old, "newPassword": "x".repeat(65)}),
                ],
            ),
        ] {
            for body in bodies {
                let answer = app.post_in_session(CHANGE, &token, body).await;
                answer.assert_refused_in_session(refusal);
            }
        }
        app.post(CHANGE, json!({"oldPassword": old, "newPassword": NEW}))
            .await
            .assert_invalid_token();
        app.assert_password_of_eric(ERIC_PASSWORD, NEW).await;
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_old_passwords_a_day_are_checked_and_the_login_stays_open() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for _ in 0..10 {
            let answer = app
                .change_known_password(&token, "wrong-password", NEW)
                .await;
            answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        }
        let answer = app.change_known_password(&token, ERIC_PASSWORD, NEW).await;
        answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        app.assert_password_of_eric(ERIC_PASSWORD, NEW).await;
        app.wait(DAY);
        let answer = app.change_known_password(&token, ERIC_PASSWORD, NEW).await;
        answer.assert_ok_with_token(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_password_sets_one_by_sms() {
    scenario(async |app| {
        app.create_user(7, "anna", ANNA).await;
        let (ticket, code) = app.login_code(ANNA).await;
        let token = app.log_in(&ticket, &code).await.token().to_owned();
        let answer = app.change_known_password(&token, "any-password", NEW).await;
        answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        let sent = app.send_change_password_code(&token).await;
        let (ticket, code) = (sent.result().to_owned(), app.last_code(ANNA));
        let answer = app.change_password(&token, &ticket, &code, NEW).await;
        answer.assert_ok_with_token(&json!(true));
        let answer = app.log_in_with_password("anna", "any-password").await;
        answer.assert_refused(LOGIN_FAILED);
        let answer = app.log_in_with_password("anna", NEW).await;
        answer.assert_ok_with_token(&account(7, "anna", ANNA));
    })
    .await;
}
