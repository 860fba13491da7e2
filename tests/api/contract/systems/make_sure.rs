//! `POST /Systems/makeSureVerificationCode`.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    DAY, ERIC, MARY, scenario,
    systems::{DEAD_CODE, DISABLED, EMPTY, MAKE_SURE, TOO_OFTEN, WRONG_CODE, all_get, calls_of},
    wrong,
};

#[tokio::test]
async fn make_sure_without_username_or_code() {
    scenario(async |app| {
        let bodies = vec![
            json!({}),
            json!({"username": "eric"}),
            json!({"verification_code": "123456"}),
            json!({"username": null, "verification_code": "123456"}),
            json!({"username": " ", "verification_code": "123456"}),
            json!({"username": "eric", "verification_code": null}),
            json!({"username": "eric", "verification_code": ""}),
            json!({"username": "eric", "verification_code": "\t"}),
            json!({"username": "eric", "code": "123456"}),
            json!({"username": "eric", "verification_code": "abc"}),
            json!({"username": "eric", "verification_code": "验证码"}),
        ];
        all_get(app, MAKE_SURE, EMPTY, bodies).await;
        let (msg, info) = EMPTY;
        let answer = app.post_form(MAKE_SURE, "username=eric").await;
        answer.assert_b(msg, info);
        assert_eq!(calls_of(app, "make-sure-verification-code"), 0);
    })
    .await;
}

#[tokio::test]
async fn make_sure_of_a_wrong_code_then_of_the_right_one_in_every_form() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let (msg, info) = WRONG_CODE;
        let longer = format!("{code}0");
        let guesses = [
            json!(wrong(&code, 0)),
            json!(longer),
            json!("abc1"),
            json!([code]),
        ];
        for guess in guesses {
            let body = json!({"username": "eric", "verification_code": guess});
            app.post(MAKE_SURE, body).await.assert_b(msg, info);
        }
        // The right one is still valid.
        let taken = app.make_sure("eric", &code).await;
        taken.assert_b_ok(&app.learn_reset_token(&taken).unwrap());
        for round in 0..3 {
            app.wait(60);
            let code = app.verification_code("eric", ERIC).await;
            let (username, guess) = match round {
                // A JSON number has lost its leading zeros.
                0 => ("eric", json!(code.parse::<u32>().unwrap())),
                1 => ("eric", json!(format!(" {} {} ", &code[..3], &code[3..]))),
                _ => (" ERIC ", json!(code)),
            };
            let body = json!({"username": username, "verification_code": guess});
            let answer = app.post(MAKE_SURE, body).await;
            let token = app.learn_reset_token(&answer).unwrap_or_default();
            answer.assert_b_ok(&token);
        }
    })
    .await;
}

#[tokio::test]
async fn make_sure_of_a_dead_code() {
    scenario(async |app| {
        let (msg, info) = DEAD_CODE;
        let dead = async |username: &str, code: &str| {
            app.make_sure(username, code).await.assert_b(msg, info);
        };
        // No code was sent; the user is unknown, or the string is not a valid name.
        dead("eric", "123456").await;
        dead("nobody", "123456").await;
        dead(&"e".repeat(65), "123456").await;
        let body = json!({"username": ["eric"], "verification_code": "123456"});
        app.post(MAKE_SURE, body).await.assert_b(msg, info);
        // Another user's.
        let code = app.verification_code("eric", ERIC).await;
        dead("mary", &code).await;
        dead("nobody", &code).await;
        // Spent.
        app.make_sure("eric", &code).await;
        dead("eric", &code).await;
        // Expired after five minutes, to the second.
        app.wait(60);
        let code = app.verification_code("eric", ERIC).await;
        app.wait(300);
        dead("eric", &code).await;
        // Five wrong tries, then not even the right one.
        let code = app.verification_code("eric", ERIC).await;
        for n in 0..5 {
            let answer = app.make_sure("eric", &wrong(&code, n)).await;
            answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
        }
        dead("eric", &code).await;
        dead("eric", &wrong(&code, 0)).await;
        // The next send's code works again.
        app.wait(60);
        app.reset_token("eric", ERIC).await;
        // The account has gone since.
        app.wait(3600);
        let code = app.verification_code("eric", ERIC).await;
        app.operator_deletes(5).await;
        dead("eric", &code).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_lives_five_minutes_from_its_last_send() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        app.wait(200);
        assert_eq!(app.verification_code("eric", ERIC).await, code);
        app.wait(298);
        let taken = app.make_sure("eric", &code).await;
        taken.assert_b_ok(&app.learn_reset_token(&taken).unwrap());
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_codes_a_day_then_neither_codes_nor_messages_until_it_passes() {
    scenario(async |app| {
        for _ in 0..2 {
            let code = app.verification_code("eric", ERIC).await;
            for n in 0..5 {
                let answer = app.make_sure("eric", &wrong(&code, n)).await;
                answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
            }
            app.wait(60);
        }
        let (msg, info) = TOO_OFTEN;
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(msg, info, DAY - 125..=DAY - 115);
        let (msg, info) = DEAD_CODE;
        let dead = app.make_sure("eric", "123456").await;
        dead.assert_b_for_now(msg, info, DAY - 125..=DAY - 115);
        // The account is not locked: its password opens, and whoever has a token of it gets codes. Other
        // strangers do not, and other users do.
        let session = app.session_of_eric().await;
        app.send_login_code(ERIC).await.assert_too_frequent();
        let path = "/v1/user/sendLoginMessage";
        let sent = app.post_in_session(path, &session, json!({"phone": ERIC}));
        assert_eq!(sent.await.status, 200);
        app.reset_token("mary", MARY).await;
        app.wait(refused.retry_after().unwrap());
        app.reset_token("eric", ERIC).await;
    })
    .await;
}

#[tokio::test]
async fn only_the_right_code_learns_that_an_account_is_disabled_and_it_stays_usable() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("2".into()))
            .await;
        let answer = app.make_sure("eric", &wrong(&code, 0)).await;
        answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
        let answer = app.make_sure("eric", &code).await;
        answer.assert_b(DISABLED.0, DISABLED.1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let taken = app.make_sure("eric", &code).await;
        taken.assert_b_ok(&app.learn_reset_token(&taken).unwrap());
    })
    .await;
}
