//! Seed 003, "log in by SMS": every request, response and error row.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    Answer, ERIC, MARY, TestApp, eric,
    keys::{K1, K1_AND_K2, K2},
    scenario, scenario_with, wrong,
};

const SEND: &str = "/v1/user/sendLoginMessage";
const LOGIN: &str = "/v1/user/loginByMessage";

#[tokio::test]
async fn the_documents_two_requests_log_eric_in() {
    scenario(async |app| {
        let sent = app
            .post_raw(SEND, &[], "{\n\t\"phone\":\"13800138001\"\n}")
            .await;
        let ticket = sent.result().to_owned();
        assert!(!ticket.is_empty());
        sent.assert(
            200,
            json!({"status": 200, "result": ticket, "code": "OK", "success": true}),
        );
        assert!(!sent.headers.contains_key("authorization"));

        let code = app.last_code(ERIC);
        let body = format!("{{\n\t\"phoneInfo\":\"{ticket}\",\n\t\"code\":\"{code}\"\n}}");
        let answer = app.post_raw(LOGIN, &[], body).await;
        assert_logged_in_as_eric(&answer);
    })
    .await;
}

#[track_caller]
fn assert_logged_in_as_eric(answer: &Answer) {
    answer.assert_ok_with_token(&eric());
}

#[tokio::test]
async fn the_text_says_what_the_code_does_how_long_it_lives_and_not_to_share_it() {
    scenario(async |app| {
        let (_, code) = app.login_code(ERIC).await;
        let text = format!("【Latchkey】登录验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC), [text]);
        let sms = &app.inbox().messages()[0];
        let attribute = |name: &str| sms.attributes.get(name).map(String::as_str);
        assert_eq!(attribute("AWS.SNS.SMS.SMSType"), Some("Transactional"));
        assert_eq!(attribute("AWS.SNS.SMS.MaxPrice"), Some("0.20"));
        assert_eq!(attribute("AWS.SNS.SMS.SenderID"), None);
    })
    .await;
    let environment = [
        ("ORIGIN_DOMAIN", "example.com"),
        ("SENDER_IDS", r#"{"86":"Latchkey"}"#),
        (
            "SMS_TEXTS",
            r#"{"86":{"login":"{brand}: {code} ({minutes} min)"}}"#,
        ),
        ("SMS_BRAND", "Acme"),
    ];
    scenario_with(&environment, async |app| {
        let (_, code) = app.login_code(ERIC).await;
        let text = format!("Acme: {code} (5 min)\n@example.com #{code}");
        assert_eq!(app.texts(ERIC), [text]);
        let sms = &app.inbox().messages()[0];
        assert_eq!(sms.attributes["AWS.SNS.SMS.SenderID"], "Latchkey");
    })
    .await;
}

#[tokio::test]
async fn send_phone_required() {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"phone": null}),
            json!({"phone": ""}),
            json!({"phone": " \t\n"}),
            json!({"phone": null, "phon": ""}),
            json!({"countryCode": "86"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_a(400, "{PHONE}_REQUIRED", "Phone required");
        }
    })
    .await;
}

#[tokio::test]
async fn send_phone_not_valid() {
    scenario(async |app| {
        for body in [
            json!({"phone": "1380013800"}),
            json!({"phone": "138001380011"}),
            json!({"phone": "12800138001"}),
            json!({"phone": "abc"}),
            json!({"phone": "+8613800138001"}),
            json!({"phone": true}),
            json!({"phone": ["13800138001"]}),
            json!({"phone": {"number": "13800138001"}}),
            json!({"phone": 1.38e10}),
            json!({"phone": -1}),
            // A country that is not served, and what is no country.
            json!({"phone": "7911123456", "countryCode": "44"}),
            json!({"phone": "13800138001", "countryCode": "0"}),
            json!({"phone": "13800138001", "countryCode": "abc"}),
            json!({"phone": "13800138001", "countryCode": "0086"}),
            json!({"phone": "13800138001", "countryCode": [86]}),
        ] {
            let answer = app.post(SEND, body.clone()).await;
            assert_eq!(answer.status, 400, "{body}");
            answer.assert_a(400, "PHONE_NOT_VALIDATE", "Phone not validate");
        }
        assert!(app.inbox().messages().is_empty());
        let (dynamodb, _) = app.calls();
        let by_send = dynamodb
            .iter()
            .filter(|call| call.caller == "send-login-message");
        assert_eq!(
            by_send.count(),
            0,
            "refused before anything is read or stored"
        );
    })
    .await;
}

