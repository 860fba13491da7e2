//! The TypeScript client (axios): `login`, `info`, `sendChangePasswordMessage`, `changePasswordByMessage`.
//! It sends the country code of a login as `code`, a field that login does not have.

use serde_json::json;

use super::Client;
use crate::support::{ERIC, ERIC_PASSWORD, eric, md5, message::CODE_NOT_VALID, scenario};

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json, text/plain, */*"),
    ("content-type", "application/json;charset=UTF-8"),
];
const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer ")];

#[tokio::test]
async fn logs_in_and_replaces_a_forgotten_password() {
    scenario(async |app| {
        app.learn_password("second-password");
        let mut typescript = Client::new(app, HEADERS, TOKEN);
        for body in [
            json!({"value": "eric", "password": md5(ERIC_PASSWORD), "code": "86"}),
            json!({"value": ERIC, "password": md5(ERIC_PASSWORD)}),
        ] {
            let answer = typescript.post("/v1/user/login", &body).await;
            typescript.token = answer.assert_ok_with_token(&eric());
        }
        let answer = typescript.post("/v1/user/info", &json!({})).await;
        typescript.token = answer.assert_ok_with_token(&eric());
        // It shows its token here too; the answer is not a session's.
        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = typescript.post(path, &json!({"phone": ERIC})).await;
        sent.assert_ok(&json!(sent.result()));
        let change = |code: &str| {
            json!({"phoneInfo": sent.result(), "code": code, "newPassword": md5("second-password")})
        };
        let path = "/v1/user/changePasswordByMessage2";
        let answer = typescript.post(path, &change("1")).await;
        answer.assert_refused(CODE_NOT_VALID);
        let code = app.last_code(ERIC);
        let answer = typescript.post(path, &change(&code)).await;
        answer.assert_ok(&json!(true));
        let answer = typescript.post("/v1/user/info", &json!({})).await;
        answer.assert_invalid_token();
        app.assert_password_of_eric("second-password", ERIC_PASSWORD)
            .await;
    })
    .await;
}
