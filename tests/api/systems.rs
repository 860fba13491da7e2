//! Seed 002, "forgotten password", dialect B: every request, response and error row.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    faults::sns_error,
    login::wrong,
    support::{
        ERIC, ERIC_PASSWORD, MARY, TestApp,
        dialects::{CHANGE_PASSWD, FORM, MAKE_SURE, SEND_VERIFICATION_CODE},
        relay::Fault,
        scenario, scenario_with,
    },
};

/// The document's content type.
const JSON: (&str, &str) = ("Content-Type", "application/json;charset=utf-8");

/// The password to be, and the MD5 that other clients send in its place.
const NEW: &str = "Wachtwoord42";
const NEW_MD5: &str = "25f9eb7f694dca854947580b86ad1125"; // echo -n Wachtwoord42 | md5sum

const NOT_A_BODY: (u16, &str) = (3003, "请求格式错误");
const SEND_EMPTY: (u16, &str) = (3003, "账号和手机号不可为空");
const EMPTY: (u16, &str) = (3003, "账号、密码和验证码不可为空");
const NOT_A_PHONE: (u16, &str) = (8011, "手机号格式错误");
const NO_SUCH_USER: (u16, &str) = (2002, "用户不存在");
const DISABLED: (u16, &str) = (2005, "账号已停用");
const NOT_THE_PHONE: (u16, &str) = (8005, "手机号与绑定手机号不一致");
const WRONG_CODE: (u16, &str) = (8013, "验证码错误");
const DEAD_CODE: (u16, &str) = (8014, "验证码已过期");
const WRONG_TOKEN: (u16, &str) = (8013, "令牌无效");
const DEAD_TOKEN: (u16, &str) = (8014, "令牌已过期");
const TOO_OFTEN: (u16, &str) = (8012, "发送过于频繁，请稍后再试:8");
const NOT_SENT: (u16, &str) = (8012, "短信发送失败，请稍后再试:1");
const NO_SMS: (u16, &str) = (8010, "短信未开通");

const LOGIN_FAILED: (u16, &str, &str) = (400, "USER_LOGIN_FAILED", "User login failed");

/// Posts each of these bodies, which must all get this answer.
async fn all_get(app: &TestApp, path: &str, (msg, info): (u16, &str), bodies: Vec<Value>) {
    for body in bodies {
        let answer = app.post(path, body.clone()).await;
        assert_eq!(answer.body["info"], info, "{body}");
        answer.assert_b(msg, info);
    }
}

/// What a function has asked of DynamoDB.
fn calls_of(app: &TestApp, function: &str) -> usize {
    let (dynamodb, _) = app.calls();
    dynamodb
        .iter()
        .filter(|call| call.caller == function)
        .count()
}

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
            assert_eq!(app.log_in_with_password("eric", form).await.status, 200);
        }
        let (status, code, message) = LOGIN_FAILED;
        let old = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        old.assert_a(status, code, message);
    })
    .await;
}

