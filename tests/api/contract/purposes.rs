//! A ticket is valid at the endpoint it was issued for, and at no other.

use serde_json::json;

use crate::support::{ANNA, Answer, ERIC, TestApp, eric, message::CODE_NOT_VALID, scenario};

/// The endpoints that accept a ticket, each of its own purpose.
const ENDPOINTS: [&str; 5] = [
    "/v1/user/loginByMessage",
    "/v1/user/register",
    "/v1/user/changePasswordByMessage2",
    "/v1/user/changePasswordByMessage",
    "/v1/user/deleteByMessage",
];

/// Every field that any of them requires, with this ticket and this code.
async fn redeem(app: &TestApp, path: &str, session: &str, sent: &(String, String)) -> Answer {
    app.learn_password("second-password");
    let body = json!({
        "phoneInfo": sent.0, "code": sent.1, "name": "Anna",
        "password": "second-password", "newPassword": "second-password"
    });
    app.post_in_session(path, session, body).await
}

#[tokio::test]
async fn a_phone_info_of_one_purpose_is_refused_by_every_other_endpoint() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let tickets = [
            app.login_code(ERIC).await,
            app.register_code(ANNA).await,
            app.reset_code(ERIC).await,
            app.change_password_code(&session).await,
            app.delete_code(&session, ERIC).await,
        ];
        for (made_for, sent) in ENDPOINTS.iter().zip(&tickets) {
            for path in ENDPOINTS.iter().filter(|path| *path != made_for) {
                let answer = redeem(app, path, &session, sent).await;
                let (code, message) = ("{PHONE_INFO}_NOT_VALID", "Phone info not valid");
                match *path {
                    "/v1/user/changePasswordByMessage" => {
                        answer.assert_a_with_token(400, code, message);
                    }
                    _ => answer.assert_a(400, code, message),
                }
            }
        }
        // A ticket is not valid with another purpose's code either.
        for (n, path) in ENDPOINTS.iter().enumerate() {
            let other = &tickets[(n + 1) % ENDPOINTS.len()].1;
            if *other != tickets[n].1 {
                let mixed = (tickets[n].0.clone(), other.clone());
                let answer = redeem(app, path, &session, &mixed).await;
                match *path {
                    "/v1/user/changePasswordByMessage" => {
                        answer.assert_refused_in_session(CODE_NOT_VALID);
                    }
                    _ => answer.assert_refused(CODE_NOT_VALID),
                }
            }
        }
        // All of them are still valid where they belong. The reset ends the session, so a new one is begun.
        for (path, sent) in ENDPOINTS.iter().zip(&tickets).take(3) {
            let answer = redeem(app, path, &session, sent).await;
            match *path {
                "/v1/user/loginByMessage" => drop(answer.assert_ok_with_token(&eric())),
                "/v1/user/register" => drop(answer.assert_registered("Anna", ANNA)),
                _ => answer.assert_ok(&json!(true)),
            }
        }
        let session = app.session_of("eric", "second-password").await;
        let answer = redeem(app, ENDPOINTS[3], &session, &tickets[3]).await;
        let session = answer.assert_ok_with_token(&json!(true));
        app.info(&session).await.assert_ok_with_token(&eric());
        let answer = redeem(app, ENDPOINTS[4], &session, &tickets[4]).await;
        answer.assert_ok(&json!(true));
    })
    .await;
}
