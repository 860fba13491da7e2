//! The documents' sample requests as curl sends them: `curl -d '…'`, so JSON is labelled as a form, and with
//! the content type that a document names.

use serde_json::{Value, json};

use crate::support::{
    Answer, ERIC, ERIC_PASSWORD, FORM, MARY, TestApp, eric, mary,
    message::{PHONE_INFO_NOT_VALID, PHONE_UNKNOWN, USER_NOT_FOUND},
    mobile::{FREE, VERIFY_CODE},
    scenario,
    systems::{CHANGE_PASSWD, MAKE_SURE, NEW, SEND_VERIFICATION_CODE},
};

const JSON: (&str, &str) = ("content-type", "application/json");
const CURL: (&str, &str) = ("user-agent", "curl/8.5.0");
const LABELS: [(&str, &str); 2] = [FORM, JSON];

/// The ticket that the documents of dialect A print, of another system.
const TICKET: &str = "T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NakEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uN2JjYWZkYjA1ZGEzNzM0ZTAxYWMzODVkNjFlYzRjMWE.";

/// A document's printed answer, with the ticket that came in place of the printed one.
fn printed(answer: &str, ticket: &str) -> Value {
    let answer = answer.replace(TICKET, ticket);
    serde_json::from_str(&answer).unwrap()
}

const SENT: &str = r#"{
    "status": 200,
    "result": "T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NakEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uN2JjYWZkYjA1ZGEzNzM0ZTAxYWMzODVkNjFlYzRjMWE.",
    "code": "OK",
    "success": true
}"#;

async fn curl(
    app: &TestApp,
    label: (&'static str, &'static str),
    path: &str,
    body: &str,
) -> Answer {
    app.post_raw(path, &[CURL, label], body.to_owned()).await
}

#[tokio::test]
async fn a_login_by_message() {
    scenario(async |app| {
        for label in LABELS {
            let body = "{\n\t\"phone\":\"13800138001\"\n}";
            let sent = curl(app, label, "/v1/user/sendLoginMessage", body).await;
            sent.assert(200, printed(SENT, sent.result()));
            // As printed, it holds another system's ticket.
            let body = format!("{{\n\t\"phoneInfo\":\"{TICKET}\",\n\t\"code\":\"026129\"\n}}");
            let answer = curl(app, label, "/v1/user/loginByMessage", &body).await;
            answer.assert_refused(PHONE_INFO_NOT_VALID);
            let body = body
                .replace(TICKET, sent.result())
                .replace("026129", &app.last_code(ERIC));
            let answer = curl(app, label, "/v1/user/loginByMessage", &body).await;
            answer.assert_ok_with_token(&eric());
            app.wait(120);
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_changed_without_a_session() {
    scenario(async |app| {
        let md5 = "665421e4e5c6a354d8698fa1df103851";
        app.learn(md5);
        for label in LABELS {
            // No account has the printed number here.
            let body = "{\n\t\"phone\":\"13732140413\"\n}";
            let path = "/v1/user/sendChangePasswordMessage2";
            let answer = curl(app, label, path, body).await;
            answer.assert_refused(USER_NOT_FOUND);
            let body = body.replace("13732140413", MARY);
            let sent = curl(app, label, path, &body).await;
            sent.assert(200, printed(SENT, sent.result()));
            let body = format!(
                "{{\n\t\"phoneInfo\":\"{}\",\n\t\"code\":\"{}\",\n\t\"newPassword\":\"{md5}\"\n}}",
                sent.result(),
                app.last_code(MARY)
            );
            let path = "/v1/user/changePasswordByMessage2";
            let answer = curl(app, label, path, &body).await;
            let document = r#"{"status": 200, "result": true, "code": "OK", "success": true}"#;
            answer.assert(200, serde_json::from_str(document).unwrap());
            let answer = app.log_in_with_password(MARY, md5).await;
            answer.assert_ok_with_token(&mary());
            app.wait(120);
        }
        // The document's table misspells the fields.
        let body = format!(r#"{{"contryCode":"86","phon":"{MARY}"}}"#);
        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = curl(app, FORM, path, &body).await;
        sent.assert(200, printed(SENT, sent.result()));
        let unknown = curl(
            app,
            FORM,
            "/v1/user/sendLoginMessage",
            r#"{"phone":"13732140413"}"#,
        );
        unknown.await.assert_refused(PHONE_UNKNOWN);
    })
    .await;
}

#[tokio::test]
async fn a_password_changed_in_a_session() {
    scenario(async |app| {
        app.learn_password("026129");
        let token = app.session_of_eric().await;
        let bearer = format!("Bearer {token}");
        let headers = [CURL, FORM, ("authorization", bearer.as_str())];
        let path = "/v1/user/sendChangePasswordMessage";
        let sent = app.post_raw(path, &headers, "{\n\t\n}").await;
        sent.assert_ok_with_token(&json!(sent.result()));
        let body = format!(
            "{{\n\t\"phoneInfo\":\"{}\",\n        \"code\":\"{}\",\n\t\"newPassword\":\"026129\"\n}}",
            sent.result(),
            app.last_code(ERIC)
        );
        let path = "/v1/user/changePasswordByMessage";
        let answer = app.post_raw(path, &headers, body).await;
        answer.assert_ok_with_token(&json!(true));
        app.assert_password_of_eric("026129", ERIC_PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_password_of_dialect_b() {
    scenario(async |app| {
        app.learn_password(NEW);
        let named = ("content-type", "application/json;charset=utf-8");
        for label in [FORM, named] {
            let body = r#"{"username":"eric","mobile_phone":13800138001}"#;
            let sent = curl(app, label, SEND_VERIFICATION_CODE, body).await;
            sent.assert_b_ok("已发送短信");
            let code = app.last_code(ERIC);
            let body = format!(r#"{{"username":"eric","verification_code":"{code}"}}"#);
            let taken = curl(app, label, MAKE_SURE, &body).await;
            let token = app.learn_reset_token(&taken).unwrap();
            taken.assert_b_ok(&token);
            let body = format!(
                r#"{{"username":"eric","Verification_char":"{token}","new_password":"{NEW}"}}"#
            );
            let changed = curl(app, label, CHANGE_PASSWD, &body).await;
            changed.assert_b_ok("密码修改成功");
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_number_of_dialect_c() {
    scenario(async |app| {
        let bearer = format!("Bearer {}", app.session_of_eric().await);
        let headers = |label| {
            [
                ("user-agent", "Apifox/1.0.0 (https://apifox.com)"),
                ("authorization", bearer.as_str()),
                ("accept", "*/*"),
                label,
            ]
        };
        let post = async |label, body: &str| {
            app.post_raw(VERIFY_CODE, &headers(label), body.to_owned())
                .await
        };
        let form = post(FORM, "mcode=%2B86&mobile=18518768888").await;
        form.assert_c_success();
        // As printed, with its comma too many, under both labels.
        let printed = "{\n  \"mcode\": \"+86\",\n  \"mobile\": \"18518768888\",\n}";
        for label in LABELS {
            app.wait(60);
            let msg = "Invalid Request: the body is not JSON at line 4 column 1";
            post(label, printed).await.assert_c(400, msg);
            let repaired = printed.replace("\",\n}", "\"\n}");
            post(label, &repaired).await.assert_c_success();
        }
        assert_eq!(app.texts(FREE).len(), 3);
    })
    .await;
}