#[tokio::test]
async fn send_takes_numbers_plus_spaces_and_the_misspellings_of_seed_000() {
    scenario(async |app| {
        for body in [
            json!({"phone": 13_800_138_001_u64}),
            json!({"phone": "138 0013 8001"}),
            json!({"phone": "138-0013-8001", "countryCode": "+86"}),
            json!({"phone": " 13800138001 ", "countryCode": 86}),
            json!({"phone": "13800138001", "countryCode": ""}),
            json!({"phone": "13800138001", "countryCode": null}),
            json!({"phon": "13800138001", "contryCode": "86"}),
            json!({"phone": "13800138001", "phon": "1", "countryCode": "86", "contryCode": "1"}),
            json!({"phone": "", "phon": "13800138001", "unknown": {"field": [1]}}),
        ] {
            let answer = app.post(SEND, body.clone()).await;
            assert_eq!(answer.status, 200, "{body}: {answer:?}");
            app.wait(3600);
        }
        let forms = ["phone=13800138001", "phone=138+0013+8001&countryCode=%2B86"];
        for form in forms {
            // Ten in 24 hours is the limit; these are the tenth and one more.
            app.wait(24 * 3600);
            assert_eq!(app.post_form(SEND, form).await.status, 200, "{form}");
        }
        assert_eq!(app.texts(ERIC).len(), 11);
    })
    .await;
}

#[tokio::test]
async fn send_user_phone_not_exist() {
    scenario(async |app| {
        let answer = app.send_login_code("13900139000").await;
        answer.assert_a(400, "USER_PHONE_NOT_EXIST", "User phone not exists");
        app.operator_deletes(5).await;
        let answer = app.send_login_code(ERIC).await;
        answer.assert_a(400, "USER_NOT_FOUND", "User not found");
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_user_login_failed_for_a_disabled_user_throttled_or_not() {
    scenario(async |app| {
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let refused = app.send_login_code(ERIC).await;
        refused.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        assert!(app.inbox().messages().is_empty());
        let nothing_stored = app.code_item("login#+8613800138001").await;
        assert!(nothing_stored.is_empty());

        app.login_code(MARY).await;
        app.operator_sets(6, "status", AttributeValue::N("-1".into()))
            .await;
        let refused = app.send_login_code(MARY).await;
        refused.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
    })
    .await;
}

#[tokio::test]
async fn send_too_frequently_for_120_seconds_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.wait(30);
        let refused = app.send_login_code(ERIC).await;
        let wait = refused.assert_too_frequent();
        // The test itself takes some milliseconds.
        assert!((88..=90).contains(&wait), "{wait}");
        app.wait(wait);
        let (second_ticket, second_code) = app.login_code(ERIC).await;
        assert_eq!(code, second_code);
        assert_eq!(app.texts(ERIC).len(), 2);
        // Both tickets name the one challenge; it can be spent once.
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
        let again = app.log_in(&second_ticket, &code).await;
        again.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
    })
    .await;
}

