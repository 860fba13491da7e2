//! Seed 004, "change the phone number", dialect C: every request, response and error row.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::{
    faults::sns_error,
    login::wrong,
    support::{
        Answer, ERIC, MARY, TestApp,
        dialects::{FORM, MOBILE, VERIFY_CODE},
        relay::Fault,
        scenario, scenario_with,
    },
};

/// The number in the document's requests; nobody's here.
const FREE: &str = "18518768888";
/// Nobody's either.
const OTHER: &str = "13900139000";

/// The document's JSON, with the comma after the last field that makes it none.
const DOCUMENT: &str = "{\n  \"mcode\": \"+86\",\n  \"mobile\": \"18518768888\",\n}";

/// What both of the document's curl commands send beside the content type and the token.
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

/// Another account, whose password is her name and a bit.
async fn zoe(app: &TestApp) -> String {
    app.create_user_with(7, "zoe", "13900139007", Some("zoe-password"))
        .await;
    app.session_of("zoe", "zoe-password").await
}

/// The phone of an account, as dialect A tells it.
async fn phone_of(app: &TestApp, session: &str) -> (Value, Value) {
    let answer = app.info(session).await;
    let result = &answer.body["result"];
    (result["countryCode"].clone(), result["phone"].clone())
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

        // The numbers go where the account goes: the newest logs in, the others are free.
        let (ticket, code) = app.login_code(OTHER).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        for left in [ERIC, FREE] {
            let answer = app.send_login_code(left).await;
            answer.assert_a(400, "USER_PHONE_NOT_EXIST", "User phone not exists");
        }
        app.move_to(&zoe(app).await, ERIC).await;
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
            (json, &b""[..], not_json(1, 0)),
            (json, b" ", not_json(1, 1)),
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
                // Whoever asks: a body that cannot be read is looked at before the token.
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

#[tokio::test]
async fn token_is_required() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let body =
            json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456", "token": session});
        for path in [VERIFY_CODE, MOBILE] {
            for headers in [
                &[][..],
                &[("authorization", "")],
                &[("authorization", "  ")],
                &[("authorization", "Bearer")],
                &[("authorization", "Bearer ")],
                &[("authorization", "bearer  ")],
                // Dialect A's other places are not this dialect's.
                &[("token", &session)],
            ] {
                let answer = app.post_raw(path, headers, body.to_string()).await;
                answer.assert_c(400, "Token is required");
            }
        }
        let path = format!("{VERIFY_CODE}?token={session}&Authorization={session}");
        let answer = app.post(&path, body).await;
        answer.assert_c(400, "Token is required");
    })
    .await;
}

#[tokio::test]
async fn unauthorized_is_a_token_that_is_not_ours_or_not_honoured_any_more() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let (ticket, _) = app.login_code(MARY).await;
        let reset = app.reset_token("mary", MARY).await;
        let cut = session[..session.len() - 1].to_owned();
        let good = json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456"});
        let unauthorized = async |token: &str| {
            for path in [VERIFY_CODE, MOBILE] {
                // Nothing is said of the parameters, good or bad.
                for body in [&good, &json!({})] {
                    let answer = app.post_in_session(path, token, body.clone()).await;
                    answer.assert_c(401, "Unauthorized");
                }
            }
        };
        for token in [
            "x",
            "x.y.z",
            "Bearer x",
            "ZaihangyunToken",
            &cut,
            &ticket,
            &reset,
        ] {
            unauthorized(token).await;
        }
        for scheme in ["Basic", "Token"] {
            let header = format!("{scheme} {session}");
            let headers = [("authorization", header.as_str())];
            let answer = app.post_raw(VERIFY_CODE, &headers, good.to_string()).await;
            answer.assert_c(401, "Unauthorized");
        }
        // Revoked by a new password.
        let reset = app.reset_token("eric", ERIC).await;
        let changed = app.change_passwd("eric", &reset, "Wachtwoord42").await;
        changed.assert_b_ok("密码修改成功");
        unauthorized(&session).await;
        // Of an account that has gone.
        let session = app.session_of("eric", "Wachtwoord42").await;
        app.operator_deletes(5).await;
        unauthorized(&session).await;
        assert!(app.texts(FREE).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_bare_token_will_do_and_the_scheme_is_written_in_any_case() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let body = json!({"mcode": "+86", "mobile": FREE}).to_string();
        for header in [
            session.clone(),
            format!("bearer {session}"),
            format!("BEARER   {session}"),
            format!("  {session}  "),
        ] {
            let headers = [("authorization", header.as_str())];
            let answer = app.post_raw(VERIFY_CODE, &headers, body.clone()).await;
            answer.assert_c_success();
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn token_expired_after_thirty_days() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        app.wait(30 * 24 * 3600 - 5);
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(5);
        for answer in [
            app.send_phone_change_code(&session, FREE).await,
            app.change_phone(&session, FREE, &code).await,
            app.post_in_session(VERIFY_CODE, &session, json!({})).await,
        ] {
            answer.assert_c(402, "Token expired");
        }
    })
    .await;
}

