//! Bodies: what every endpoint accepts, and how it refuses the rest in its dialect.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{
    ERIC, HOUR,
    message::PHONE_REQUIRED,
    mobile::{MOBILE, VERIFY_CODE},
    paths, scenario,
};

const SEND: &str = "/v1/user/sendLoginMessage";
/// The paths of dialect A.
const DIALECT_A: [&str; 16] = [
    SEND,
    "/v1/user/loginByMessage",
    "/v1/user/sendChangePasswordMessage",
    "/v1/user/changePasswordByMessage",
    "/v1/user/sendChangePasswordMessage2",
    "/v1/user/changePasswordByMessage2",
    "/v1/user/sendRegisterMessage",
    "/v1/user/register",
    "/v1/user/login",
    "/v1/user/info",
    "/v1/user/logout",
    "/v1/user/changePassword",
    "/v1/user/changeName",
    "/v1/user/changeNameAndGet",
    "/v1/user/sendDeleteMessage",
    "/v1/user/deleteByMessage",
];
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn dialect_a_has_every_route_that_is_not_of_b_or_c() {
    let mut of_a = paths();
    of_a.retain(|path| !path.starts_with("/Systems/") && ![VERIFY_CODE, MOBILE].contains(&&**path));
    let of_a: BTreeSet<String> = of_a.into_iter().collect();
    assert_eq!(of_a, DIALECT_A.map(str::to_owned).into());
}

#[tokio::test]
async fn body_not_valid() {
    scenario(async |app| {
        let large = format!(
            r#"{{"phone":"13800138001","padding":"{}"}}"#,
            "x".repeat(16 * 1024)
        );
        let deep = "[".repeat(2_000);
        let deep_object = format!(r#"{{"phone":{}"#, r#"{"a":"#.repeat(2_000));
        let bodies: Vec<Vec<u8>> = [
            " ",
            "{",
            "}",
            "null",
            "true",
            "5",
            "\"13800138001\"",
            "[]",
            r#"[{"phone":"13800138001"}]"#,
            r#"{"phone":"13800138001",}"#,
            "{'phone':'1'}",
            r#"{"phone":"\ud800"}"#,
            "phone=13800138001",
            &large,
            &deep,
            &deep_object,
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([vec![0xff, 0xfe], b"{\"phone\":\"\xff\"}".to_vec(), vec![0]])
        .collect();
        for path in DIALECT_A {
            for body in &bodies {
                for headers in [&[][..], &[JSON], &[("content-type", "text/plain")]] {
                    let answer = app.post_raw(path, headers, body.clone()).await;
                    let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
                    assert_eq!(answer.body["code"], "{BODY}_NOT_VALID", "{path}: {shown}");
                    answer.assert_a(400, "{BODY}_NOT_VALID", "Body not valid");
                }
            }
            let large_form = format!("phone=13800138001&padding={}", "x".repeat(16 * 1024));
            for body in [
                b"phone=%ff".to_vec(),
                b"phone=\xff".to_vec(),
                // What begins as JSON is read as JSON.
                b"{\"phone\":}".to_vec(),
                b"{phone=13800138001".to_vec(),
                large_form.into_bytes(),
            ] {
                let answer = app.post_raw(path, &[FORM], body).await;
                answer.assert_a(400, "{BODY}_NOT_VALID", "Body not valid");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_of_exactly_16_kib_is_read() {
    scenario(async |app| {
        let frame = r#"{"phone":"13800138001","padding":""}"#.len();
        let padding = "x".repeat(16 * 1024 - frame);
        let body = format!(r#"{{"phone":"13800138001","padding":"{padding}"}}"#);
        let sent = app.post_raw(SEND, &[JSON], body).await;
        sent.assert_ok(&json!(sent.result()));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_the_gateway_encodes_in_base64_is_read_as_it_was() {
    scenario(async |app| {
        // Neither type is text to API Gateway, so both arrive encoded.
        for content_type in [
            "application/octet-stream",
            "application/x-www-form-urlencoded",
        ] {
            let body = match content_type {
                "application/octet-stream" => json!({"phone": ERIC}).to_string(),
                _ => format!("phone={ERIC}"),
            };
            let sent = app
                .post_raw(SEND, &[("Content-Type", content_type)], body)
                .await;
            sent.assert_ok(&json!(sent.result()));
            app.wait(HOUR);
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_form_has_no_fields() {
    scenario(async |app| {
        for body in ["&&&", "=x", "phone", "phone=", "phone=+"] {
            let answer = app.post_raw(SEND, &[FORM], body).await;
            answer.assert_refused(PHONE_REQUIRED);
        }
    })
    .await;
}
