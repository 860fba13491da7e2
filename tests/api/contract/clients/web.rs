//! The web client (Nuxt, axios 0.18): the stores `login`, `regist`, `pwd`, `upwd` and `changepasswordwithmsg`.
//! It takes over the token of every answer that has one.

use serde_json::json;

use super::Client;
use crate::support::{
    ANNA, Answer, DAY, ERIC, ERIC_PASSWORD, TestApp, claims, eric, md5,
    message::{CODE_NOT_VALID, LOGIN_FAILED, OLD_PASSWORD_NOT_VALID, PHONE_EXISTS},
    scenario, scenario_with,
};

/// axios' own.
const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json, text/plain, */*"),
    ("content-type", "application/json;charset=utf-8"),
    ("origin", "http://127.0.0.1"),
    ("sec-fetch-site", "same-origin"),
];
/// Its plugins set the one or the other; here both.
const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer "), ("token", "")];
const NOW: u64 = 1_532_526_039_883;

fn client(app: &TestApp) -> Client<'_> {
    Client::new(app, HEADERS, TOKEN)
}

/// The interceptor of its answers.
fn take_over(client: &mut Client<'_>, answer: &Answer) {
    if let Some(token) = answer.body["token"].as_str() {
        client.token = token.to_owned();
    }
}

#[tokio::test]
async fn registers_and_shows_the_account() {
    scenario(async |app| {
        let mut web = client(app);
        let taken = json!({"countryCode": "86", "phone": ERIC});
        let answer = web.post("/v1/user/sendRegisterMessage", &taken).await;
        answer.assert_refused(PHONE_EXISTS);
        let free = json!({"countryCode": "86", "phone": ANNA});
        let sent = web.post("/v1/user/sendRegisterMessage", &free).await;
        sent.assert_ok(&json!(sent.result()));
        app.learn_password("anna-password");
        let body = json!({
            "code": app.last_code(ANNA), "name": "安娜", "phoneInfo": sent.result(),
            "password": md5("anna-password"),
        });
        let answer = web.post("/v1/user/register", &body).await;
        let (user, _) = answer.assert_registered("安娜", ANNA);
        take_over(&mut web, &answer);
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_ok_with_token(&user);
    })
    .await;
}

#[tokio::test]
async fn registers_without_a_name() {
    scenario(async |app| {
        app.learn_password("anna-password");
        // The field is empty at first, and null once it has been cleared.
        for (phone, none) in [(ANNA, json!("")), ("13900139002", json!(null))] {
            let mut web = client(app);
            let body = json!({"countryCode": "86", "phone": phone});
            let sent = web.post("/v1/user/sendRegisterMessage", &body).await;
            sent.assert_ok(&json!(sent.result()));
            let body = json!({
                "code": app.last_code(phone), "name": none, "phoneInfo": sent.result(),
                "password": md5("anna-password"),
            });
            let answer = web.post("/v1/user/register", &body).await;
            let drawn = answer.body["result"]["name"].as_str().unwrap().to_owned();
            assert_eq!(drawn.len(), 16, "{drawn}");
            let (user, _) = answer.assert_registered(&drawn, phone);
            take_over(&mut web, &answer);
            // After a reload the page shows what is in its token, until it has asked for the account.
            let shown = claims(&web.token);
            assert_eq!(
                (&shown["uuid"], &shown["name"]),
                (&user["uuid"], &json!(drawn))
            );
            let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn changes_a_password_by_the_old_one() {
    scenario(async |app| {
        let mut web = client(app);
        app.learn_password("second-password");
        app.learn_password("not-the-password");
        let body = json!({"value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = web.post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&eric());
        take_over(&mut web, &answer);
        // Its two pages send the passwords as they are.
        let path = "/v1/user/changePassword";
        let body = json!({"newPassword": "second-password", "oldPassword": "not-the-password"});
        let answer = web.post(path, &body).await;
        answer.assert_refused_in_session(OLD_PASSWORD_NOT_VALID);
        take_over(&mut web, &answer);
        let body = json!({"newPassword": "second-password", "oldPassword": ERIC_PASSWORD});
        let answer = web.post(path, &body).await;
        answer.assert_ok_with_token(&json!(true));
        take_over(&mut web, &answer);
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_ok_with_token(&eric());
        // It shows the login page then, which sends the MD5.
        let body = json!({"value": "eric", "password": md5("second-password")});
        let answer = client(app).post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&eric());
        app.assert_password_of_eric("second-password", ERIC_PASSWORD)
            .await;
    })
    .await;
}

#[tokio::test]
async fn logs_in_by_password_and_by_message() {
    scenario(async |app| {
        let mut web = client(app);
        for value in ["eric", ERIC] {
            let body = json!({"value": value, "password": md5(ERIC_PASSWORD), "countryCode": "86"});
            let answer = web.post("/v1/user/login", &body).await;
            answer.assert_ok_with_token(&eric());
        }
        let body = json!({"value": "eric", "password": md5("wrong"), "countryCode": "86"});
        let answer = web.post("/v1/user/login", &body).await;
        answer.assert_refused(LOGIN_FAILED);
        let body = json!({"countryCode": "86", "phone": ERIC});
        let sent = web.post("/v1/user/sendLoginMessage", &body).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({"phoneInfo": sent.result(), "code": "000000", "countryCode": "86"});
        let answer = web.post("/v1/user/loginByMessage", &body).await;
        answer.assert_refused(CODE_NOT_VALID);
        let body = json!({"phoneInfo": sent.result(), "code": app.last_code(ERIC)});
        let answer = web.post("/v1/user/loginByMessage", &body).await;
        answer.assert_ok_with_token(&eric());
        take_over(&mut web, &answer);
        // Each answer renews the token, and the next request shows the new one.
        for _ in 0..3 {
            app.wait(20 * DAY);
            let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
            answer.assert_ok_with_token(&eric());
            take_over(&mut web, &answer);
        }
    })
    .await;
}

#[tokio::test]
async fn changes_a_password_with_a_session_and_without() {
    scenario(async |app| {
        let mut web = client(app);
        app.learn_password("second-password");
        app.learn_password("third-password");
        let body = json!({"value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = web.post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&eric());
        take_over(&mut web, &answer);
        let path = "/v1/user/sendChangePasswordMessage";
        let sent = web.post(path, &json!({"time": NOW})).await;
        sent.assert_ok_with_token(&json!(sent.result()));
        take_over(&mut web, &sent);
        // This page alone sends the password as it is.
        let body = json!({
            "phoneInfo": sent.result(), "code": app.last_code(ERIC), "newPassword": "second-password",
        });
        let answer = web.post("/v1/user/changePasswordByMessage", &body).await;
        answer.assert_ok_with_token(&json!(true));
        take_over(&mut web, &answer);
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_ok_with_token(&eric());
        app.wait(120);
        let path = "/v1/user/sendChangePasswordMessage2";
        let body = json!({"countryCode": "86", "phone": ERIC});
        let forgotten = client(app);
        let sent = forgotten.post(path, &body).await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "phoneInfo": sent.result(), "code": app.last_code(ERIC), "newPassword": md5("third-password"),
        });
        let path = "/v1/user/changePasswordByMessage2";
        forgotten.post(path, &body).await.assert_ok(&json!(true));
        // What ends its session sends it to the login page.
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_invalid_token();
        let body = json!({"value": "eric", "password": md5("third-password")});
        let answer = web.post("/v1/user/login", &body).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn logs_out() {
    scenario(async |app| {
        let mut web = client(app);
        let body = json!({"value": "eric", "password": md5(ERIC_PASSWORD)});
        let answer = web.post("/v1/user/login", &body).await;
        take_over(&mut web, &answer);
        let answer = web.post("/v1/user/logout", &json!({"time": NOW})).await;
        answer.assert_ok(&json!(true));
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_invalid_token();
    })
    .await;
}

/// Its pages on a host of their own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("accept", "application/json, text/plain, */*"),
    ("content-type", "application/json;charset=utf-8"),
    ("origin", "https://app.example.com"),
    ("sec-fetch-site", "cross-site"),
];

#[tokio::test]
async fn needs_its_origin_among_the_configured_ones_where_the_api_has_another_host() {
    let body = &json!({"value": "eric", "password": md5(ERIC_PASSWORD)});
    scenario(async |app| {
        let web = Client::new(app, ELSEWHERE, TOKEN);
        web.post("/v1/user/login", body).await.assert_forbidden();
    })
    .await;
    let configured = [("CORS_ORIGINS", "https://app.example.com")];
    scenario_with(&configured, async |app| {
        let mut web = Client::new(app, ELSEWHERE, TOKEN);
        let answer = web.post("/v1/user/login", body).await;
        answer.assert_ok_with_token(&eric());
        take_over(&mut web, &answer);
        let answer = web.post("/v1/user/info", &json!({"time": NOW})).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}