#[tokio::test]
async fn forbidden_to_a_disabled_account_throttled_or_not() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        for answer in [
            app.send_phone_change_code(&session, FREE).await,
            app.send_phone_change_code(&session, OTHER).await,
            app.change_phone(&session, FREE, &code).await,
            app.change_phone(&session, FREE, &wrong(&code, 0)).await,
            app.post_in_session(MOBILE, &session, json!({})).await,
        ] {
            answer.assert_c(403, "Forbidden");
        }
        assert_eq!(app.inbox().messages().len(), 1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}

/// Posts each of these as a field of a body that is good otherwise, to both endpoints.
async fn field_gets(app: &TestApp, field: &str, values: &[Value], code: &str, msg: &str) {
    let session = app.session_of_eric().await;
    for path in [VERIFY_CODE, MOBILE] {
        let good = json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456"});
        for value in values {
            let mut body = good.clone();
            body[field] = value.clone();
            let answer = app.post_in_session(path, &session, body).await;
            assert_eq!(answer.body["code"], code, "{path} {field}: {value}");
            answer.assert_c(code, msg);
        }
    }
    assert!(app.inbox().messages().is_empty());
    let read = app.calls().0;
    let read = read
        .iter()
        .filter(|call| ["verify-code", "mobile"].contains(&call.caller.as_str()));
    // Once each, for whom the token speaks.
    assert_eq!(read.count(), 2 * values.len());
}

#[tokio::test]
async fn mcode_must_be_required() {
    let nothing = [json!(null), json!(""), json!(" "), json!("\t\n")];
    scenario(async |app| {
        field_gets(app, "mcode", &nothing, "400104", "mcode must be required").await;
        let session = app.session_of_eric().await;
        for body in [
            json!({"mobile": FREE}),
            json!({"Mcode": "+86", "mobile": FREE}),
        ] {
            let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
            answer.assert_c("400104", "mcode must be required");
        }
        let bearer = format!("Bearer {session}");
        let headers = [FORM, ("authorization", bearer.as_str())];
        for form in ["mobile=18518768888", "mcode=&mobile=18518768888"] {
            let answer = app.post_raw(VERIFY_CODE, &headers, form).await;
            answer.assert_c("400104", "mcode must be required");
        }
    })
    .await;
}

#[tokio::test]
async fn mcode_must_be_valid() {
    let malformed = [
        json!("86"),
        json!("+"),
        json!("++86"),
        json!("+8a"),
        json!("+ 86"),
        json!("+86 1"),
        json!("+8600"),
        json!("0086"),
        json!("-86"),
        json!("+８６"),
        json!("中国"),
        // Of the right form, and no country or not served.
        json!("+0"),
        json!("+086"),
        json!("+44"),
        json!("+1"),
        json!(86),
        json!(-86),
        json!(true),
        json!(["+86"]),
        json!({"code": "+86"}),
    ];
    scenario(async |app| {
        field_gets(app, "mcode", &malformed, "400105", "mcode must be valid").await;
        // A plus that is not encoded is a space in a form.
        let bearer = format!("Bearer {}", app.session_of_eric().await);
        let headers = [FORM, ("authorization", bearer.as_str())];
        let form = "mcode=+86&mobile=18518768888";
        let answer = app.post_raw(VERIFY_CODE, &headers, form).await;
        answer.assert_c("400105", "mcode must be valid");
    })
    .await;
}

