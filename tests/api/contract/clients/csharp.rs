//! The C# client (Newtonsoft.Json): `UserCenterMethods`. Dictionaries of strings; the token in the body,
//! `null` as long as there is none; `uuid` an Int32.

use serde_json::json;

use super::Client;
use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, eric, md5,
    message::{CODE_NOT_VALID, LOGIN_FAILED, OLD_PASSWORD_NOT_VALID},
    scenario,
};

const HEADERS: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];

/// `[JsonProperty("uuid")] public int UUID`
fn int32(answer: &Answer) -> Option<i32> {
    let uuid = answer.body["result"]["uuid"].as_i64()?;
    uuid.try_into().ok()
}

#[tokio::test]
async fn logs_in_by_password_and_by_message() {
    scenario(async |app| {
        let csharp = Client::new(app, HEADERS, &[]);
        for value in ["eric", ERIC] {
            let body = json!({"value": value, "password": md5(ERIC_PASSWORD)});
            let answer = csharp.post("/v1/user/login", &body).await;
            let token = answer.assert_ok_with_token(&eric());
            assert_eq!(int32(&answer), Some(5));
            let answer = csharp.post("/v1/user/info", &json!({"token": token})).await;
            answer.assert_ok_with_token(&eric());
        }
        let body = json!({"value": "eric", "password": md5("wrong")});
        let answer = csharp.post("/v1/user/login", &body).await;
        answer.assert_refused(LOGIN_FAILED);
        let answer = csharp.post("/v1/user/info", &json!({"token": null})).await;
        answer.assert_invalid_token();

        // Version 2 sends the country code as a number.
        for body in [
            json!({"phone": ERIC}),
            json!({"phone": ERIC, "countryCode": 86}),
        ] {
            let sent = csharp.post("/v1/user/sendLoginMessage", &body).await;
            sent.assert_ok(&json!(sent.result()));
            let body = json!({"phoneInfo": sent.result(), "code": app.last_code(ERIC)});
            let answer = csharp.post("/v1/user/loginByMessage", &body).await;
            answer.assert_ok_with_token(&eric());
            assert_eq!(int32(&answer), Some(5));
            app.wait(120);
        }
    })
    .await;
}

#[tokio::test]
async fn changes_a_password_by_the_old_one() {
    scenario(async |app| {
        let csharp = Client::new(app, HEADERS, &[]);
        app.learn_password("second-password");
        let body = json!({"value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = csharp.post("/v1/user/login", &body).await;
        let token = answer.assert_ok_with_token(&eric());
        // With a capital.
        let change = |old: &str, token: &str| {
            json!({
                "OldPassword": md5(old), "newPassword": md5("second-password"), "token": token,
            })
        };
        let path = "/v1/user/changePassword";
        let answer = csharp.post(path, &change("wrong-password", &token)).await;
        let token = answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        let answer = csharp.post(path, &change(ERIC_PASSWORD, &token)).await;
        // `Token = x.Token; return x.Success;`
        let token = answer.assert_ok_with_token(&json!(true));
        let answer = csharp.post("/v1/user/info", &json!({"token": token})).await;
        answer.assert_ok_with_token(&eric());
        app.assert_password_of_eric("second-password", ERIC_PASSWORD)
            .await;
    })
    .await;
}

#[tokio::test]
async fn registers_and_replaces_a_forgotten_password() {
    scenario(async |app| {
        let csharp = Client::new(app, HEADERS, &[]);
        app.learn_password("anna-password");
        app.learn_password("second-password");
        let path = "/v1/user/sendRegisterMessage";
        let sent = csharp.post(path, &json!({"phone": ANNA})).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "name": "anna", "password": md5("anna-password"), "code": app.last_code(ANNA),
            "phoneInfo": sent.result(),
        });
        let answer = csharp.post("/v1/user/register", &body).await;
        let (user, _) = answer.assert_registered("anna", ANNA);
        assert!(int32(&answer).is_some(), "{answer:?}");

        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = csharp.post(path, &json!({"phone": ANNA})).await;
        sent.assert_ok(&json!(sent.result()));
        let change = |code: &str| {
            json!({
                "phoneInfo": sent.result(), "newPassword": md5("second-password"), "code": code,
            })
        };
        let path = "/v1/user/changePasswordByMessage2";
        let answer = csharp.post(path, &change("1")).await;
        answer.assert_refused(CODE_NOT_VALID);
        let answer = csharp.post(path, &change(&app.last_code(ANNA))).await;
        answer.assert_ok(&json!(true));
        let body = json!({"value": ANNA, "password": md5("second-password")});
        let answer = csharp.post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&user);
    })
    .await;
}
