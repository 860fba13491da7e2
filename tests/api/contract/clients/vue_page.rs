//! Dialect B's web page (Vue, axios): it posts `JSON.stringify(params)`, which axios 0.18 labels as a form.
//! Its number is what a text field holds; its code comes from a number field, as text.

use serde_json::json;

use super::Client;
use crate::support::{
    ERIC, ERIC_PASSWORD, FORM, scenario, scenario_with,
    systems::{
        CHANGE_PASSWD, DEAD_TOKEN, MAKE_SURE, NEW, NOT_THE_PHONE, SEND_EMPTY,
        SEND_VERIFICATION_CODE, TOO_OFTEN, WRONG_CODE,
    },
};

const HEADERS: &[(&str, &str)] = &[("accept", "application/json, text/plain, */*"), FORM];

#[tokio::test]
async fn replaces_a_forgotten_password() {
    scenario(async |app| {
        app.learn_password(NEW);
        let page = Client::new(app, HEADERS, &[]);
        let send = async |body| page.post(SEND_VERIFICATION_CODE, &body).await;
        let refused = send(json!({"username": "eric", "mobile_phone": ""})).await;
        refused.assert_b(SEND_EMPTY.0, SEND_EMPTY.1);
        let refused = send(json!({"username": "eric", "mobile_phone": "13800138002"})).await;
        refused.assert_b(NOT_THE_PHONE.0, NOT_THE_PHONE.1);
        let asked = json!({"username": "eric", "mobile_phone": ERIC});
        send(asked.clone()).await.assert_b_ok("已发送短信");
        let refused = send(asked).await;
        refused.assert_b_for_now(TOO_OFTEN.0, TOO_OFTEN.1, 50..=60);
        // `res.data.info.split(':')[1]`
        let info = refused.body["info"].as_str().unwrap();
        assert_eq!(info.split(':').nth(1), Some("8"));

        let verify = async |code: &str| {
            let body = json!({"username": "eric", "verification_code": code});
            page.post(MAKE_SURE, &body).await
        };
        let refused = verify("1").await;
        refused.assert_b(WRONG_CODE.0, WRONG_CODE.1);
        let taken = verify(&app.last_code(ERIC)).await;
        let token = app.learn_reset_token(&taken).unwrap();
        taken.assert_b_ok(&token);

        let change = json!({"username": "eric", "Verification_char": token, "new_password": NEW});
        page.post(CHANGE_PASSWD, &change)
            .await
            .assert_b_ok("密码修改成功");
        let refused = page.post(CHANGE_PASSWD, &change).await;
        refused.assert_b(DEAD_TOKEN.0, DEAD_TOKEN.1);
        app.assert_password_of_eric(NEW, ERIC_PASSWORD).await;
    })
    .await;
}

const ELSEWHERE: &[(&str, &str)] = &[
    FORM,
    ("origin", "https://www.example.com"),
    ("sec-fetch-site", "cross-site"),
];

#[tokio::test]
async fn needs_its_origin_among_the_configured_ones_where_the_api_has_another_host() {
    let asked = &json!({"username": "eric", "mobile_phone": ERIC});
    scenario(async |app| {
        let page = Client::new(app, ELSEWHERE, &[]);
        let refused = page.post(SEND_VERIFICATION_CODE, asked).await;
        refused.assert_forbidden();
    })
    .await;
    let configured = [("CORS_ORIGINS", "https://www.example.com")];
    scenario_with(&configured, async |app| {
        let page = Client::new(app, ELSEWHERE, &[]);
        let sent = page.post(SEND_VERIFICATION_CODE, asked).await;
        sent.assert_b_ok("已发送短信");
    })
    .await;
}
