//! A new key ring is deployed while codes and tokens are in use. Those of the old key work until they
//! expire. Later ones are of the new key, and in the end the old key can be removed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, eric,
    keys::{K1, K1_AND_K2, K2},
    message::CODE_NOT_VALID,
    mobile::MOBILE,
    scenario_with,
};

const DAY: u64 = 24 * 3600;

/// The key that a token is signed with.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn codes_and_tokens_of_the_old_key_work_in_every_dialect() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let session = app.session_of_eric().await;
        let (login, login_code) = app.login_code(MARY).await;
        let (reset, reset_code) = app.reset_code(ERIC).await;
        let recover_code = app.verification_code("mary", MARY).await;
        let move_code = app.phone_change_code(&session, ANNA).await;
        for token in [&session, &login, &reset] {
            assert_eq!(key_of(token), "k1");
        }

        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        app.wait(299);
        let logged_in = app.log_in(&login, &login_code).await;
        assert_eq!(
            (logged_in.status, key_of(logged_in.token())),
            (200, "k2".to_owned())
        );
        let sure = app.make_sure("mary", &recover_code).await;
        assert_eq!(sure.body["msg"], 2006, "{sure:?}");
        app.change_phone(&session, ANNA, &move_code)
            .await
            .assert_c_success();
        let changed = app
            .reset_password(&reset, &reset_code, "second-password")
            .await;
        // eric has just moved away from the phone that code was for.
        assert_eq!(changed.body["code"], "USER_PHONE_NOT_MATCH");
    })
    .await;
}

#[tokio::test]
async fn codes_and_tokens_of_the_old_key_end_when_they_expire() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let session = app.session_of_eric().await;
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        app.wait(300);
        let late = app.log_in(&ticket, &code).await;
        late.assert_refused(CODE_NOT_VALID);

        app.wait(30 * DAY - 300 - 60);
        let fresh = app.info(&session).await.assert_ok_with_token(&eric());
        assert_eq!(key_of(&fresh), "k2");
        app.wait(60);
        app.info(&session).await.assert_invalid_token();

        // All that the old key issued has expired now, and the key is removed.
        app.redeploy(&[("KEY_RING", K2)]).await;
        app.info(&fresh).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn new_codes_and_tokens_need_only_the_new_key() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(key_of(&ticket), "k2");
        let session = app.session_of("eric", ERIC_PASSWORD).await;
        assert_eq!(key_of(&session), "k2");
        let move_code = app.phone_change_code(&session, ANNA).await;

        // None of them needs the old key.
        app.redeploy(&[("KEY_RING", K2)]).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let body = json!({"mcode": "+86", "mobile": ANNA, "verify_code": move_code});
        let moved = app.post_in_session(MOBILE, &session, body).await;
        moved.assert_c_success();
    })
    .await;
}
