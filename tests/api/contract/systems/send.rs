//! `POST /Systems/sendVerificationCode`.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ERIC, MARY,
    fault::{Fault, sns_error},
    scenario, scenario_with,
    systems::{
        DISABLED, NO_SMS, NO_SUCH_USER, NOT_A_PHONE, NOT_SENT, NOT_THE_PHONE, SEND_EMPTY,
        SEND_VERIFICATION_CODE, TOO_OFTEN, all_get, calls_of,
    },
};

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
            // Names are case-sensitive here.
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
async fn send_to_an_invalid_phone_or_a_country_that_is_not_served() {
    scenario(async |app| {
        let phones = [
            json!("1380013800"),
            json!("138001380011"),
            json!("12800138001"),
            json!("868613800138001"),
            json!("0013800138001"),
            json!("abc"),
            json!("138.0013.8001"),
            json!("+"),
            json!("++8613800138001"),
            json!("+008613800138001"),
            json!("+861380013800"),
            json!("+13800138001"),
            // A country that is not served, and none at all.
            json!("+447400123456"),
            json!("+013800138001"),
            json!(1_380_013_800),
            json!(1.38e12),
            json!(-1),
            json!(true),
            json!([ERIC]),
            json!({"number": ERIC}),
        ];
        let bodies = phones.map(|phone| json!({"username": "eric", "mobile_phone": phone}));
        all_get(app, SEND_VERIFICATION_CODE, NOT_A_PHONE, bodies.to_vec()).await;
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
            // A name may be a number, even another account's phone.
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
        // A phone that another account has makes no difference.
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
        // Another account's, no account's, and the same digits in another country.
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
        // Without a number there is no phone.
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
        // With another phone too: the account is checked before the phone.
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
