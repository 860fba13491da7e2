//! `POST /v1/user/mobile`: what moving an account does.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    ERIC, MARY, digits_of,
    fault::{Fault, sns_error},
    mobile::{FREE, MOBILE, OTHER, VERIFY_CODE, phone_of},
    scenario, scenario_with, wrong,
};

#[tokio::test]
async fn mobile_already_in_use() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        // Another account's, and the account's own.
        for taken in [MARY, ERIC] {
            let answer = app.send_phone_change_code(&session, taken).await;
            answer.assert_c(400_199, "mobile already in use");
        }
        assert!(app.inbox().messages().is_empty());
        // Taken after the code was sent, and free again before it expires.
        let zoe = app.session_of_zoe().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(60);
        app.move_to(&zoe, FREE).await;
        let answer = app.change_phone(&session, FREE, &wrong(&code, 0)).await;
        answer.assert_c(400_190, "verify code error");
        let answer = app.change_phone(&session, FREE, &code).await;
        answer.assert_c(400_199, "mobile already in use");
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
        assert_eq!(phone_of(app, &zoe).await, (json!("86"), json!(FREE)));
        app.move_to(&zoe, OTHER).await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}

#[tokio::test]
async fn codes_and_reset_tokens_for_the_old_number_are_dead() {
    let environment = [("SENDS_PER_PHONE_HOUR", "6")];
    scenario_with(&environment, async |app| {
        let session = app.session_of_eric().await;
        let (login_ticket, login_code) = app.login_code(ERIC).await;
        let reset = app.reset_token("eric", ERIC).await;
        app.wait(60);
        let recovery = app.verification_code("eric", ERIC).await;
        let send = "/v1/user/sendChangePasswordMessage2";
        let sent = app.post(send, json!({"phone": ERIC})).await;
        let (forgotten_ticket, forgotten_code) = (sent.result().to_owned(), app.last_code(ERIC));
        let send = "/v1/user/sendChangePasswordMessage";
        let sent = app.post_in_session(send, &session, json!({})).await;
        let (change_ticket, change_code) = (sent.result().to_owned(), app.last_code(ERIC));
        assert_eq!(app.texts(ERIC).len(), 5);

        app.move_to(&session, FREE).await;

        let not_match = json!({
            "success": false,
            "message": "User phone not match.",
            "code": "USER_PHONE_NOT_MATCH",
            "status": 400,
        });
        let answer = app.log_in(&login_ticket, &login_code).await;
        answer.assert(400, not_match.clone());
        let forgotten = json!({
            "phoneInfo": forgotten_ticket,
            "code": forgotten_code,
            "newPassword": "Wachtwoord42",
        });
        let answer = app
            .post("/v1/user/changePasswordByMessage2", forgotten)
            .await;
        answer.assert(400, not_match.clone());
        let change = json!({
            "phoneInfo": change_ticket,
            "code": change_code,
            "newPassword": "Wachtwoord42",
        });
        let path = "/v1/user/changePasswordByMessage";
        let mut answer = app.post_in_session(path, &session, change).await;
        // The session is valid, so the answer carries a fresh token.
        assert!(
            answer
                .body
                .as_object_mut()
                .unwrap()
                .remove("token")
                .is_some()
        );
        answer.assert(400, not_match);
        let answer = app.make_sure("eric", &recovery).await;
        answer.assert_b(8014, "验证码已过期");
        let answer = app.change_passwd("eric", &reset, "Wachtwoord42").await;
        answer.assert_b(8014, "令牌已过期");
        // Nor does it help the number's next account.
        app.wait(60);
        app.move_to(&app.session_of_zoe().await, ERIC).await;
        let answer = app.make_sure("zoe", &recovery).await;
        answer.assert_b(8014, "验证码已过期");
        let answer = app.change_passwd("zoe", &reset, "Wachtwoord42").await;
        answer.assert_b(8013, "令牌无效");
        app.session_of_eric().await;
        app.session_of("zoe", "zoe-password").await;
    })
    .await;
}

/// The notice, in Chinese.
const MOVED: &str = "【Latchkey】您的账号已更换手机号，如非本人操作，请尽快联系我们";

