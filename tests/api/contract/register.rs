//! Registering by SMS: dialect A, beyond the seeds. Answers and errors are those of seeds 003 and 000.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::{ANNA, Answer, ERIC, md5, scenario, scenario_with, wrong};

const SEND: &str = "/v1/user/sendRegisterMessage";
const REGISTER: &str = "/v1/user/register";
const PASSWORD: &str = "anna-password";
const NOT_SENT: &str = "Cannot send message, try again later.";

/// Asserts that this account has been made, with a session; the account and the token.
#[track_caller]
fn assert_registered(answer: &Answer, name: &str, phone: &str) -> (Value, String) {
    let number = |key: &str| answer.body["result"][key].as_u64().unwrap_or_default();
    let (uuid, created) = (number("uuid"), number("createTime"));
    let user = json!({
        "uuid": uuid,
        "name": name,
        "email": "",
        "countryCode": "86",
        "phone": phone,
        "createTime": created,
        "createIp": answer.body["result"]["createIp"],
        "ssid": {},
        "icon": "default.jpg",
        "spaceUsed": 0,
        "spaceCapacity": 8192,
        "type": 0,
        "status": 0
    });
    let token = answer.assert_ok_with_token(&user);
    // A JSON number that every client can hold.
    assert!((1..1 << 53).contains(&uuid), "{uuid}");
    (user, token)
}

