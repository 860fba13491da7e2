//! The endpoint of a pair that redeems a code.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, claims,
    message::{
        CODE_NOT_VALID, CODE_REQUIRED, LOGIN_FAILED, NAME_NOT_VALID, NEW_PASSWORD_NOT_VALID,
        NEW_PASSWORD_REQUIRED, PASSWORD_NOT_VALID, PASSWORD_REQUIRED, PHONE_INFO_NOT_VALID,
        PHONE_INFO_REQUIRED, PHONE_MISMATCH, Refusal, USER_NOT_FOUND,
    },
    pair::{Client, NEW, Pair},
    scenario, wrong,
};

tests_for!(
    [Login as login, Register as register, ChangePassword as change_password, ResetPassword as reset_password]:
    required_fields_are_checked_in_order,
    phone_info_not_valid,
    code_not_valid_when_it_is_wrong_spent_expired_or_its_tries_are_used_up
);

tests_for!(
    [Register as register, ChangePassword as change_password, ResetPassword as reset_password]:
    a_password_not_valid_costs_no_try
);

tests_for!(
    [Login as login, ResetPassword as reset_password]:
    a_user_not_found_disabled_or_with_another_phone_keeps_the_code_usable
);

/// The rows about required fields, in the order in which the fields are checked.
fn required(pair: Pair) -> Vec<(Refusal, Vec<Value>)> {
    match pair {
        Pair::Login => vec![
            (
                CODE_REQUIRED,
                vec![
                    json!({}),
                    json!({"phoneInfo": "x"}),
                    json!({"code": null, "phoneInfo": null}),
                    json!({"code": "", "phoneInfo": "x"}),
                    json!({"code": "  ", "phoneInfo": "x"}),
                ],
            ),
            (
                PHONE_INFO_REQUIRED,
                vec![
                    json!({"code": "026129"}),
                    json!({"code": 26129, "phoneInfo": ""}),
                    json!({"code": "0", "phoneInfo": " "}),
                ],
            ),
        ],
        Pair::Register => {
            let with_name = |name: Value| json!({"code": "026129", "phoneInfo": "x", "name": name, "password": NEW});
            let with_password = |password: Value| json!({"code": "026129", "phoneInfo": "x", "name": "Anna", "password": password});
            vec![
                (
                    CODE_REQUIRED,
                    vec![
                        json!({}),
                        json!({"code": ""}),
                        json!({"code": null}),
                        json!({"phoneInfo": "x", "name": "Anna", "password": NEW}),
                        json!({"code": "  ", "phoneInfo": "x"}),
                    ],
                ),
                (
                    PHONE_INFO_REQUIRED,
                    vec![
                        json!({"code": "026129"}),
                        json!({"code": 26129, "phoneInfo": "", "name": "Anna", "password": NEW}),
                    ],
                ),
                (
                    NAME_NOT_VALID,
                    vec![
                        with_name(json!(["Anna"])),
                        with_name(json!(true)),
                        with_name(json!("An\nna")),
                        with_name(json!("\u{7f}")),
                        with_name(json!("x".repeat(65))),
                    ],
                ),
                (
                    PASSWORD_REQUIRED,
                    vec![
                        with_password(json!(null)),
                        with_password(json!("")),
                        with_password(json!("   ")),
                    ],
                ),
            ]
        }
        Pair::ChangePassword => vec![
            (
                NEW_PASSWORD_REQUIRED,
                vec![
                    json!({}),
                    json!({"newPassword": null}),
                    json!({"newPassword": "", "code": "123454", "phoneInfo": "x"}),
                    json!({"newPassword": " \t\n\u{3000}  ", "code": "123454", "phoneInfo": "x"}),
                    json!({"oldPassword": ERIC_PASSWORD}),
                ],
            ),
            (
                CODE_REQUIRED,
                vec![
                    json!({"newPassword": NEW}),
                    json!({"newPassword": NEW, "code": null, "phoneInfo": "x"}),
                    json!({"newPassword": NEW, "code": " ", "phoneInfo": "x"}),
                ],
            ),
            (
                PHONE_INFO_REQUIRED,
                vec![
                    json!({"newPassword": NEW, "code": "123454"}),
                    json!({"newPassword": NEW, "code": 123_454, "phoneInfo": ""}),
                    json!({"newPassword": NEW, "code": "0", "phoneInfo": null, "oldPassword": "x"}),
                ],
            ),
        ],
        Pair::ResetPassword => vec![
            (
                CODE_REQUIRED,
                vec![
                    json!({}),
                    json!({"code": null}),
                    json!({"code": "", "newPassword": NEW, "phoneInfo": "x"}),
                    json!({"newPassword": "x", "phoneInfo": "x"}),
                ],
            ),
            (
                NEW_PASSWORD_REQUIRED,
                vec![
                    json!({"code": "121593"}),
                    json!({"code": "121593", "newPassword": null, "phoneInfo": "x"}),
                    json!({"code": 121_593, "newPassword": "  ", "phoneInfo": "x"}),
                ],
            ),
            (
                PHONE_INFO_REQUIRED,
                vec![
                    json!({"code": "121593", "newPassword": NEW}),
                    json!({"code": "0", "newPassword": NEW, "phoneInfo": " "}),
                ],
            ),
        ],
    }
}

