//! The C++ client (cpprest): `api_user_model`. Every field but `time` is a string, `time` is in seconds.

use serde_json::json;

use super::Client;
use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, eric, eric_named, md5,
    message::{LOGIN_FAILED, NAME_EXISTS},
    scenario,
};

const HEADERS: &[(&str, &str)] = &[("content-type", "application/json")];
const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer ")];

#[tokio::test]
async fn logs_in_and_asks_for_the_account() {
    scenario(async |app| {
        let mut cpp = Client::new(app, HEADERS, TOKEN);
        for value in ["eric", ERIC] {
            let body = json!({"countryCode": "86", "value": value, "password": md5(ERIC_PASSWORD)});
            let answer = cpp.post("/v1/user/login", &body).await;
            cpp.token = answer.assert_ok_with_token(&eric());
        }
        let time = json!({"time": 1_540_450_000});
        let answer = cpp.post("/v1/user/info", &time).await;
        answer.assert_ok_with_token(&eric());
        let body = json!({"countryCode": "86", "value": "eric", "password": md5("wrong")});
        let answer = cpp.post("/v1/user/login", &body).await;
        answer.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn registers_without_a_name() {
    scenario(async |app| {
        let mut cpp = Client::new(app, HEADERS, TOKEN);
        app.learn_password("anna-password");
        let body = json!({"countryCode": "86", "phone": ANNA});
        let sent = cpp.post("/v1/user/sendRegisterMessage", &body).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "phoneInfo": sent.result(), "code": app.last_code(ANNA),
            "password": md5("anna-password"),
        });
        let answer = cpp.post("/v1/user/register", &body).await;
        let drawn = answer.body["result"]["name"].as_str().unwrap().to_owned();
        assert_eq!(drawn.len(), 16, "{drawn}");
        let (user, token) = answer.assert_registered(&drawn, ANNA);
        cpp.token = token;
        let time = json!({"time": 1_540_450_000});
        let answer = cpp.post("/v1/user/info", &time).await;
        answer.assert_ok_with_token(&user);
    })
    .await;
}

#[tokio::test]
async fn changes_its_name() {
    scenario(async |app| {
        let mut cpp = Client::new(app, HEADERS, TOKEN);
        let body = json!({"countryCode": "86", "value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = cpp.post("/v1/user/login", &body).await;
        cpp.token = answer.assert_ok_with_token(&eric());
        let answer = cpp
            .post("/v1/user/changeName", &json!({"name": "Erik"}))
            .await;
        answer.assert_ok_with_token(&json!(true));
        let path = "/v1/user/changeNameAndGet";
        let answer = cpp.post(path, &json!({"name": "埃里克"})).await;
        cpp.token = answer.assert_ok_with_token(&eric_named("埃里克"));
        let answer = cpp.post(path, &json!({"name": "13900139001"})).await;
        answer.assert_refused_in_session(NAME_EXISTS);
        let time = json!({"time": 1_540_450_000});
        let answer = cpp.post("/v1/user/info", &time).await;
        answer.assert_ok_with_token(&eric_named("埃里克"));
    })
    .await;
}

#[tokio::test]
async fn logs_in_by_message() {
    scenario(async |app| {
        let cpp = Client::new(app, HEADERS, TOKEN);
        // Its window has a field for the country code, with a plus before it.
        for country in ["86", "+86"] {
            let body = json!({"countryCode": country, "phone": ERIC});
            let sent = cpp.post("/v1/user/sendLoginMessage", &body).await;
            sent.assert_ok(&json!(sent.result()));
            let body = json!({"phoneInfo": sent.result(), "code": app.last_code(ERIC)});
            let answer = cpp.post("/v1/user/loginByMessage", &body).await;
            answer.assert_ok_with_token(&eric());
            app.wait(120);
        }
    })
    .await;
}

#[tokio::test]
async fn logs_out_without_its_token() {
    scenario(async |app| {
        let mut cpp = Client::new(app, HEADERS, TOKEN);
        let body = json!({"countryCode": "86", "value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = cpp.post("/v1/user/login", &body).await;
        // It forgets its token first, so the session goes on.
        let answered = cpp.post("/v1/user/logout", &json!({})).await;
        answered.assert_invalid_token();
        cpp.token = answer.assert_ok_with_token(&eric());
        let time = json!({"time": 1_540_450_000});
        let answer = cpp.post("/v1/user/info", &time).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}