#[tokio::test]
async fn mobile_must_be_required() {
    let nothing = [json!(null), json!(""), json!(" "), json!("\t\n")];
    scenario(async |app| {
        field_gets(app, "mobile", &nothing, "400106", "mobile must be required").await;
        let session = app.session_of_eric().await;
        let body = json!({"mcode": "+86", "phone": FREE});
        let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
        answer.assert_c("400106", "mobile must be required");
    })
    .await;
}

#[tokio::test]
async fn mobile_must_be_valid() {
    let malformed = [
        json!("1851876888"),
        json!("185187688888"),
        json!("12518768888"),
        json!("28518768888"),
        json!("+8618518768888"),
        json!("8618518768888"),
        json!("185 1876 8888"),
        json!("185-1876-8888"),
        json!("1851876888x"),
        json!("１８５１８７６８８８８"),
        json!("手机"),
        json!(1_851_876_888),
        json!(1.85e10),
        json!(-1),
        json!(true),
        json!([FREE]),
        json!({"number": FREE}),
    ];
    scenario(async |app| {
        field_gets(app, "mobile", &malformed, "400107", "mobile must be valid").await;
    })
    .await;
}

#[tokio::test]
async fn mcode_and_mobile_may_have_space_around_them_and_mobile_may_be_a_number() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        for body in [
            json!({"mcode": " +86 ", "mobile": "\t18518768888\n"}),
            json!({"mcode": "+86", "mobile": 18_518_768_888_u64, "unknown": [1]}),
        ] {
            let answer = app.post_in_session(VERIFY_CODE, &session, body).await;
            answer.assert_c_success();
            app.wait(60);
        }
        assert_eq!(app.texts(FREE).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn verify_code_must_be_a_string_of_at_most_six_characters() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        let number: u32 = code.parse().unwrap();
        let refused = async |value: Value, code: &str, msg: &str| {
            let body = json!({"mcode": "+86", "mobile": FREE, "verify_code": value});
            let answer = app.post_in_session(MOBILE, &session, body).await;
            assert_eq!(answer.body["code"], code, "{value}");
            answer.assert_c(code, msg);
        };
        for nothing in [json!(null), json!(""), json!("  ")] {
            refused(nothing, "400108", "verify_code must be required").await;
        }
        for no_string in [
            json!(number),
            json!(0),
            json!(1_234_567),
            json!(true),
            json!([code]),
            json!({"code": code}),
        ] {
            refused(no_string, "400109", "verify_code must be a string").await;
        }
        for long in [format!("{code}0"), "abcdefg".into(), "验".repeat(7)] {
            let msg = "verify_code must be at most 6 characters";
            refused(json!(long), "400110", msg).await;
        }
        // None of it was a try.
        let slot = format!("change-phone#5#+86{FREE}");
        assert_eq!(wrong_tries(app, &slot).await, "0");
        let moved = app.change_phone(&session, FREE, &format!(" {code} ")).await;
        moved.assert_c_success();
    })
    .await;
}

async fn wrong_tries(app: &TestApp, slot: &str) -> String {
    let item = app.code_item(slot).await;
    let Some(AttributeValue::M(challenge)) = item.get("challenge") else {
        panic!("no challenge");
    };
    challenge["wrong_tries"].as_n().unwrap().clone()
}

#[tokio::test]
async fn verify_code_error() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        for guess in [wrong(&code, 0), wrong(&code, 1), "验".repeat(6), "1".into()] {
            let answer = app.change_phone(&session, FREE, &guess).await;
            answer.assert_c(400_190, "verify code error");
        }
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}

#[tokio::test]
async fn verify_code_expired() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let zoe = zoe(app).await;
        let expired = async |session: &str, mobile: &str, code: &str| {
            let answer = app.change_phone(session, mobile, code).await;
            answer.assert_c(400_191, "verify code expired");
        };
        // None was ever sent.
        expired(&session, FREE, "123456").await;
        // For another number, and another account's.
        let code = app.phone_change_code(&session, FREE).await;
        expired(&session, OTHER, &code).await;
        expired(&zoe, FREE, &code).await;
        // Five wrong tries, then not even the right one.
        for n in 0..5 {
            let answer = app.change_phone(&session, FREE, &wrong(&code, n)).await;
            answer.assert_c(400_190, "verify code error");
        }
        expired(&session, FREE, &code).await;
        // Five minutes, to the second.
        app.wait(60);
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(300);
        expired(&session, FREE, &code).await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(298);
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
        // Spent.
        expired(&session, FREE, &code).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_sent_by_another_dialect_moves_no_account() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let recovery = app.verification_code("mary", MARY).await;
        let (_, login) = app.login_code(MARY).await;
        for code in [recovery, login] {
            let answer = app.change_phone(&session, MARY, &code).await;
            answer.assert_c(400_191, "verify code expired");
        }
        let code = app.phone_change_code(&session, FREE).await;
        let answer = app.make_sure("eric", &code).await;
        answer.assert_b(8014, "验证码已过期");
    })
    .await;
}

