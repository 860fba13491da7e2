//! `DELETE /auth/v1/user`, which GoTrue leaves to administrators, and the nonce for it.

use lambda_http::http::Method;
use serde_json::json;

use crate::support::{
    Answer, ERIC, MARY,
    gotrue::{REAUTHENTICATE, USER},
    scenario, wrong,
};

const BAD_NONCE: (u16, &str, &str) = (
    422,
    "reauthentication_not_valid",
    "Nonce has expired or is invalid",
);
const SESSION_NOT_FOUND: (u16, &str, &str) = (
    403,
    "session_not_found",
    "Session from session_id claim in JWT does not exist",
);

#[track_caller]
fn assert_refused(answer: &Answer, (status, code, message): (u16, &str, &str)) {
    answer.assert_d(status, code, message);
}

#[tokio::test]
async fn a_nonce_deletes_the_account_and_its_sessions() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        let token = session["access_token"].as_str().unwrap();
        let nonce = app.deletion_nonce(token, &phone).await;
        let text = format!("【Latchkey】注销账号验证码{nonce}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC).pop(), Some(text));
        let deleted = app.delete_user(token, json!({"nonce": nonce})).await;
        assert_eq!((deleted.status, &deleted.body), (204, &json!("")));
        assert_refused(&app.user(token).await, SESSION_NOT_FOUND);
        let again = app.delete_user(token, json!({"nonce": nonce})).await;
        assert_refused(&again, SESSION_NOT_FOUND);
        let refresh = session["refresh_token"].as_str().unwrap();
        let refused = app.refresh(refresh).await;
        let not_found = "Invalid Refresh Token: Refresh Token Not Found";
        refused.assert_d(400, "refresh_token_not_found", not_found);

        // Who signs in with the number now is somebody else.
        app.wait(60);
        let next = app.signed_in(&phone).await;
        assert_ne!(next["user"]["id"], session["user"]["id"]);
        assert_eq!(next["user"]["user_metadata"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn a_nonce_is_needed_and_one_for_a_password_is_another() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        let token = session["access_token"].as_str().unwrap();
        let needed = "Password update requires reauthentication";
        for body in [json!({}), json!({"nonce": ""}), json!({"nonce": null})] {
            let refused = app.delete_user(token, body).await;
            refused.assert_d(400, "reauthentication_needed", needed);
        }
        let refused = app.sdk(Method::DELETE, USER, token, "").await;
        refused.assert_d(400, "reauthentication_needed", needed);
        for nonce in [
            json!("x"),
            json!("123456"),
            json!(123_456),
            json!("1234567"),
        ] {
            let refused = app.delete_user(token, json!({ "nonce": nonce })).await;
            assert_refused(&refused, BAD_NONCE);
        }
        let for_password = app.nonce(token, &phone).await;
        let refused = app.delete_user(token, json!({"nonce": for_password})).await;
        assert_refused(&refused, BAD_NONCE);

        let nonce = app.deletion_nonce(token, &phone).await;
        let refused = app
            .delete_user(token, json!({"nonce": wrong(&nonce, 0)}))
            .await;
        assert_refused(&refused, BAD_NONCE);
        // It is one account's, and expires.
        let mary = app.signed_in(&format!("86{MARY}")).await;
        let of_mary = mary["access_token"].as_str().unwrap();
        let refused = app.delete_user(of_mary, json!({"nonce": nonce})).await;
        assert_refused(&refused, BAD_NONCE);
        app.wait(300);
        let refused = app.delete_user(token, json!({"nonce": nonce})).await;
        assert_refused(&refused, BAD_NONCE);
        assert_eq!(app.user(token).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_nothing_deleted() {
    scenario(async |app| {
        let path = format!("{REAUTHENTICATE}?for=delete");
        let refusal = "invalid JWT: unable to parse or verify signature";
        let refused = app.sdk(Method::GET, &path, "x", "").await;
        refused.assert_d(403, "bad_jwt", refusal);
        let refused = app.delete_user("x", json!({"nonce": "123456"})).await;
        refused.assert_d(403, "bad_jwt", refusal);
        // Exchanged tokens are for other services.
        let exchanged = app.access_token(&app.session_of_eric().await).await;
        let refused = app
            .delete_user(&exchanged, json!({"nonce": "123456"}))
            .await;
        refused.assert_d(403, "bad_jwt", refusal);
        assert!(app.inbox().messages().is_empty());
        let session = app.signed_in(&format!("86{ERIC}")).await;
        let token = session["access_token"].as_str().unwrap();
        let path = format!("{REAUTHENTICATE}?for=deletion");
        let refused = app.sdk(Method::GET, &path, token, "").await;
        refused.assert_d(400, "validation_failed", "Unsupported reauthentication");
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_nonce() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        let token = session["access_token"].as_str().unwrap();
        let nonce = app.deletion_nonce(token, &phone).await;
        app.wait(1);
        let changed = app
            .update_user(token, json!({"password": "second-password"}))
            .await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let refused = app.delete_user(token, json!({"nonce": nonce})).await;
        assert_refused(&refused, BAD_NONCE);
    })
    .await;
}
