//! The document's own requests, in both forms of body; what is checked before what.

use serde_json::json;

use crate::support::{
    Answer, ERIC, FORM, TestApp, account,
    fault::sns_error,
    mobile::{FREE, MOBILE, OTHER, VERIFY_CODE, phone_of},
    scenario,
};

/// The document's JSON, which a comma after the last field makes invalid.
const DOCUMENT: &str = "{\n  \"mcode\": \"+86\",\n  \"mobile\": \"18518768888\",\n}";

/// The headers of the document's curl commands, without content type and token.
const CURL: [(&str, &str); 4] = [
    ("User-Agent", "Apifox/1.0.0 (https://apifox.com)"),
    ("Accept", "*/*"),
    ("Host", "api.zaihangyun.com"),
    ("Connection", "keep-alive"),
];

/// One of the document's curl commands, with this token.
async fn curl(app: &TestApp, content_type: &str, token: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = CURL.to_vec();
    headers.push(("Content-Type", content_type));
    headers.push(("Authorization", &bearer));
    app.post_raw(VERIFY_CODE, &headers, body.to_owned()).await
}

#[tokio::test]
async fn the_documents_form() {
    scenario(async |app| {
        // What curl makes of its --data-urlencode arguments.
        let (form, body) = (FORM.1, "mcode=%2B86&mobile=18518768888");
        let answer = curl(app, form, "ZaihangyunToken", body).await;
        answer.assert_c(401, "Unauthorized");
        let answer = curl(app, form, &app.session_of_eric().await, body).await;
        let document = "{\n    \"code\": 200,\n    \"msg\": \"success\"\n}";
        answer.assert(200, serde_json::from_str(document).unwrap());
        assert_eq!(app.texts(FREE).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_documents_json_works_without_its_last_comma_and_with_it_names_line_and_column() {
    scenario(async |app| {
        let json = "application/json";
        let session = app.session_of_eric().await;
        for token in ["ZaihangyunToken", &session] {
            let answer = curl(app, json, token, DOCUMENT).await;
            answer.assert_c(
                400,
                "Invalid Request: the body is not JSON at line 4 column 1",
            );
        }
        assert!(app.inbox().messages().is_empty());
        let repaired = DOCUMENT.replace("\",\n}", "\"\n}");
        let answer = curl(app, json, "ZaihangyunToken", &repaired).await;
        answer.assert_c(401, "Unauthorized");
        let answer = curl(app, json, &session, &repaired).await;
        answer.assert_c_success();
    })
    .await;
}

#[tokio::test]
async fn the_documents_failure_is_answered_as_printed() {
    scenario(async |app| {
        let answer = app
            .send_phone_change_code(&app.session_of_eric().await, "8888")
            .await;
        let document = "{\n    \"code\": \"400107\",\n    \"msg\": \"mobile must be valid\"\n}";
        answer.assert(200, serde_json::from_str(document).unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_code_moves_the_account_in_json_and_in_a_form_and_its_session_goes_on() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        let text = format!("【Latchkey】更换手机号验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(FREE), [text]);
        assert!(app.texts(ERIC).is_empty());
        app.change_phone(&session, FREE, &code)
            .await
            .assert_c_success();
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));

        let bearer = format!("Bearer {session}");
        let headers = [FORM, ("authorization", bearer.as_str())];
        let form = format!("mcode=%2B86&mobile={OTHER}");
        let sent = app.post_raw(VERIFY_CODE, &headers, form.clone()).await;
        sent.assert_c_success();
        let form = format!("{form}&verify_code={}", app.last_code(OTHER));
        let moved = app.post_raw(MOBILE, &headers, form).await;
        moved.assert_c_success();
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(OTHER)));

        // The newest number logs in, the earlier ones are free.
        let (ticket, code) = app.login_code(OTHER).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&account(5, "eric", OTHER));
        for left in [ERIC, FREE] {
            let answer = app.send_login_code(left).await;
            answer.assert_a(400, "USER_PHONE_NOT_EXIST", "User phone not exists");
        }
        app.move_to(&app.session_of_zoe().await, ERIC).await;
    })
    .await;
}

#[tokio::test]
async fn not_a_body() {
    scenario(async |app| {
        let large = format!(r#"{{"mcode":"+86","padding":"{}"}}"#, "x".repeat(16 * 1024));
        let deep = "[".repeat(2_000);
        let large_form = format!("mcode=%2B86&padding={}", "x".repeat(16 * 1024));
        let json = ("content-type", "application/json; charset=utf-8");
        let session = format!("Bearer {}", app.session_of_eric().await);
        let not_json =
            |line: u32, column: u32| format!("the body is not JSON at line {line} column {column}");
        let too_large = "the body is larger than 16384 bytes".to_owned();
        let not_utf8 = "the body is not UTF-8".to_owned();
        let not_object = "the body is not a JSON object".to_owned();
        for (content_type, body, problem) in [
            (json, &b" "[..], not_json(1, 1)),
            (json, b"{", not_json(1, 1)),
            (json, b"{'mcode':'+86'}", not_json(1, 2)),
            (json, b"{\"mcode\":\"+86\",}", not_json(1, 16)),
            (json, b"{}\n\n{}", not_json(3, 1)),
            (json, b"mcode=%2B86&mobile=18518768888", not_json(1, 1)),
            (json, br#"{"mcode":"\ud800"}"#, not_json(1, 17)),
            (json, deep.as_bytes(), not_json(1, 128)),
            (json, b"null", not_object.clone()),
            (json, b"5", not_object.clone()),
            (json, b"\"+86\"", not_object.clone()),
            (json, br#"[{"mcode":"+86"}]"#, not_object),
            (json, b"\xff\xfe", not_utf8.clone()),
            (json, b"{\"mcode\":\"\xff\"}", not_utf8.clone()),
            (json, large.as_bytes(), too_large.clone()),
            (FORM, b"mcode=%ff", not_utf8),
            (FORM, large_form.as_bytes(), too_large),
        ] {
            for path in [VERIFY_CODE, MOBILE] {
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
                let msg = format!("Invalid Request: {problem}");
                // With and without a session: the body is checked before the token.
                for headers in [
                    &[content_type][..],
                    &[content_type, ("authorization", &session)],
                ] {
                    let answer = app.post_raw(path, headers, body.to_vec()).await;
                    assert_eq!(answer.body["msg"], msg, "{path}: {shown}");
                    answer.assert_c(400, &msg);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_content_type_means_json_and_a_body_may_come_in_base64() {
    scenario(async |app| {
        let bearer = format!("Bearer {}", app.session_of_eric().await);
        let body = json!({"mcode": "+86", "mobile": FREE}).to_string();
        let bearer = ("authorization", bearer.as_str());
        let octets = ("content-type", "application/octet-stream");
        for headers in [&[bearer][..], &[bearer, octets]] {
            let answer = app.post_raw(VERIFY_CODE, headers, body.clone()).await;
            answer.assert_c_success();
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn each_check_comes_before_those_after_it() {
    let numberless = json!({"mcode": "+86"});
    let whole = json!({"mcode": "+86", "mobile": FREE});
    scenario(async |app| {
        // The number has just been sent a code, and SNS refuses us: what comes first is answered
        // although all that follows is wrong too.
        let session = app.session_of_eric().await;
        app.phone_change_code(&session, FREE).await;
        app.sns.break_it(sns_error(403, "AuthorizationError"));
        let nothing_configured = [
            ("LOGIN_ENABLED", "false"),
            ("SMS_BRAND", ""),
            ("SENDER_ID_REQUIRED", "86"),
            ("SMS_TEXTS", r#"{"86":{}}"#),
        ];
        app.redeploy(&nothing_configured).await;
        for path in [VERIFY_CODE, MOBILE] {
            let answer = app.post(path, json!({})).await;
            answer.assert_c(400, "Token is required");
            let answer = app.post_in_session(path, "x", json!({})).await;
            answer.assert_c(401, "Unauthorized");
            for (body, code, msg) in [
                (json!({}), "400104", "mcode must be required"),
                (json!({"mcode": "86"}), "400105", "mcode must be valid"),
                (json!({"mcode": "+44"}), "400105", "mcode must be valid"),
                (numberless.clone(), "400106", "mobile must be required"),
                (
                    json!({"mcode": "+86", "mobile": "1"}),
                    "400107",
                    "mobile must be valid",
                ),
            ] {
                let answer = app.post_in_session(path, &session, body).await;
                answer.assert_c(code, msg);
            }
        }
        let answer = app.post_in_session(MOBILE, &session, whole.clone()).await;
        answer.assert_c("400108", "verify_code must be required");
        for (configured, code, msg) in [
            (0, 400_198, "login interface config not found"),
            (1, 400_197, "sms config not found"),
            (2, 400_196, "sms sign name not found"),
            (3, 400_195, "sms template not found"),
        ] {
            app.redeploy(&nothing_configured[configured..]).await;
            let answer = app.send_phone_change_code(&session, FREE).await;
            answer.assert_c(code, msg);
        }
        app.redeploy(&[]).await;
        let answer = app.send_phone_change_code(&session, FREE).await;
        answer.assert_c_for_now(429, "Too Many Requests", 55..=60);
        app.wait(60);
        let answer = app.send_phone_change_code(&session, FREE).await;
        answer.assert_c(400_194, "sms access key not found");
    })
    .await;
}