#[tokio::test]
async fn the_old_number_gets_a_notice() {
    scenario(async |app| {
        app.move_to(&app.session_of_eric().await, FREE).await;
        assert_eq!(app.texts(ERIC), [MOVED]);
        assert_eq!(app.texts(FREE).len(), 1);
        let notice = app.inbox().messages().pop().unwrap();
        let attribute = |name: &str| notice.attributes.get(name).map(String::as_str);
        assert_eq!(attribute("AWS.SNS.SMS.SMSType"), Some("Transactional"));
        assert_eq!(attribute("AWS.SNS.SMS.MaxPrice"), Some("0.20000"));
    })
    .await;
}

#[tokio::test]
async fn a_failed_move_sends_no_notice() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.change_phone(&session, FREE, &wrong(&code, 0)).await;
        app.change_phone(&session, OTHER, &code).await;
        assert!(app.texts(ERIC).is_empty());
    })
    .await;
}

#[tokio::test]
async fn no_notice_when_it_is_switched_off() {
    scenario_with(&[("NOTIFY_OLD_NUMBER", "false")], async |app| {
        let session = app.session_of_eric().await;
        app.move_to(&session, FREE).await;
        assert!(app.texts(ERIC).is_empty());
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
    })
    .await;
}

#[tokio::test]
async fn a_failed_notice_does_not_undo_the_move() {
    for fault in [
        sns_error(400, "OptedOut"),
        sns_error(403, "AuthorizationError"),
        Fault::Refuses,
        Fault::Hangs,
    ] {
        scenario(async |app| {
            let session = app.session_of_eric().await;
            let code = app.phone_change_code(&session, FREE).await;
            app.sns.break_it(fault.clone());
            let moved = app.change_phone(&session, FREE, &code).await;
            moved.assert_c_success();
            assert!(moved.took < Duration::from_secs(10), "{fault:?}");
            app.sns.mend().await;
            assert!(app.texts(ERIC).is_empty());
            assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
        })
        .await;
    }
    // Nor does a gap in the configuration.
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.redeploy(&[("SMS_BRAND", "")]).await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
        assert!(app.texts(ERIC).is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_phone_moves_without_a_notice() {
    scenario(async |app| {
        app.create_user_with(7, "phoneless", "", Some("zoe-password"))
            .await;
        let session = app.session_of("phoneless", "zoe-password").await;
        app.move_to(&session, FREE).await;
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
        assert_eq!(app.inbox().messages().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn to_another_country_and_back() {
    let environment = [("ALLOWED_COUNTRY_CODES", "86,44")];
    scenario_with(&environment, async |app| {
        const ABROAD: &str = "+447400123456";
        let session = app.session_of_eric().await;
        let there = json!({"mcode": "+44", "mobile": "7400123456"});
        let sent = app.post_in_session(VERIFY_CODE, &session, there.clone()).await;
        sent.assert_c_success();
        let messages = app.inbox().to(ABROAD);
        let code = digits_of(&messages[0].message);
        assert_eq!(
            messages[0].message,
            format!(
                "{code} moves your Latchkey account to this number, valid for 5 min. Don't share it."
            )
        );
        let mut body = there;
        body["verify_code"] = json!(code);
        let moved = app.post_in_session(MOBILE, &session, body).await;
        moved.assert_c_success();
        assert_eq!(app.texts(ERIC), [MOVED], "the number there, its language");
        assert_eq!(
            phone_of(app, &session).await,
            (json!("44"), json!("7400123456"))
        );
        // Dialect B needs the plus to know the country.
        let answer = app.send_verification_code("eric", "7400123456").await;
        answer.assert_b(8011, "手机号格式错误");
        let answer = app.send_verification_code("eric", "+8613800138001").await;
        answer.assert_b(8005, "手机号与绑定手机号不一致");
        let answer = app.send_verification_code("eric", ABROAD).await;
        answer.assert_b_ok("已发送短信");

        app.move_to(&session, ERIC).await;
        let told = app.inbox().to(ABROAD).pop().unwrap();
        assert_eq!(
            told.message,
            "Your Latchkey account now has another phone number. If this wasn't you, contact us at once."
        );
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
    })
    .await;
}
