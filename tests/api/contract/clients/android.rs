//! The Android client (Retrofit, Gson): `ApiService` at version 1. The token in the header `token`, which
//! is empty before the login. RxJava's adapter gives it the bodies of 2xx alone.

use serde_json::json;

use super::Client;
use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, TestApp, eric, eric_named, md5,
    message::{CODE_NOT_VALID, LOGIN_FAILED, NAME_EXISTS},
    scenario,
};

const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/json; charset=UTF-8"),
    ("user-agent", "QZCloud"),
];
const BEFORE_LOGIN: &[(&str, &str)] = &[
    ("content-type", "application/json; charset=UTF-8"),
    ("user-agent", "QZCloud"),
    ("token", ""),
];
const TOKEN: &[(&str, &str)] = &[("token", "")];

/// Eric's, after his login.
async fn logged_in(app: &TestApp) -> Client<'_> {
    let before = Client::new(app, BEFORE_LOGIN, TOKEN);
    let body = json!({"value": ERIC, "password": md5(ERIC_PASSWORD)});
    let answer = before.post("/v1/user/login", &body).await;
    let mut android = Client::new(app, HEADERS, TOKEN);
    android.token = answer.assert_ok_with_token(&eric());
    android
}

#[tokio::test]
async fn registers_and_logs_in() {
    scenario(async |app| {
        let android = Client::new(app, BEFORE_LOGIN, TOKEN);
        app.learn_password("anna-password");
        let body = json!({"countryCode": "86", "phone": ANNA});
        let sent = android.post("/v1/user/sendRegisterMessage", &body).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "phoneInfo": sent.result(), "code": app.last_code(ANNA), "name": "anna",
            "password": md5("anna-password"),
        });
        let answer = android.post("/v1/user/register", &body).await;
        let (user, _) = answer.assert_registered("anna", ANNA);
        let body = json!({"value": "anna", "password": md5("anna-password")});
        let answer = android.post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&user);
        // Refusals carry HTTP 400, so it shows "HTTP 400" for them.
        let body = json!({"value": "anna", "password": md5("wrong")});
        let answer = android.post("/v1/user/login", &body).await;
        answer.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn changes_its_name() {
    scenario(async |app| {
        let android = logged_in(app).await;
        let path = "/v1/user/changeName";
        let answer = android.post(path, &json!({"name": "mary"})).await;
        answer.assert_refused_in_session(NAME_EXISTS);
        // `Respone<String>`: Gson reads `true` as text too.
        let answer = android.post(path, &json!({"name": "埃里克"})).await;
        answer.assert_ok_with_token(&json!(true));
        // It goes on with the token it has.
        let answer = android.post("/v1/user/info", &json!({})).await;
        answer.assert_ok_with_token(&eric_named("埃里克"));
    })
    .await;
}

#[tokio::test]
async fn changes_a_password_with_a_session_and_without() {
    scenario(async |app| {
        app.learn_password("second-password");
        app.learn_password("third-password");
        let android = logged_in(app).await;
        let path = "/v1/user/sendChangePasswordMessage";
        let sent = android.post(path, &json!({"time": 1_535_160_000_000_u64})).await;
        sent.assert_ok_with_token(&json!(sent.result()));
        let change = |code: &str, password: &str| {
            json!({"phoneInfo": sent.result(), "code": code, "newPassword": md5(password)})
        };
        let path = "/v1/user/changePasswordByMessage";
        let answer = android.post(path, &change("1", "second-password")).await;
        answer.assert_refused_in_session(CODE_NOT_VALID);
        let code = app.last_code(ERIC);
        let answer = android.post(path, &change(&code, "second-password")).await;
        answer.assert_ok_with_token(&json!(true));

        app.wait(120);
        let before = Client::new(app, BEFORE_LOGIN, TOKEN);
        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = before.post(path, &json!({"phone": ERIC})).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "phoneInfo": sent.result(), "code": app.last_code(ERIC),
            "newPassword": md5("third-password"),
        });
        let path = "/v1/user/changePasswordByMessage2";
        before.post(path, &body).await.assert_ok(&json!(true));
        app.assert_password_of_eric("third-password", "second-password")
            .await;
    })
    .await;
}

#[tokio::test]
async fn logs_out() {
    scenario(async |app| {
        let android = logged_in(app).await;
        let answer = android.post("/v1/user/logout", &json!({})).await;
        answer.assert_ok(&json!(true));
        let answer = android.post("/v1/user/info", &json!({})).await;
        answer.assert_invalid_token();
    })
    .await;
}