#[tokio::test]
async fn two_requests_make_an_account_and_log_it_in() {
    scenario(async |app| {
        let sent = app.send_register_code(ANNA).await;
        let ticket = sent.result().to_owned();
        assert!(!ticket.is_empty());
        sent.assert_ok(&json!(ticket));

        let code = app.last_code(ANNA);
        let body = json!({
            "phoneInfo": ticket, "code": code, "name": "Anna", "password": md5(PASSWORD)
        });
        app.learn_password(PASSWORD);
        let headers = [
            ("content-type", "application/json"),
            ("x-local-source-ip", "203.0.113.7"),
        ];
        let before = app.clock.now();
        let answer = app.post_raw(REGISTER, &headers, body.to_string()).await;
        let (user, token) = assert_registered(&answer, "Anna", ANNA);
        assert_eq!(user["createIp"], "203.0.113.7");
        let created = user["createTime"].as_u64().unwrap();
        assert!((before.0..=app.clock.now().0).contains(&created));

        app.info(&token).await.assert_ok_with_token(&user);
        for value in ["Anna", "anna", ANNA] {
            let answer = app.log_in_with_password(value, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn the_text_says_that_the_code_registers() {
    scenario(async |app| {
        let (_, code) = app.register_code(ANNA).await;
        let text = format!("【Latchkey】注册验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ANNA), [text]);
    })
    .await;
}

#[tokio::test]
async fn send_phone_required_or_not_valid() {
    scenario(async |app| {
        for body in [json!({}), json!({"phone": null}), json!({"phone": " "})] {
            let answer = app.post(SEND, body).await;
            answer.assert_a(400, "{PHONE}_REQUIRED", "Phone required");
        }
        for body in [
            json!({"phone": "1390013900"}),
            json!({"phone": [ANNA]}),
            json!({"phone": "7911123456", "countryCode": "44"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_a(400, "PHONE_NOT_VALIDATE", "Phone not validate");
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_takes_numbers_plus_spaces_misspellings_and_forms() {
    scenario(async |app| {
        for body in [
            json!({"phone": 13_900_139_001_u64, "countryCode": 86}),
            json!({"phone": "139 0013 9001", "countryCode": "+86"}),
            json!({"phon": ANNA, "contryCode": "86"}),
        ] {
            let answer = app.post(SEND, body).await;
            answer.assert_ok(&json!(answer.result()));
            app.wait(3600);
        }
        let answer = app.post_form(SEND, "phone=139+0013+9001").await;
        answer.assert_ok(&json!(answer.result()));
        assert_eq!(app.texts(ANNA).len(), 4);
    })
    .await;
}

#[tokio::test]
async fn send_user_phone_exist() {
    scenario(async |app| {
        let answer = app.send_register_code(ERIC).await;
        answer.assert_a(400, "USER_PHONE_EXIST", "User phone exists");
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn send_too_frequently_for_120_seconds_says_when_and_then_the_same_code() {
    scenario(async |app| {
        let (_, code) = app.register_code(ANNA).await;
        app.wait(30);
        let refused = app.send_register_code(ANNA).await;
        let wait = refused.assert_too_frequent();
        assert!((88..=90).contains(&wait), "{wait}");
        app.wait(wait);
        assert_eq!(app.register_code(ANNA).await.1, code);
    })
    .await;
}

#[tokio::test]
async fn send_message_error_when_switched_off_or_not_configured() {
    for environment in [
        [("LOGIN_ENABLED", "false")],
        [("SMS_BRAND", "")],
        [("SENDER_ID_REQUIRED", "86")],
        [("SMS_TEXTS", r#"{"86":{"login":"{code}"}}"#)],
    ] {
        scenario_with(&environment, async |app| {
            let answer = app.send_register_code(ANNA).await;
            answer.assert_a(500, "SEND_MESSAGE_ERROR", NOT_SENT);
            let nothing_stored = app.code_item("register#+8613900139001").await;
            assert!(nothing_stored.is_empty());
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_required_is_asked_for_in_order() {
    scenario(async |app| {
        let nothing = [json!({}), json!({"code": ""}), json!({"code": null})];
        for body in nothing.into_iter().chain([
            json!({"phoneInfo": "x", "name": "Anna", "password": PASSWORD}),
            json!({"code": "  ", "phoneInfo": "x"}),
        ]) {
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{CODE}_REQUIRED", "Code required");
        }
        for body in [
            json!({"code": "026129"}),
            json!({"code": 26129, "phoneInfo": "", "name": "Anna", "password": PASSWORD}),
        ] {
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{PHONE_INFO}_REQUIRED", "Phone info required");
        }
        for name in [
            json!(null),
            json!(""),
            json!(" \t"),
            json!(["Anna"]),
            json!(true),
            json!("An\nna"),
            json!("\u{7f}"),
            json!("x".repeat(65)),
        ] {
            let body = json!({
                "code": "026129", "phoneInfo": "x", "name": name, "password": PASSWORD
            });
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{NAME}_REQUIRED", "Name required");
        }
        for password in [json!(null), json!(""), json!("   ")] {
            let body = json!({
                "code": "026129", "phoneInfo": "x", "name": "Anna", "password": password
            });
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{PASSWORD}_REQUIRED", "Password required");
        }
    })
    .await;
}

#[tokio::test]
async fn password_not_valid_comes_before_the_phone_info_and_costs_no_try() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        for password in [
            json!("12345"),
            json!("密码密码密"),
            json!("x".repeat(65)),
            json!("f".repeat(66)),
            json!(12345),
            json!([PASSWORD]),
            json!({"plain": PASSWORD}),
            json!(true),
        ] {
            let body = json!({
                "phoneInfo": "x", "code": "026129", "name": "Anna", "password": password
            });
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{PASSWORD}_NOT_VALID", "Password not valid");
        }
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        assert_registered(&answer, "Anna", ANNA);
    })
    .await;
}

#[tokio::test]
async fn every_form_of_password_a_client_may_send_logs_in_in_each_form() {
    scenario(async |app| {
        let (six, longest) = ("ab1!xy", "y".repeat(64));
        // Three characters short of an MD5, one over, and as long as one without being hex.
        let near_md5 = ["c0ffee".repeat(5), "d".repeat(33), "g".repeat(32)];
        let mut passwords = vec![
            six,
            &longest,
            "密码也可以是汉字",
            " spaces count ",
            "0226129",
        ];
        passwords.extend(near_md5.iter().map(String::as_str));
        for (n, password) in passwords.iter().enumerate() {
            for (form, as_sent) in [(*password).to_owned(), md5(password)].iter().enumerate() {
                let (phone, name) = (format!("139{form}01391{n:02}"), format!("anna-{n}-{form}"));
                app.learn_password(password);
                let (ticket, code) = app.register_code(&phone).await;
                let answer = app.register(&ticket, &code, &name, as_sent).await;
                let (user, _) = assert_registered(&answer, &name, &phone);
                let upper = md5(password).to_uppercase();
                app.learn(&upper);
                for sent in [*password, &md5(password), &upper] {
                    let answer = app.log_in_with_password(&name, sent).await;
                    answer.assert_ok_with_token(&user);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_that_is_a_number_or_has_spaces_around_it_is_taken_as_it_is() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.learn("86420975");
        let number: u32 = code.parse().unwrap();
        let body = json!({
            "phoneInfo": ticket, "code": number, "name": 2_026_129, "password": 86_420_975
        });
        let answer = app.post(REGISTER, body).await;
        let (user, _) = assert_registered(&answer, "2026129", ANNA);
        let answer = app.log_in_with_password("2026129", "86420975").await;
        answer.assert_ok_with_token(&user);
        let answer = app.log_in_with_password("2026129", " 86420975").await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
    })
    .await;
}

#[tokio::test]
async fn a_form_registers_too() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.learn_password("p+ss word%");
        let form = format!(
            "phoneInfo={ticket}&code={}+{}&name=%E5%AE%89%E5%A8%9C&password=p%2Bss+word%25",
            &code[..3],
            &code[3..]
        );
        let answer = app.post_form(REGISTER, &form).await;
        let (user, _) = assert_registered(&answer, "安娜", ANNA);
        let answer = app.log_in_with_password("安娜", "p+ss word%").await;
        answer.assert_ok_with_token(&user);
    })
    .await;
}

#[tokio::test]
async fn name_exists_whatever_its_case_and_another_can_be_picked() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        for taken in ["eric", "Eric", "ERIC", "  eric "] {
            let answer = app.register(&ticket, &code, taken, PASSWORD).await;
            answer.assert_a(400, "{NAME}_EXISTS", "User name exists");
        }
        assert_eq!(
            app.user_keys().await.len(),
            6,
            "eric and mary, and nobody else"
        );
        let answer = app
            .register(&ticket, &code, "eric the second", PASSWORD)
            .await;
        assert_registered(&answer, "eric the second", ANNA);
    })
    .await;
}

#[tokio::test]
async fn a_name_of_1_to_64_characters_is_kept_as_it_is_written() {
    scenario(async |app| {
        let longest = "名".repeat(64);
        for (n, name) in ["X", "Ärger", &longest, "13900139009"].iter().enumerate() {
            let phone = format!("1390013920{n}");
            let (ticket, code) = app.register_code(&phone).await;
            let answer = app
                .register(&ticket, &code, &format!(" {name}\t"), PASSWORD)
                .await;
            let (user, _) = assert_registered(&answer, name, &phone);
            let answer = app.log_in_with_password(name, PASSWORD).await;
            answer.assert_ok_with_token(&user);
        }
    })
    .await;
}

#[tokio::test]
async fn user_phone_exist_when_somebody_was_quicker() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        app.create_user(7, "quick", ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        answer.assert_a(400, "USER_PHONE_EXIST", "User phone exists");
        // The phone decides before the name.
        let answer = app.register(&ticket, &code, "quick", PASSWORD).await;
        answer.assert_a(400, "USER_PHONE_EXIST", "User phone exists");
    })
    .await;
}

#[tokio::test]
async fn a_registration_sent_twice_says_that_the_phone_has_its_account() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        assert_registered(&answer, "Anna", ANNA);
        for name in ["Anna", "another"] {
            let answer = app.register(&ticket, &code, name, PASSWORD).await;
            answer.assert_a(400, "USER_PHONE_EXIST", "User phone exists");
        }
        assert_eq!(app.user_keys().await.len(), 9);
    })
    .await;
}

#[tokio::test]
async fn code_not_valid_when_it_is_wrong_expired_or_its_tries_are_used_up() {
    scenario(async |app| {
        let refused = async |ticket: &str, code: &str| {
            let answer = app.register(ticket, code, "Anna", PASSWORD).await;
            answer.assert_a(400, "{CODE}_NOT_VALID", "Code not valid");
        };
        let (ticket, code) = app.register_code(ANNA).await;
        for n in 0..5 {
            refused(&ticket, &wrong(&code, n)).await;
        }
        refused(&ticket, &code).await;
        app.wait(120);
        let (ticket, code) = app.register_code(ANNA).await;
        refused(&ticket, "abc").await;
        app.wait(300);
        refused(&ticket, &code).await;
        app.wait(300);
        refused(&ticket, &code).await;
        assert_eq!(app.user_keys().await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn phone_info_not_valid() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let session = app.session_of_eric().await;
        for phone_info in [
            json!("x"),
            json!(5),
            json!([ticket]),
            json!(ticket[..ticket.len() - 1]),
            json!(ticket.to_uppercase()),
            json!(session),
        ] {
            let body = json!({
                "phoneInfo": phone_info, "code": code, "name": "Anna", "password": PASSWORD
            });
            let answer = app.post(REGISTER, body).await;
            answer.assert_a(400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid");
        }
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        assert_registered(&answer, "Anna", ANNA);
    })
    .await;
}

#[tokio::test]
async fn what_an_operator_disables_was_nevertheless_registered() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", PASSWORD).await;
        let (user, token) = assert_registered(&answer, "Anna", ANNA);
        let uid = user["uuid"].as_u64().unwrap();
        app.operator_sets(uid, "status", AttributeValue::N("2".into()))
            .await;
        let answer = app.info(&token).await;
        answer.assert_a(400, "USER_LOGIN_FAILED", "User login failed");
        let answer = app.send_register_code(ANNA).await;
        answer.assert_a(400, "USER_PHONE_EXIST", "User phone exists");
    })
    .await;
}