async fn required_fields_are_checked_in_order(pair: Pair) {
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        for (refusal, bodies) in required(pair) {
            for body in bodies {
                client.assert_refused(&client.redeem_with(body).await, refusal);
            }
        }
    })
    .await;
}

async fn a_password_not_valid_costs_no_try(pair: Pair) {
    let refusal = match pair {
        Pair::Register => PASSWORD_NOT_VALID,
        _ => NEW_PASSWORD_NOT_VALID,
    };
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        let (ticket, code) = client.code().await;
        for password in [
            json!("12345"),
            json!("密码密码密"),
            json!("x".repeat(65)),
            json!("f".repeat(66)),
            json!(12345),
            json!([NEW]),
            json!({"plain": NEW}),
            json!(true),
            json!(false),
        ] {
            for code in [code.as_str(), "026129"] {
                let body = pair.body(&json!(ticket), &json!(code), &password);
                client.assert_refused(&client.redeem_with(body).await, refusal);
            }
            if pair == Pair::Register {
                // The password is checked before the ticket.
                let body = pair.body(&json!("x"), &json!("026129"), &password);
                client.assert_refused(&client.redeem_with(body).await, refusal);
            }
        }
        client.assert_redeemed(&client.redeem(&ticket, &code).await);
    })
    .await;
}

/// The tickets of the documents' samples, which another system signed.
const SAMPLES: [&str; 2] = [
    "T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NakEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uN2JjYWZkYjA1ZGEzNzM0ZTAxYWMzODVkNjFlYzRjMWE.",
    "T0RZLi5xenktc3AtdG9rZW5ANmNzOTJkLXRva2VuLk1UTTJNamN4TkRBME9ETS4ucXp5LXNwLXRva2VuQDZjczkyZC10b2tlbi5NekEuLnF6eS1zcC10b2tlbkA2Y3M5MmQtdG9rZW4uMzhiZTg4ZjMwZTEyYzU5ODc1MzgyNGE2MjQ3NDBkNDI.",
];