#[tokio::test]
async fn so_do_three_forms() {
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
        assert_eq!(app.log_in_with_password("eric", NEW).await.status, 200);
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
            "",
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

#[tokio::test]
async fn send_without_username_or_mobile_phone() {
    scenario(async |app| {
        let bodies = vec![
            json!({}),
            json!({"username": "eric"}),
            json!({"mobile_phone": ERIC}),
            json!({"username": null, "mobile_phone": ERIC}),
            json!({"username": "", "mobile_phone": ERIC}),
            json!({"username": " \t\n", "mobile_phone": ERIC}),
            json!({"username": "eric", "mobile_phone": null}),
            json!({"username": "eric", "mobile_phone": ""}),
            json!({"username": "eric", "mobile_phone": "  "}),
            // Names are told apart by case.
            json!({"userName": "eric", "mobile_phone": ERIC}),
            json!({"username": "eric", "phone": ERIC}),
        ];
        all_get(app, SEND_VERIFICATION_CODE, SEND_EMPTY, bodies).await;
        let (msg, info) = SEND_EMPTY;
        for form in ["&&", "username=eric", "username=&mobile_phone=13800138001"] {
            let answer = app.post_form(SEND_VERIFICATION_CODE, form).await;
            answer.assert_b(msg, info);
        }
        assert_eq!(calls_of(app, "send-verification-code"), 0);
    })
    .await;
}

#[tokio::test]
async fn send_to_what_is_no_phone_of_a_country_that_is_served() {
    scenario(async |app| {
        let phones = [
            json!("1380013800"),
            json!("138001380011"),
            json!("12800138001"),
            json!("8613800138001"),
            json!("008613800138001"),
            json!("abc"),
            json!("138 0013 8001"),
            json!("138-0013-8001"),
            json!("+"),
            json!("++8613800138001"),
            json!("+86 13800138001"),
            json!("+861380013800"),
            json!("１３８００１３８００１"),
            // A country that is not served, and none at all.
            json!("+447400123456"),
            json!("+013800138001"),
            json!(1_380_013_800),
            json!(1.38e10),
            json!(-1),
            json!(true),
            json!([ERIC]),
            json!({"number": ERIC}),
        ];
        let bodies = phones.map(|phone| json!({"username": "eric", "mobile_phone": phone}));
        all_get(app, SEND_VERIFICATION_CODE, NOT_A_PHONE, bodies.to_vec()).await;
        let (msg, info) = NOT_A_PHONE;
        // A plus in a form is a space, and so what follows is a national number.
        let form = "username=eric&mobile_phone=+8613800138001";
        let answer = app.post_form(SEND_VERIFICATION_CODE, form).await;
        answer.assert_b(msg, info);
        assert!(app.inbox().messages().is_empty());
        assert_eq!(
            calls_of(app, "send-verification-code"),
            0,
            "refused before anything is read or stored"
        );
    })
    .await;
}

#[tokio::test]
async fn send_takes_usernames_and_phones_in_every_form() {
    scenario(async |app| {
        app.create_user(7, "小明.Li+test@example.com", "13900139007")
            .await;
        app.create_user(8, "20240101", "13900139008").await;
        app.create_user(9, "13900139000", "13900139009").await;
        for (body, phone) in [
            (json!({"username": "eric", "mobile_phone": ERIC}), ERIC),
            (
                json!({"username": " ERIC\n", "mobile_phone": format!(" {MARY} ")}),
                "",
            ),
            (
                json!({"username": "Mary", "mobile_phone": 13_627_140_483_u64}),
                MARY,
            ),
            (
                json!({
                    "username": "小明.li+TEST@example.com",
                    "mobile_phone": "+8613900139007",
                    "unknown": {"field": [1]},
                }),
                "13900139007",
            ),
            // A name may be a number, and look like a phone that is somebody else's.
            (
                json!({"username": 20_240_101, "mobile_phone": "13900139008"}),
                "13900139008",
            ),
            (
                json!({"username": "13900139000", "mobile_phone": "13900139009"}),
                "13900139009",
            ),
        ] {
            let answer = app.post(SEND_VERIFICATION_CODE, body.clone()).await;
            match phone {
                "" => answer.assert_b(NOT_THE_PHONE.0, NOT_THE_PHONE.1),
                phone => {
                    assert_eq!(answer.body["msg"], 2006, "{body}");
                    answer.assert_b_ok("已发送短信");
                    assert_eq!(app.texts(phone).len(), 1, "{body}");
                }
            }
        }
        app.wait(60);
        let form = "username=+eric+&mobile_phone=%2B8613800138001";
        let answer = app.post_form(SEND_VERIFICATION_CODE, form).await;
        answer.assert_b_ok("已发送短信");
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn send_to_an_unknown_user() {
    scenario(async |app| {
        let usernames = [
            json!("nobody"),
            json!("eri"),
            json!("er\u{0}ic"),
            json!("e".repeat(65)),
            json!("名".repeat(64)),
            // A phone is no name.
            json!(ERIC),
            json!(5),
            json!(true),
            json!(["eric"]),
            json!({"name": "eric"}),
        ];
        for username in usernames {
            let answer = app
                .post(
                    SEND_VERIFICATION_CODE,
                    json!({"username": username, "mobile_phone": "13900139000"}),
                )
                .await;
            let (msg, info) = NO_SUCH_USER;
            assert_eq!(answer.body["msg"], msg, "{username}");
            answer.assert_b(msg, info);
        }
        // A phone that is somebody's makes no difference.
        let (msg, info) = NO_SUCH_USER;
        let answer = app.send_verification_code("nobody", ERIC).await;
        answer.assert_b(msg, info);
        // An account whose item is gone is unknown too, with its own phone and with another.
        app.operator_deletes(5).await;
        for phone in [ERIC, MARY] {
            let answer = app.send_verification_code("eric", phone).await;
            answer.assert_b(msg, info);
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_to_a_phone_that_is_not_the_accounts_own() {
    let environment = [("ALLOWED_COUNTRY_CODES", "86,44")];
    scenario_with(&environment, async |app| {
        let (msg, info) = NOT_THE_PHONE;
        // Somebody else's, nobody's, and the same digits in another country.
        for phone in [MARY, "13900139000", "+447400123456"] {
            let answer = app.send_verification_code("eric", phone).await;
            answer.assert_b(msg, info);
        }
        assert!(app.inbox().messages().is_empty());
        assert!(app.code_item("recover#eric").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_to_an_account_without_a_phone() {
    scenario(async |app| {
        // No phone is what no number makes.
        app.create_user(7, "phoneless", "").await;
        for phone in [ERIC, "13900139000"] {
            let answer = app.send_verification_code("phoneless", phone).await;
            answer.assert_b(8004, "账号未绑定手机号");
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_to_a_disabled_account_throttled_or_not() {
    scenario(async |app| {
        let (msg, info) = DISABLED;
        let disabled = || AttributeValue::N("1".into());
        app.operator_sets(5, "status", disabled()).await;
        // With another phone too: what is wrong with the account comes before what is wrong with it.
        for phone in [ERIC, MARY] {
            let answer = app.send_verification_code("eric", phone).await;
            answer.assert_b(msg, info);
        }
        assert!(app.inbox().messages().is_empty());
        assert!(app.code_item("recover#eric").await.is_empty());

        app.verification_code("mary", MARY).await;
        app.operator_sets(6, "status", disabled()).await;
        let answer = app.send_verification_code("mary", MARY).await;
        answer.assert_b(msg, info);
    })
    .await;
}

#[tokio::test]
async fn send_too_often_for_60_seconds_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let (msg, info) = TOO_OFTEN;
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(msg, info, 59..=60);
        app.wait(30);
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(msg, info, 28..=30);
        app.wait(refused.retry_after().unwrap());
        assert_eq!(app.verification_code("eric", ERIC).await, code);
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn send_more_than_five_an_hour_over_all_purposes() {
    scenario(async |app| {
        for _ in 0..4 {
            app.verification_code("eric", ERIC).await;
            app.wait(60);
        }
        app.login_code(ERIC).await;
        let (msg, info) = TOO_OFTEN;
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(msg, info, 3600 - 4 * 60 - 5..=3600 - 4 * 60);
        app.wait(refused.retry_after().unwrap());
        app.verification_code("eric", ERIC).await;
    })
    .await;
}

#[tokio::test]
async fn send_without_sms() {
    for environment in [
        [("LOGIN_ENABLED", "false")],
        [("SMS_BRAND", "")],
        [("SENDER_ID_REQUIRED", "86")],
        [("SMS_TEXTS", r#"{"86":{}}"#)],
    ] {
        scenario_with(&environment, async |app| {
            let (msg, info) = NO_SMS;
            let answer = app.send_verification_code("eric", ERIC).await;
            answer.assert_b(msg, info);
            assert!(app.code_item("recover#eric").await.is_empty());
        })
        .await;
    }
    scenario(async |app| {
        let (msg, info) = NO_SMS;
        app.sns.break_it(sns_error(403, "AuthorizationError"));
        let answer = app.send_verification_code("eric", ERIC).await;
        answer.assert_b(msg, info);
    })
    .await;
}

#[tokio::test]
async fn send_fails_and_can_be_tried_again_at_once() {
    for fault in [
        sns_error(400, "OptedOut"),
        sns_error(400, "InvalidParameter"),
        sns_error(429, "Throttled"),
        sns_error(500, "InternalError"),
        Fault::Refuses,
        Fault::Hangs,
    ] {
        scenario(async |app| {
            let (msg, info) = NOT_SENT;
            app.sns.break_it(fault.clone());
            let answer = app.send_verification_code("eric", ERIC).await;
            answer.assert_b(msg, info);
            app.sns.mend().await;
            app.reset_token("eric", ERIC).await;
        })
        .await;
    }
}

#[tokio::test]
async fn make_sure_without_username_or_code() {
    scenario(async |app| {
        let bodies = vec![
            json!({}),
            json!({"username": "eric"}),
            json!({"verification_code": "123456"}),
            json!({"username": null, "verification_code": "123456"}),
            json!({"username": " ", "verification_code": "123456"}),
            json!({"username": "eric", "verification_code": null}),
            json!({"username": "eric", "verification_code": ""}),
            json!({"username": "eric", "verification_code": "\t"}),
            json!({"username": "eric", "code": "123456"}),
        ];
        all_get(app, MAKE_SURE, EMPTY, bodies).await;
        let (msg, info) = EMPTY;
        let answer = app.post_form(MAKE_SURE, "username=eric").await;
        answer.assert_b(msg, info);
        assert_eq!(calls_of(app, "make-sure-verification-code"), 0);
    })
    .await;
}

#[tokio::test]
async fn make_sure_of_a_wrong_code_then_of_the_right_one_in_every_form() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        let (msg, info) = WRONG_CODE;
        let longer = format!("{code}0");
        let guesses = [
            json!(wrong(&code, 0)),
            json!(longer),
            json!("abc"),
            json!([code]),
        ];
        for guess in guesses {
            let body = json!({"username": "eric", "verification_code": guess});
            app.post(MAKE_SURE, body).await.assert_b(msg, info);
        }
        // The right one is still good.
        assert_eq!(app.make_sure("eric", &code).await.body["msg"], 2006);
        for round in 0..3 {
            app.wait(60);
            let code = app.verification_code("eric", ERIC).await;
            let (username, guess) = match round {
                // A JSON number has lost its leading zeros.
                0 => ("eric", json!(code.parse::<u32>().unwrap())),
                1 => ("eric", json!(format!(" {} {} ", &code[..3], &code[3..]))),
                _ => (" ERIC ", json!(code)),
            };
            let body = json!({"username": username, "verification_code": guess});
            let answer = app.post(MAKE_SURE, body).await;
            let token = app.learn_reset_token(&answer).unwrap_or_default();
            answer.assert_b_ok(&token);
        }
    })
    .await;
}

#[tokio::test]
async fn make_sure_of_a_dead_code() {
    scenario(async |app| {
        let (msg, info) = DEAD_CODE;
        let dead = async |username: &str, code: &str| {
            app.make_sure(username, code).await.assert_b(msg, info);
        };
        // None was ever sent; the user is unknown, or can be nobody.
        dead("eric", "123456").await;
        dead("nobody", "123456").await;
        dead(&"e".repeat(65), "123456").await;
        let body = json!({"username": ["eric"], "verification_code": "123456"});
        app.post(MAKE_SURE, body).await.assert_b(msg, info);
        // Somebody else's.
        let code = app.verification_code("eric", ERIC).await;
        dead("mary", &code).await;
        dead("nobody", &code).await;
        // Spent.
        app.make_sure("eric", &code).await;
        dead("eric", &code).await;
        // Expired after five minutes, to the second.
        app.wait(60);
        let code = app.verification_code("eric", ERIC).await;
        app.wait(300);
        dead("eric", &code).await;
        // Five wrong tries, then not even the right one.
        let code = app.verification_code("eric", ERIC).await;
        for n in 0..5 {
            let answer = app.make_sure("eric", &wrong(&code, n)).await;
            answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
        }
        dead("eric", &code).await;
        dead("eric", &wrong(&code, 0)).await;
        // The way is open again with the next send.
        app.wait(60);
        app.reset_token("eric", ERIC).await;
        // The account has gone since.
        app.wait(3600);
        let code = app.verification_code("eric", ERIC).await;
        app.operator_deletes(5).await;
        dead("eric", &code).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_lives_five_minutes_from_its_last_send() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        app.wait(200);
        assert_eq!(app.verification_code("eric", ERIC).await, code);
        app.wait(298);
        let answer = app.make_sure("eric", &code).await;
        assert_eq!(answer.body["msg"], 2006, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_codes_a_day_then_neither_codes_nor_messages_until_it_passes() {
    scenario(async |app| {
        const DAY: u64 = 24 * 3600;
        for _ in 0..2 {
            let code = app.verification_code("eric", ERIC).await;
            for n in 0..5 {
                let answer = app.make_sure("eric", &wrong(&code, n)).await;
                answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
            }
            app.wait(60);
        }
        let (msg, info) = TOO_OFTEN;
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(msg, info, DAY - 125..=DAY - 115);
        let (msg, info) = DEAD_CODE;
        let dead = app.make_sure("eric", "123456").await;
        dead.assert_b_for_now(msg, info, DAY - 125..=DAY - 115);
        // The account is not locked: other ways in keep working, and another user is not concerned.
        app.session_of_eric().await;
        app.login_code(ERIC).await;
        app.reset_token("mary", MARY).await;
        app.wait(refused.retry_after().unwrap());
        app.reset_token("eric", ERIC).await;
    })
    .await;
}

#[tokio::test]
async fn only_the_right_code_learns_that_an_account_is_disabled_and_it_stays_usable() {
    scenario(async |app| {
        let code = app.verification_code("eric", ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("2".into()))
            .await;
        let answer = app.make_sure("eric", &wrong(&code, 0)).await;
        answer.assert_b(WRONG_CODE.0, WRONG_CODE.1);
        let answer = app.make_sure("eric", &code).await;
        answer.assert_b(DISABLED.0, DISABLED.1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let answer = app.make_sure("eric", &code).await;
        assert_eq!(answer.body["msg"], 2006, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn change_without_username_token_or_password() {
    scenario(async |app| {
        let whole = json!({"username": "eric", "Verification_char": "x", "new_password": NEW});
        let mut bodies = vec![json!({})];
        for field in ["username", "Verification_char", "new_password"] {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field);
            bodies.push(without);
            for nothing in [json!(null), json!(""), json!(" \t")] {
                let mut empty = whole.clone();
                empty[field] = nothing;
                bodies.push(empty);
            }
        }
        // The document writes it with a capital.
        bodies.push(json!({"username": "eric", "verification_char": "x", "new_password": NEW}));
        all_get(app, CHANGE_PASSWD, EMPTY, bodies).await;
        let (msg, info) = EMPTY;
        let answer = app
            .post_form(CHANGE_PASSWD, "username=eric&Verification_char=x")
            .await;
        answer.assert_b(msg, info);
        assert_eq!(calls_of(app, "changepasswd"), 0);
    })
    .await;
}

#[tokio::test]
async fn change_to_what_is_not_6_to_15_letters_and_digits_leaves_the_token_usable() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        let refused = [
            json!("abc12"),
            json!("abcdefgh12345678"),
            json!("abc 123"),
            json!(" abc123"),
            json!("abc123 "),
            json!("abc-123"),
            json!("abc123\n"),
            json!("密码密码密码"),
            json!("pässwort"),
            json!("abc12３"),
            json!(NEW_MD5),
            json!(12_345),
            json!(1.25e10),
            json!(-123_456),
            json!(true),
            json!([NEW]),
        ];
        for password in refused {
            let body = json!({
                "username": "eric",
                "Verification_char": token,
                "new_password": password,
            });
            let answer = app.post(CHANGE_PASSWD, body).await;
            assert_eq!(answer.body["msg"], 2009, "{password}");
            answer.assert_b(2009, "密码只支持6~15位英文字母和数字");
        }
        let form = format!("username=eric&Verification_char={token}&new_password=abc%20123");
        let answer = app.post_form(CHANGE_PASSWD, &form).await;
        answer.assert_b(2009, "密码只支持6~15位英文字母和数字");
        let changed = app.change_passwd("eric", &token, "Abc9Xy").await;
        changed.assert_b_ok("密码修改成功");
        assert_eq!(app.log_in_with_password("eric", "Abc9Xy").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn change_takes_6_and_15_characters_and_a_number() {
    scenario(async |app| {
        for (password, logs_in) in [
            (json!("zq4567"), "zq4567"),
            (json!("Zq4567890123456"), "Zq4567890123456"),
            (json!(837_465_920), "837465920"),
        ] {
            let token = app.reset_token("eric", ERIC).await;
            let body = json!({
                "username": "Eric",
                "Verification_char": format!(" {token} "),
                "new_password": password,
            });
            app.post(CHANGE_PASSWD, body)
                .await
                .assert_b_ok("密码修改成功");
            assert_eq!(app.log_in_with_password("eric", logs_in).await.status, 200);
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn change_with_a_wrong_token() {
    scenario(async |app| {
        app.create_user_with(7, "zoe", "13900139007", Some("zoe-password"))
            .await;
        let token = app.reset_token("eric", ERIC).await;
        let session = app.session_of_eric().await;
        let (ticket, _) = app.login_code(MARY).await;
        let (msg, info) = WRONG_TOKEN;
        for (username, forged) in [
            ("eric", json!("x")),
            ("eric", json!(5)),
            ("eric", json!(true)),
            ("eric", json!([token])),
            ("eric", json!(token[1..])),
            ("eric", json!(format!("{token}="))),
            ("eric", json!(token.to_lowercase() + "A")),
            // Other tokens of ours.
            ("eric", json!(session)),
            ("eric", json!(ticket)),
            // Useless for another user name.
            ("mary", json!(token)),
            ("zoe", json!(token)),
        ] {
            let body = json!({
                "username": username,
                "Verification_char": forged,
                "new_password": NEW,
            });
            app.post(CHANGE_PASSWD, body).await.assert_b(msg, info);
        }
        // None of it has changed a password or spent the token.
        app.session_of("zoe", "zoe-password").await;
        app.session_of_eric().await;
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
    })
    .await;
}

#[tokio::test]
async fn change_with_a_dead_token() {
    scenario(async |app| {
        let (msg, info) = DEAD_TOKEN;
        let dead = async |username: &str, token: &str| {
            let answer = app.change_passwd(username, token, NEW).await;
            answer.assert_b(msg, info);
        };
        let token = app.reset_token("eric", ERIC).await;
        // A user who is unknown, or can be nobody.
        dead("nobody", &token).await;
        dead(&"e".repeat(65), &token).await;
        let body = json!({"username": true, "Verification_char": token, "new_password": NEW});
        app.post(CHANGE_PASSWD, body).await.assert_b(msg, info);
        // Ten minutes, to the second.
        app.wait(600);
        dead("eric", &token).await;
        // Somebody else's is no more told of that than of any other.
        let answer = app.change_passwd("mary", &token, NEW).await;
        answer.assert_b(WRONG_TOKEN.0, WRONG_TOKEN.1);
        let token = app.reset_token("eric", ERIC).await;
        app.wait(598);
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
        // Spent, with the same password and with another.
        dead("eric", &token).await;
        let answer = app.change_passwd("eric", &token, "AndererName7").await;
        answer.assert_b(msg, info);
        assert_eq!(app.log_in_with_password("eric", NEW).await.status, 200);
        // The account has gone since.
        let token = app.reset_token("eric", ERIC).await;
        app.operator_deletes(5).await;
        dead("eric", &token).await;
    })
    .await;
}

#[tokio::test]
async fn change_for_a_disabled_account_leaves_the_token_usable() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.change_passwd("eric", &token, NEW).await;
        answer.assert_b(DISABLED.0, DISABLED.1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
    })
    .await;
}

#[tokio::test]
async fn a_changed_password_ends_every_session() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let token = app.reset_token("eric", ERIC).await;
        assert_eq!(app.info(&session).await.status, 200);
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
        let answer = app.info(&session).await;
        answer.assert_invalid_token();
        let answer = app.send_phone_change_code(&session, "13900139000").await;
        answer.assert_c(401, "Unauthorized");
    })
    .await;
}

#[tokio::test]
async fn a_reset_token_is_256_random_bits_of_which_a_hash_is_stored() {
    // Every bit of forty tokens takes both values, or this fails once in 2^30 runs.
    let mut seen = [(0u8, 0u8); 32];
    for _ in 0..40 {
        let token = shared::domain::token::Token::reset(shared::random::bytes().unwrap());
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.as_str()).unwrap();
        assert_eq!(bytes.len(), 32);
        for ((ones, zeros), byte) in seen.iter_mut().zip(bytes) {
            *ones |= byte;
            *zeros |= !byte;
        }
    }
    assert_eq!(seen, [(0xff, 0xff); 32]);

    scenario(async |app| {
        let mut tokens = BTreeSet::new();
        for _ in 0..3 {
            let token = app.reset_token("eric", ERIC).await;
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
            assert_eq!(bytes.len(), 32);
            // That the token itself is in no table, the scenario's end sees to.
            let hash = shared::domain::token::ResetHash::of(&token);
            let item = app.code_item(&format!("reset#{}", hash.as_str())).await;
            assert_eq!(item["uid"], AttributeValue::N("5".into()));
            assert_eq!(item["spent"], AttributeValue::Bool(false));
            tokens.insert(token);
            app.wait(60);
        }
        assert_eq!(tokens.len(), 3);
    })
    .await;
}
