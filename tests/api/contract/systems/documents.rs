//! The document's own requests, in both forms of body.

use crate::support::{
    ERIC, ERIC_PASSWORD, FORM, eric,
    message::LOGIN_FAILED,
    scenario,
    systems::{CHANGE_PASSWD, MAKE_SURE, NEW, NEW_MD5, NOT_A_BODY, SEND_VERIFICATION_CODE},
};

/// The document's content type.
const JSON: (&str, &str) = ("Content-Type", "application/json;charset=utf-8");

#[tokio::test]
async fn the_documents_three_requests_set_a_password_that_logs_in_through_a() {
    scenario(async |app| {
        app.learn_password(NEW);
        // `mobile_phone` is an int in the document.
        let sent = app
            .post_raw(
                SEND_VERIFICATION_CODE,
                &[JSON],
                r#"{"username":"eric","mobile_phone":13800138001}"#,
            )
            .await;
        let document = r#"{"code":0,"msg":2006,"info":"已发送短信"}"#;
        sent.assert(200, serde_json::from_str(document).unwrap());

        let code = app.last_code(ERIC);
        let body = format!(r#"{{"username":"eric","verification_code":"{code}"}}"#);
        let taken = app.post_raw(MAKE_SURE, &[JSON], body).await;
        let token = app.learn_reset_token(&taken).unwrap();
        taken.assert_b_ok(&token);

        let body = format!(
            r#"{{"username":"eric","Verification_char":"{token}","new_password":"{NEW}"}}"#
        );
        let changed = app.post_raw(CHANGE_PASSWD, &[JSON], body).await;
        let document = r#"{"code":0,"msg":2006,"info":"密码修改成功"}"#;
        changed.assert(200, serde_json::from_str(document).unwrap());

        for form in [NEW, NEW_MD5, &NEW_MD5.to_uppercase()] {
            let answer = app.log_in_with_password("eric", form).await;
            answer.assert_ok_with_token(&eric());
        }
        let old = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        old.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn three_forms_set_a_password_too() {
    scenario(async |app| {
        app.learn_password(NEW);
        let form = format!("username=eric&mobile_phone={ERIC}");
        let sent = app.post_form(SEND_VERIFICATION_CODE, &form).await;
        sent.assert_b_ok("已发送短信");
        let code = app.last_code(ERIC);
        let form = format!("username=eric&verification_code={code}");
        let taken = app.post_form(MAKE_SURE, &form).await;
        let token = app.learn_reset_token(&taken).unwrap();
        taken.assert_b_ok(&token);
        let form = format!("username=eric&Verification_char={token}&new_password={NEW}");
        let changed = app.post_form(CHANGE_PASSWD, &form).await;
        changed.assert_b_ok("密码修改成功");
        let answer = app.log_in_with_password("eric", NEW).await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn the_documents_failures_are_answered_as_printed() {
    scenario(async |app| {
        let unknown = app.send_verification_code("nobody", ERIC).await;
        let document = r#"{"code":1,"msg":2002,"info":"用户不存在"}"#;
        unknown.assert(200, serde_json::from_str(document).unwrap());
        let document = r#"{"code":1,"msg":3003,"info":"账号、密码和验证码不可为空"}"#;
        for path in [MAKE_SURE, CHANGE_PASSWD] {
            let empty = app.post_raw(path, &[JSON], "{}").await;
            empty.assert(200, serde_json::from_str(document).unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn the_text_says_that_the_code_changes_the_password() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let text = format!("【Latchkey】修改密码验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC), [text]);
    })
    .await;
}

#[tokio::test]
async fn not_a_body() {
    scenario(async |app| {
        let large = format!(
            r#"{{"username":"eric","padding":"{}"}}"#,
            "x".repeat(16 * 1024)
        );
        let bodies: Vec<Vec<u8>> = [
            " ",
            "{",
            "null",
            "true",
            "5",
            "\"eric\"",
            "[]",
            r#"[{"username":"eric","mobile_phone":13800138001}]"#,
            r#"{"username":"eric","mobile_phone":13800138001,}"#,
            "username=eric&mobile_phone=13800138001",
            &large,
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([vec![0xff, 0xfe], b"{\"username\":\"\xff\"}".to_vec()])
        .collect();
        let (msg, info) = NOT_A_BODY;
        for path in [SEND_VERIFICATION_CODE, MAKE_SURE, CHANGE_PASSWD] {
            for body in &bodies {
                for headers in [&[][..], &[JSON], &[("content-type", "text/plain")]] {
                    let answer = app.post_raw(path, headers, body.clone()).await;
                    let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
                    assert_eq!(answer.body["info"], info, "{path}: {shown}");
                    answer.assert_b(msg, info);
                }
            }
            let large = format!("username=eric&padding={}", "x".repeat(16 * 1024));
            for body in [b"username=%ff".to_vec(), large.into_bytes()] {
                app.post_raw(path, &[FORM], body).await.assert_b(msg, info);
            }
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}