async fn phone_info_not_valid(pair: Pair) {
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        let session = app.session_of_eric().await;
        let others = client.ticket_of_another().await;
        let (ticket, code) = client.code().await;
        let parts: Vec<&str> = ticket.split('.').collect();
        let others: Vec<&str> = others.split('.').collect();
        let claims = claims(&ticket);
        let with = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            claims
        };
        let header = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let forged = |header: &str, claims: &Value, signature: &str| {
            let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
            json!(format!("{header}.{claims}.{signature}"))
        };
        let none = header(r#"{"typ":"JWT","alg":"none","kid":"local"}"#);
        let unknown_kid = header(r#"{"typ":"JWT","alg":"HS256","kid":"k9"}"#);
        let no_kid = header(r#"{"typ":"JWT","alg":"HS256"}"#);
        for phone_info in [
            json!(SAMPLES[0]),
            json!(SAMPLES[1]),
            json!("x"),
            json!(5),
            json!([ticket]),
            json!(true),
            json!(ticket[1..]),
            json!(ticket[..ticket.len() - 1]),
            json!(format!("{ticket}x")),
            json!(format!("{ticket}.")),
            json!(ticket.to_uppercase()),
            json!(ticket.to_lowercase()),
            json!(format!("{}.{}", parts[0], parts[1])),
            json!(format!("{}.{}.{}", parts[0], others[1], parts[2])),
            forged(
                parts[0],
                &with("account", json!("0000000000000006")),
                parts[2],
            ),
            forged(parts[0], &with("exp", json!(99_999_999_999_u64)), parts[2]),
            forged(&none, &claims, ""),
            forged(&none, &claims, parts[2]),
            forged(&unknown_kid, &claims, parts[2]),
            forged(&no_kid, &claims, parts[2]),
            json!(session),
        ] {
            let body = pair.body(&phone_info, &json!(code), &json!(NEW));
            client.assert_refused(&client.redeem_with(body).await, PHONE_INFO_NOT_VALID);
        }
        client.assert_redeemed(&client.redeem(&ticket, &code).await);
    })
    .await;
}

async fn code_not_valid_when_it_is_wrong_spent_expired_or_its_tries_are_used_up(pair: Pair) {
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        let refused = async |ticket: &str, code: &str| {
            client.assert_refused(&client.redeem(ticket, code).await, CODE_NOT_VALID);
        };
        // Five wrong tries, then not even the right code.
        let (ticket, code) = client.code().await;
        for n in 0..5 {
            refused(&ticket, &wrong(&code, n)).await;
        }
        refused(&ticket, &code).await;
        // A text with digits that is no code counts as a wrong code, one without digits as none at all.
        app.wait(120);
        let (ticket, code) = client.code().await;
        refused(&ticket, "abc1").await;
        for nothing in ["abc", "验证码", "-"] {
            client.assert_refused(&client.redeem(&ticket, nothing).await, CODE_REQUIRED);
        }
        assert_eq!(app.wrong_tries(&pair.slot()).await, "1");
        // Expired after five minutes, to the second; and then not even the ticket lives on.
        app.wait(300);
        refused(&ticket, &code).await;
        app.wait(300);
        refused(&ticket, &code).await;
        client.assert_nothing_came_of_it().await;
        // The next code is good, once.
        let (ticket, code) = client.code().await;
        client.assert_redeemed(&client.redeem(&ticket, &code).await);
        let again = client.redeem(&ticket, &code).await;
        client.assert_refused(&again, pair.refuses_spent());
    })
    .await;
}

async fn a_user_not_found_disabled_or_with_another_phone_keeps_the_code_usable(pair: Pair) {
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        let (ticket, code) = client.code().await;
        let refused = async |refusal: Refusal| {
            client.assert_refused(&client.redeem(&ticket, &code).await, refusal);
        };
        let sets = async |attribute: &str, value: AttributeValue| {
            app.operator_sets(5, attribute, value).await;
        };
        sets("status", AttributeValue::N("1".into())).await;
        refused(LOGIN_FAILED).await;
        sets("status", AttributeValue::N("0".into())).await;
        sets("phone", AttributeValue::S(ANNA.into())).await;
        refused(PHONE_MISMATCH).await;
        app.operator_removes(5, "phone").await;
        refused(PHONE_MISMATCH).await;
        sets("phone", AttributeValue::S(ERIC.into())).await;
        client.assert_redeemed(&client.redeem(&ticket, &code).await);

        let ticket = client.ticket_of_another().await;
        app.operator_deletes(6).await;
        let answer = client.redeem(&ticket, &app.last_code(MARY)).await;
        client.assert_refused(&answer, USER_NOT_FOUND);
    })
    .await;
}
