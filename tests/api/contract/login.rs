//! Seed 003, "log in by SMS": every request, response and error row.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, DAY, ERIC, MARY, TestApp, eric,
    keys::{K1, K1_AND_K2, K2},
    message::{CODE_NOT_VALID, LOGIN_FAILED, PHONE_INFO_NOT_VALID, PHONE_UNKNOWN, USER_NOT_FOUND},
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
        assert_eq!(attribute("AWS.SNS.SMS.MaxPrice"), Some("0.20000"));
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
        ("SMS_MAX_PRICE_USD", "0.00645"),
        ("SMS_PRICES_USD", r#"{"86":0.006}"#),
        ("ORIGINATION_NUMBERS", r#"{"CN":{"login":"+8610650001"}}"#),
        (
            "SMS_TEMPLATES",
            r#"{"86":{"entityId":"1101","templateIds":{"login":"1107","register":"1108"}}}"#,
        ),
    ];
    scenario_with(&environment, async |app| {
        let (_, code) = app.login_code(ERIC).await;
        let text = format!("Acme: {code} (5 min)\n@example.com #{code}");
        assert_eq!(app.texts(ERIC), [text]);
        let sms = &app.inbox().messages()[0];
        for (attribute, value) in [
            ("AWS.SNS.SMS.SenderID", "Latchkey"),
            ("AWS.SNS.SMS.MaxPrice", "0.00645"),
            ("AWS.MM.SMS.OriginationNumber", "+8610650001"),
            ("AWS.MM.SMS.EntityId", "1101"),
            ("AWS.MM.SMS.TemplateId", "1107"),
        ] {
            assert_eq!(sms.attributes[attribute], value, "{attribute}");
        }
    })
    .await;
}

#[tokio::test]
async fn send_user_phone_not_exist() {
    scenario(async |app| {
        let answer = app.send_login_code("13900139000").await;
        answer.assert_refused(PHONE_UNKNOWN);
        app.operator_deletes(5).await;
        let answer = app.send_login_code(ERIC).await;
        answer.assert_refused(USER_NOT_FOUND);
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
        refused.assert_refused(LOGIN_FAILED);
        assert!(app.inbox().messages().is_empty());
        let nothing_stored = app.code_item("login#+8613800138001").await;
        assert!(nothing_stored.is_empty());

        app.login_code(MARY).await;
        app.operator_sets(6, "status", AttributeValue::N("-1".into()))
            .await;
        let refused = app.send_login_code(MARY).await;
        refused.assert_refused(LOGIN_FAILED);
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
            json!("1"),
            json!([code]),
            json!({"code": code}),
            json!(true),
        ] {
            let answer = app
                .post(LOGIN, json!({"phoneInfo": ticket, "code": guess}))
                .await;
            answer.assert_refused(CODE_NOT_VALID);
        }
        let longer = format!("{code}0");
        let answer = app.log_in(&ticket, &longer).await;
        answer.assert_refused(CODE_NOT_VALID);
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
        let answer = app.log_in(&ticket, &wrong(&code, 0)).await;
        answer.assert_refused(CODE_NOT_VALID);
        app.wait(5); // 10:00
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_refused(CODE_NOT_VALID);
        app.wait(60);
        assert_ne!(app.login_code(ERIC).await.1, code);
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_for_a_phone_info_that_is_too_old() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        for seconds in [300, 301, DAY] {
            app.wait(seconds);
            let answer = app.log_in(&ticket, &code).await;
            answer.assert_refused(CODE_NOT_VALID);
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
async fn a_ticket_of_a_removed_key_is_refused_and_the_next_send_works() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K2)]).await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_refused(PHONE_INFO_NOT_VALID);
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
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
        answer.assert_refused(CODE_NOT_VALID);
    })
    .await;
}

#[tokio::test]
async fn the_gateway_answers_an_unknown_path_or_method() {
    scenario(async |app: &TestApp| {
        for (method, path) in [(Method::POST, "/v1/user/nothing"), (Method::GET, LOGIN)] {
            let answer = app.request(method, path, &[], "{}").await;
            assert_eq!(
                (answer.status, answer.body),
                (404, json!({"message": "Not Found"}))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn login_code_not_valid_with_an_older_challenges_ticket_and_the_next_send_opens_the_way_again()
 {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
        app.wait(120);
        let (next_ticket, next_code) = app.login_code(ERIC).await;
        assert_ne!(ticket, next_ticket);
        let answer = app.log_in(&ticket, &next_code).await;
        answer.assert_refused(CODE_NOT_VALID);
        // With the tries used up, the next send's code logs in.
        for n in 0..5 {
            app.log_in(&next_ticket, &wrong(&next_code, n)).await;
        }
        let answer = app.log_in(&next_ticket, &next_code).await;
        answer.assert_refused(CODE_NOT_VALID);
        app.wait(120);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_logged_in_as_eric(&app.log_in(&ticket, &code).await);
    })
    .await;
}
