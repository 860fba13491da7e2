//! The code: wrong, expired, sent for something else.

use serde_json::json;

use crate::support::{
    ERIC, MARY,
    mobile::{FREE, OTHER, phone_of},
    scenario, scenario_with, wrong,
};

#[tokio::test]
async fn verify_code_error() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        for guess in [wrong(&code, 0), wrong(&code, 1), "验1".into(), "1".into()] {
            let answer = app.change_phone(&session, FREE, &guess).await;
            answer.assert_c(400_190, "verify code error");
        }
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}

#[tokio::test]
async fn verify_code_expired() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let zoe = app.session_of_zoe().await;
        let expired = async |session: &str, mobile: &str, code: &str| {
            let answer = app.change_phone(session, mobile, code).await;
            answer.assert_c(400_191, "verify code expired");
        };
        // None was ever sent.
        expired(&session, FREE, "123456").await;
        // For another number, and another account's.
        let code = app.phone_change_code(&session, FREE).await;
        expired(&session, OTHER, &code).await;
        expired(&zoe, FREE, &code).await;
        // Five wrong tries, then not even the right one.
        for n in 0..5 {
            let answer = app.change_phone(&session, FREE, &wrong(&code, n)).await;
            answer.assert_c(400_190, "verify code error");
        }
        expired(&session, FREE, &code).await;
        // Five minutes, to the second.
        app.wait(60);
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(300);
        expired(&session, FREE, &code).await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(298);
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
        // Spent.
        expired(&session, FREE, &code).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_sent_by_another_dialect_moves_no_account() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let recovery = app.verification_code("mary", MARY).await;
        let (_, login) = app.login_code(MARY).await;
        for code in [recovery, login] {
            let answer = app.change_phone(&session, MARY, &code).await;
            answer.assert_c(400_191, "verify code expired");
        }
        let code = app.phone_change_code(&session, FREE).await;
        let answer = app.make_sure("eric", &code).await;
        answer.assert_b(8014, "验证码已过期");
    })
    .await;
}

#[tokio::test]
async fn how_long_a_code_is_valid_is_configured() {
    for (seconds, minutes) in [("60", 1), ("600", 10)] {
        let environment = [("PHONE_CHANGE_CODE_SECONDS", seconds)];
        scenario_with(&environment, async |app| {
            let session = app.session_of_eric().await;
            let code = app.phone_change_code(&session, FREE).await;
            let text =
                format!("【Latchkey】更换手机号验证码{code}，{minutes}分钟内有效，请勿告诉他人");
            assert_eq!(app.texts(FREE), [text]);
            app.wait(minutes * 60);
            let answer = app.change_phone(&session, FREE, &code).await;
            answer.assert_c(400_191, "verify code expired");
            let code = app.phone_change_code(&session, FREE).await;
            app.wait(minutes * 60 - 2);
            let moved = app.change_phone(&session, FREE, &code).await;
            moved.assert_c_success();
            // It is configured for this dialect alone.
            let code = app.verification_code("mary", MARY).await;
            app.wait(298);
            let taken = app.make_sure("mary", &code).await;
            taken.assert_b_ok(&app.learn_reset_token(&taken).unwrap());
        })
        .await;
    }
}