#[tokio::test]
async fn how_long_a_code_is_valid_is_configured() {
    for (seconds, minutes) in [("60", 1), ("600", 10)] {
        let environment = [("PHONE_CHANGE_CODE_SECONDS", seconds)];
        scenario_with(&environment, async |app| {
            let session = app.session_of_eric().await;
            let code = app.phone_change_code(&session, FREE).await;
            let text =
                format!("【Latchkey】更换手机号验证码{code}，{minutes}分钟内有效，请勿告诉他人");
            assert_eq!(app.texts(FREE), [text]);
            app.wait(minutes * 60);
            let answer = app.change_phone(&session, FREE, &code).await;
            answer.assert_c(400_191, "verify code expired");
            let code = app.phone_change_code(&session, FREE).await;
            app.wait(minutes * 60 - 2);
            let moved = app.change_phone(&session, FREE, &code).await;
            moved.assert_c_success();
            // It is this dialect's alone.
            let code = app.verification_code("mary", MARY).await;
            app.wait(298);
            assert_eq!(app.make_sure("mary", &code).await.body["msg"], 2006);
        })
        .await;
    }
}

#[tokio::test]
async fn too_many_requests_within_a_minute_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(20);
        let refused = app.send_phone_change_code(&session, FREE).await;
        refused.assert_c_for_now(429, "Too Many Requests", 38..=40);
        // Another number is another matter.
        app.phone_change_code(&session, OTHER).await;
        app.wait(refused.retry_after().unwrap());
        assert_eq!(app.phone_change_code(&session, FREE).await, code);
        assert_eq!(app.texts(FREE).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_in_an_hour_and_after_ten_wrong_codes() {
    scenario(async |app| {
        const DAY: u64 = 24 * 3600;
        let session = app.session_of_eric().await;
        for _ in 0..5 {
            app.phone_change_code(&session, FREE).await;
            app.wait(60);
        }
        let refused = app.send_phone_change_code(&session, FREE).await;
        refused.assert_c_for_now(429, "Too Many Requests", 3595 - 5 * 60..=3600 - 5 * 60);

        for _ in 0..2 {
            let code = app.phone_change_code(&session, OTHER).await;
            for n in 0..5 {
                let answer = app.change_phone(&session, OTHER, &wrong(&code, n)).await;
                answer.assert_c(400_190, "verify code error");
            }
            app.wait(60);
        }
        let refused = app.send_phone_change_code(&session, OTHER).await;
        refused.assert_c_for_now(429, "Too Many Requests", DAY - 125..=DAY - 115);
        let refused = app.change_phone(&session, OTHER, "123456").await;
        refused.assert_c_for_now(400_191, "verify code expired", DAY - 125..=DAY - 115);
    })
    .await;
}

#[tokio::test]
async fn login_interface_config_not_found_while_login_is_switched_off() {
    scenario_with(&[("LOGIN_ENABLED", "false")], async |app| {
        assert_not_configured(app, 400_198, "login interface config not found").await;
    })
    .await;
}

#[tokio::test]
async fn sms_config_not_found_without_a_brand() {
    for brand in ["", " "] {
        scenario_with(&[("SMS_BRAND", brand)], async |app| {
            assert_not_configured(app, 400_197, "sms config not found").await;
        })
        .await;
    }
}

#[tokio::test]
async fn sms_sign_name_not_found_in_a_country_that_requires_a_sender_id() {
    let environment = [
        ("SENDER_ID_REQUIRED", "44,86"),
        ("SENDER_IDS", r#"{"44":"Latchkey"}"#),
    ];
    scenario_with(&environment, async |app| {
        assert_not_configured(app, 400_196, "sms sign name not found").await;
    })
    .await;
    let environment = [
        ("SENDER_ID_REQUIRED", "86"),
        ("SENDER_IDS", r#"{"86":"Latchkey"}"#),
    ];
    scenario_with(&environment, async |app| {
        app.phone_change_code(&app.session_of_eric().await, FREE)
            .await;
        let sms = &app.inbox().messages()[0];
        assert_eq!(sms.attributes["AWS.SNS.SMS.SenderID"], "Latchkey");
    })
    .await;
}

#[tokio::test]
async fn sms_template_not_found_without_a_text_for_the_purpose() {
    for texts in [r#"{"86":{}}"#, r#"{"86":{"login":"{code} logs you in"}}"#] {
        scenario_with(&[("SMS_TEXTS", texts)], async |app| {
            assert_not_configured(app, 400_195, "sms template not found").await;
        })
        .await;
    }
    let environment = [(
        "SMS_TEXTS",
        r#"{"86":{"change-phone":"{brand}: {code} ({minutes})"}}"#,
    )];
    scenario_with(&environment, async |app| {
        let code = app
            .phone_change_code(&app.session_of_eric().await, FREE)
            .await;
        assert_eq!(app.texts(FREE), [format!("Latchkey: {code} (5)")]);
    })
    .await;
}

/// Asserts that nothing is sent, and that nothing is stored that could throttle the next attempt.
async fn assert_not_configured(app: &TestApp, code: u32, msg: &str) {
    let session = app.session_of_eric().await;
    let answer = app.send_phone_change_code(&session, FREE).await;
    answer.assert_c(code, msg);
    assert!(app.inbox().messages().is_empty());
    let slot = format!("change-phone#5#+86{FREE}");
    assert!(app.code_item(&slot).await.is_empty());
}

#[tokio::test]
async fn sms_access_key_not_found_rejected_and_unavailable_are_what_sns_says() {
    for (code, msg, faults) in [
        (
            400_194,
            "sms access key not found",
            vec![
                sns_error(403, "AuthorizationError"),
                sns_error(403, "InvalidClientTokenId"),
            ],
        ),
        (
            400_193,
            "sms rejected",
            vec![
                sns_error(400, "OptedOut"),
                sns_error(400, "InvalidParameter"),
                // The spend limit, or whatever else SNS has against this message.
                sns_error(400, "MonthlySpendLimitReached"),
            ],
        ),
        (
            400_192,
            "sms unavailable",
            vec![
                Fault::Refuses,
                sns_error(400, "Throttling"),
                sns_error(429, "Throttled"),
                sns_error(500, "InternalError"),
                Fault::Answers {
                    status: 503,
                    body: "<html>busy</html>".into(),
                },
                Fault::Hangs,
            ],
        ),
    ] {
        scenario(async |app| {
            let session = app.session_of_eric().await;
            for (n, fault) in faults.iter().enumerate() {
                let mobile = format!("1390013910{n}");
                app.sns.break_it(fault.clone());
                let answer = app.send_phone_change_code(&session, &mobile).await;
                assert_eq!(answer.body["code"], code, "{fault:?}");
                answer.assert_c(code, msg);
                assert!(answer.took < Duration::from_secs(10), "{fault:?}");
                // A message that did not go out gives its cool-down back.
                app.sns.mend().await;
                let code = app.phone_change_code(&session, &mobile).await;
                assert_eq!(app.texts(&mobile).len(), 1, "{fault:?}");
                let moved = app.change_phone(&session, &mobile, &code).await;
                moved.assert_c_success();
            }
        })
        .await;
    }
}

#[tokio::test]
async fn mobile_already_in_use() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        // Somebody else's, and one's own.
        for taken in [MARY, ERIC] {
            let answer = app.send_phone_change_code(&session, taken).await;
            answer.assert_c(400_199, "mobile already in use");
        }
        assert!(app.inbox().messages().is_empty());
        // Taken while the code was on its way, and free again before it has expired.
        let zoe = zoe(app).await;
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(60);
        app.move_to(&zoe, FREE).await;
        let answer = app.change_phone(&session, FREE, &wrong(&code, 0)).await;
        answer.assert_c(400_190, "verify code error");
        let answer = app.change_phone(&session, FREE, &code).await;
        answer.assert_c(400_199, "mobile already in use");
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
        assert_eq!(phone_of(app, &zoe).await, (json!("86"), json!(FREE)));
        app.move_to(&zoe, OTHER).await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}

#[tokio::test]
async fn what_was_issued_for_the_old_number_is_dead() {
    let environment = [("SENDS_PER_PHONE_HOUR", "6")];
    scenario_with(&environment, async |app| {
        let session = app.session_of_eric().await;
        let (login_ticket, login_code) = app.login_code(ERIC).await;
        let reset = app.reset_token("eric", ERIC).await;
        app.wait(60);
        let recovery = app.verification_code("eric", ERIC).await;
        let send = "/v1/user/sendChangePasswordMessage2";
        let sent = app.post(send, json!({"phone": ERIC})).await;
        let (forgotten_ticket, forgotten_code) = (sent.result().to_owned(), app.last_code(ERIC));
        let send = "/v1/user/sendChangePasswordMessage";
        let sent = app.post_in_session(send, &session, json!({})).await;
        let (change_ticket, change_code) = (sent.result().to_owned(), app.last_code(ERIC));
        assert_eq!(app.texts(ERIC).len(), 5);

        app.move_to(&session, FREE).await;

        let not_match = json!({
            "success": false,
            "message": "User phone not match.",
            "code": "USER_PHONE_NOT_MATCH",
            "status": 400,
        });
        let answer = app.log_in(&login_ticket, &login_code).await;
        answer.assert(400, not_match.clone());
        let forgotten = json!({
            "phoneInfo": forgotten_ticket,
            "code": forgotten_code,
            "newPassword": "Wachtwoord42",
        });
        let answer = app
            .post("/v1/user/changePasswordByMessage2", forgotten)
            .await;
        answer.assert(400, not_match.clone());
        let change = json!({
            "phoneInfo": change_ticket,
            "code": change_code,
            "newPassword": "Wachtwoord42",
        });
        let path = "/v1/user/changePasswordByMessage";
        let mut answer = app.post_in_session(path, &session, change).await;
        // The session is honoured, so the answer carries a fresh token.
        assert!(
            answer
                .body
                .as_object_mut()
                .unwrap()
                .remove("token")
                .is_some()
        );
        answer.assert(400, not_match);
        let answer = app.make_sure("eric", &recovery).await;
        answer.assert_b(8014, "验证码已过期");
        let answer = app.change_passwd("eric", &reset, "Wachtwoord42").await;
        answer.assert_b(8014, "令牌已过期");
        // Nor does it help whoever has the number next.
        app.wait(60);
        app.move_to(&zoe(app).await, ERIC).await;
        let answer = app.make_sure("zoe", &recovery).await;
        answer.assert_b(8014, "验证码已过期");
        let answer = app.change_passwd("zoe", &reset, "Wachtwoord42").await;
        answer.assert_b(8013, "令牌无效");
        app.session_of_eric().await;
        app.session_of("zoe", "zoe-password").await;
    })
    .await;
}

/// The notice, in Chinese.
const MOVED: &str = "【Latchkey】您的账号已更换手机号，如非本人操作，请尽快联系我们";

#[tokio::test]
async fn the_old_number_is_told() {
    scenario(async |app| {
        app.move_to(&app.session_of_eric().await, FREE).await;
        assert_eq!(app.texts(ERIC), [MOVED]);
        assert_eq!(app.texts(FREE).len(), 1);
        let notice = app.inbox().messages().pop().unwrap();
        let attribute = |name: &str| notice.attributes.get(name).map(String::as_str);
        assert_eq!(attribute("AWS.SNS.SMS.SMSType"), Some("Transactional"));
        assert_eq!(attribute("AWS.SNS.SMS.MaxPrice"), Some("0.20"));
    })
    .await;
}

#[tokio::test]
async fn the_old_number_is_told_nothing_of_a_move_that_failed() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.change_phone(&session, FREE, &wrong(&code, 0)).await;
        app.change_phone(&session, OTHER, &code).await;
        assert!(app.texts(ERIC).is_empty());
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_where_it_is_switched_off() {
    scenario_with(&[("NOTIFY_OLD_NUMBER", "false")], async |app| {
        let session = app.session_of_eric().await;
        app.move_to(&session, FREE).await;
        assert!(app.texts(ERIC).is_empty());
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
    })
    .await;
}

#[tokio::test]
async fn a_failure_to_tell_the_old_number_does_not_undo_the_move() {
    for fault in [
        sns_error(400, "OptedOut"),
        sns_error(403, "AuthorizationError"),
        Fault::Refuses,
        Fault::Hangs,
    ] {
        scenario(async |app| {
            let session = app.session_of_eric().await;
            let code = app.phone_change_code(&session, FREE).await;
            app.sns.break_it(fault.clone());
            let moved = app.change_phone(&session, FREE, &code).await;
            moved.assert_c_success();
            assert!(moved.took < Duration::from_secs(10), "{fault:?}");
            app.sns.mend().await;
            assert!(app.texts(ERIC).is_empty());
            assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
        })
        .await;
    }
    // Nor does a gap in the configuration.
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.redeploy(&[("SMS_BRAND", "")]).await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
        assert!(app.texts(ERIC).is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_phone_moves_to_one_and_nobody_is_told() {
    scenario(async |app| {
        app.create_user_with(7, "phoneless", "", Some("zoe-password"))
            .await;
        let session = app.session_of("phoneless", "zoe-password").await;
        app.move_to(&session, FREE).await;
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(FREE)));
        assert_eq!(app.inbox().messages().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn to_another_country_and_back() {
    let environment = [("ALLOWED_COUNTRY_CODES", "86,44")];
    scenario_with(&environment, async |app| {
        const ABROAD: &str = "+447400123456";
        let session = app.session_of_eric().await;
        let there = json!({"mcode": "+44", "mobile": "7400123456"});
        let sent = app.post_in_session(VERIFY_CODE, &session, there.clone()).await;
        sent.assert_c_success();
        let messages = app.inbox().to(ABROAD);
        let code = crate::support::digits_of(&messages[0].message);
        assert_eq!(
            messages[0].message,
            format!(
                "{code} moves your Latchkey account to this number, valid for 5 min. Don't share it."
            )
        );
        let mut body = there;
        body["verify_code"] = json!(code);
        let moved = app.post_in_session(MOBILE, &session, body).await;
        moved.assert_c_success();
        assert_eq!(app.texts(ERIC), [MOVED], "the number there, its language");
        assert_eq!(
            phone_of(app, &session).await,
            (json!("44"), json!("7400123456"))
        );
        // Dialect B knows the number by its plus only.
        let answer = app.send_verification_code("eric", "7400123456").await;
        answer.assert_b(8011, "手机号格式错误");
        let answer = app.send_verification_code("eric", "+8613800138001").await;
        answer.assert_b(8005, "手机号与绑定手机号不一致");
        let answer = app.send_verification_code("eric", ABROAD).await;
        answer.assert_b_ok("已发送短信");

        app.move_to(&session, ERIC).await;
        let told = app.inbox().to(ABROAD).pop().unwrap();
        assert_eq!(
            told.message,
            "Your Latchkey account now has another phone number. If this wasn't you, contact us at once."
        );
        assert_eq!(phone_of(app, &session).await, (json!("86"), json!(ERIC)));
    })
    .await;
}

#[tokio::test]
async fn a_number_is_sent_one_code_a_minute_whoever_asks() {
    scenario(async |app| {
        app.create_user_with(7, "zoe", "13900139007", Some("zoe-password"))
            .await;
        let eric = app.session_of_eric().await;
        let zoe = app.session_of("zoe", "zoe-password").await;
        let first = app.send_phone_change_code(&eric, FREE).await;
        first.assert_c_success();
        let second = app.send_phone_change_code(&zoe, FREE).await;
        second.assert_c_for_now(429, "Too Many Requests", 58..=60);
        app.wait(second.retry_after().unwrap());
        app.send_phone_change_code(&zoe, FREE)
            .await
            .assert_c_success();

        // A message whose fate is unknown counts, but keeps nobody from trying again at once.
        app.wait(60);
        app.sns.break_it(Fault::LosesAnswers { times: 1 });
        let lost = app.send_phone_change_code(&eric, FREE).await;
        lost.assert_c(400_192, "sms unavailable");
        app.sns.mend().await;
        app.send_phone_change_code(&eric, FREE)
            .await
            .assert_c_success();
    })
    .await;
}
