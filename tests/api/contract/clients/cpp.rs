//! The C++ client (cpprest): `api_user_model`. Every field but `time` is a string, `time` is in seconds.

use serde_json::json;

use super::Client;
use crate::support::{ERIC, ERIC_PASSWORD, eric, md5, message::LOGIN_FAILED, scenario};

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