#[tokio::test]
async fn send_message_error_when_switched_off_or_not_configured() {
    for environment in [
        [("LOGIN_ENABLED", "false")],
        [("SMS_BRAND", "")],
        [("SENDER_ID_REQUIRED", "86")],
        [("SMS_TEXTS", r#"{"86":{}}"#)],
    ] {
        scenario_with(&environment, async |app| {
            let answer = app.send_login_code(ERIC).await;
            let message = "Cannot send message, try again later.";
            answer.assert_a(500, "SEND_MESSAGE_ERROR", message);
            assert!(app.code_item("login#+8613800138001").await.is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn login_code_required_comes_before_phone_info_required() {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"phoneInfo": "x"}),
            json!({"code": null, "phoneInfo": null}),
            json!({"code": "", "phoneInfo": "x"}),
            json!({"code": "  ", "phoneInfo": "x"}),
        ] {
            let answer = app.post(LOGIN, body).await;
            answer.assert_a(400, "{CODE}_REQUIRED", "Code required");
        }
        for body in [
            json!({"code": "026129"}),
            json!({"code": 26129, "phoneInfo": ""}),
            json!({"code": "x", "phoneInfo": " "}),
        ] {
            let answer = app.post(LOGIN, body).await;
            answer.assert_a(400, "{PHONE_INFO}_REQUIRED", "Phone info required");
        }
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_is_the_documents_answer() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let wrong = if code == "026129" { "026128" } else { "026129" };
        let answer = app.log_in(&ticket, wrong).await;
        let document = r#"{"success":false,"message":"Code not valid","code":"{CODE}_NOT_VALID","status":400}"#;
        answer.assert(400, serde_json::from_str(document).unwrap());
        assert_eq!(answer.retry_after(), None);
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
    })
    .await;
}

#[tokio::test]
async fn login_takes_the_code_as_a_number_with_spaces_and_in_a_form() {
    scenario(async |app| {
        for round in 0..3 {
            let (ticket, code) = app.login_code(ERIC).await;
            let answer = match round {
                0 => {
                    // A JSON number has lost its leading zeros.
                    let number: u32 = code.parse().unwrap();
                    app.post(LOGIN, json!({"phoneInfo": ticket, "code": number}))
                        .await
                }
                1 => {
                    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
                    app.log_in(&format!(" {ticket} "), &spaced).await
                }
                _ => {
                    app.post_form(LOGIN, &format!("phoneInfo={ticket}&code={code}"))
                        .await
                }
            };
            assert_logged_in_as_eric(&answer);
            app.wait(120);
        }
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_for_what_is_no_code() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        for guess in [
            json!("abc"),
            json!([code]),
            json!({"code": code}),
            json!(true),
        ] {
            let answer = app
                .post(LOGIN, json!({"phoneInfo": ticket, "code": guess}))
                .await;
            answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        }
        let longer = format!("{code}0");
        let answer = app.log_in(&ticket, &longer).await;
        answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_once_it_is_spent_expired_replaced_or_its_tries_are_used_up() {
    scenario(async |app| {
        let refused = async |ticket: &str, code: &str| {
            let answer = app.log_in(ticket, code).await;
            answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        };
        // Spent.
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        refused(&ticket, &code).await;
        // Replaced: the next challenge's code does not go with the last one's ticket.
        app.wait(120);
        let (next_ticket, next_code) = app.login_code(ERIC).await;
        assert_ne!(ticket, next_ticket);
        refused(&ticket, &next_code).await;
        // Expired after five minutes, to the second.
        app.wait(300);
        refused(&next_ticket, &next_code).await;
        // Five wrong tries, then not even the right code.
        app.wait(3600);
        let (ticket, code) = app.login_code(ERIC).await;
        for n in 0..5 {
            refused(&ticket, &wrong(&code, n)).await;
        }
        refused(&ticket, &code).await;
        // The way in is open again with the next send.
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_resend_prolongs_a_code_to_ten_minutes_from_its_first_send_and_no_further() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.wait(295);
        assert_eq!(app.login_code(ERIC).await.1, code);
        app.wait(240); // 8:55 after the first send, 4:00 after the second
        assert_eq!(app.login_code(ERIC).await.1, code);
        let minutes = app.texts(ERIC).last().cloned().unwrap_or_default();
        assert!(minutes.contains("1分钟"), "{minutes}");
        app.wait(60); // 9:55
        assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
        app.wait(5); // 10:00
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        app.wait(60);
        assert_ne!(app.login_code(ERIC).await.1, code);
    })
    .await;
}

#[tokio::test]
async fn login_phone_info_not_valid() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let session = app.log_in(&ticket, &code).await.body["token"].clone();
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        let (mary_ticket, _) = app.login_code(MARY).await;
        let parts: Vec<&str> = ticket.split('.').collect();
        let mary_parts: Vec<&str> = mary_ticket.split('.').collect();
        let header = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let claims: Value = {
            let json = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
            serde_json::from_slice(&json).unwrap()
        };
        let mut to_mary = claims.clone();
        to_mary["uid"] = json!(6);
        let mut for_ever = claims.clone();
        for_ever["exp"] = json!(99_999_999_999_u64);
        let forged = |header: String, claims: &Value, signature: &str| {
            let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
            format!("{header}.{claims}.{signature}")
        };
        let none = header(r#"{"typ":"JWT","alg":"none","kid":"local"}"#);
        let unknown_kid = header(r#"{"typ":"JWT","alg":"HS256","kid":"k9"}"#);
        let no_kid = header(r#"{"typ":"JWT","alg":"HS256"}"#);
        for phone_info in [
            // The sample of the document: somebody else's.
            json!("T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NakEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uN2JjYWZkYjA1ZGEzNzM0ZTAxYWMzODVkNjFlYzRjMWE."),
            json!("x"),
            json!(5),
            json!([ticket]),
            json!(true),
            json!(ticket[..ticket.len() - 1]),
            json!(format!("{ticket}x")),
            json!(ticket.to_uppercase()),
            json!(format!("{}.{}", parts[0], parts[1])),
            json!(format!("{}.{}.{}", parts[0], mary_parts[1], parts[2])),
            json!(forged(parts[0].into(), &to_mary, parts[2])),
            json!(forged(parts[0].into(), &for_ever, parts[2])),
            json!(forged(none.clone(), &claims, "")),
            json!(forged(none, &claims, parts[2])),
            json!(forged(unknown_kid, &claims, parts[2])),
            json!(forged(no_kid, &claims, parts[2])),
            session,
        ] {
            let answer = app.post(LOGIN, json!({"phoneInfo": phone_info, "code": code})).await;
            assert_eq!(answer.body["code"], "{PHONE_INFO}_NOT_VALID", "{phone_info}");
            answer.assert_a(400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
        }
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_for_a_phone_info_that_is_too_old() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        for seconds in [300, 301, 24 * 3600] {
            app.wait(seconds);
            let answer = app.log_in(&ticket, &code).await;
            answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_rotate_with_overlap() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        // A resend still sends the code the first key made.
        app.wait(120);
        assert_eq!(app.login_code(ERIC).await.1, code);
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
        // What the new key makes is read when the old one has gone.
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K2)]).await;
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
    })
    .await;
}

#[tokio::test]
async fn what_a_dropped_key_made_is_refused_and_the_next_send_starts_anew() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K2)]).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_a(400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
    })
    .await;
}

#[tokio::test]
async fn login_user_not_found_user_login_failed_user_phone_not_match_keep_the_code_usable() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;

        app.operator_sets(5, "phone", AttributeValue::S("13900139000".into()))
            .await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_a(400, "USER_PHONE_NOT_MATCH", "User phone not match.");
        app.operator_sets(5, "phone", AttributeValue::S(ERIC.into()))
            .await;

        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);

        let (ticket, code) = app.login_code(MARY).await;
        app.operator_deletes(6).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_a(400, "USER_NOT_FOUND", "User not found");
    })
    .await;
}

#[tokio::test]
async fn only_the_right_code_learns_that_an_account_is_disabled() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.log_in(&ticket, &wrong(&code, 0)).await;
        answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_path_or_method_is_the_gateways_to_answer() {
    scenario(async |app: &TestApp| {
        let answer = app.post("/v1/user/nothing", json!({})).await;
        assert_eq!(
            (answer.status, answer.body),
            (404, json!({"message": "Not Found"}))
        );
    })
    .await;
}
