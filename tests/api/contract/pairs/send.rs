//! The endpoint of a pair that sends a code.

use serde_json::json;

use crate::support::{
    DAY, MARY,
    message::{NOT_SENT, PHONE_NOT_VALID, PHONE_REQUIRED, TOO_FREQUENT},
    pair::{Client, NEW, Pair},
    scenario, scenario_with,
};

tests_for!(
    [Login as login, Register as register, ChangePassword as change_password, ResetPassword as reset_password]:
    the_text_names_the_purpose,
    too_frequently_for_120_seconds_then_the_same_code,
    send_message_error_when_switched_off_or_not_configured
);

tests_for!(
    [Login as login, Register as register, ResetPassword as reset_password]:
    phone_required,
    phone_not_validate,
    a_phone_may_be_written_in_many_ways
);

async fn the_text_names_the_purpose(pair: Pair) {
    scenario(async |app| {
        let (_, code) = Client::new(app, pair).await.code().await;
        let purpose = pair.purpose();
        let text = format!("【Latchkey】{purpose}验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(pair.phone()), [text]);
    })
    .await;
}

async fn phone_required(pair: Pair) {
    scenario(async |app| {
        for body in [
            json!({}),
            json!({"phone": null}),
            json!({"phone": ""}),
            json!({"phone": " "}),
            json!({"phone": " \t\n"}),
            json!({"phone": null, "phon": ""}),
            json!({"countryCode": "86"}),
        ] {
            let answer = app.post(pair.send(), body).await;
            answer.assert_refused(PHONE_REQUIRED);
        }
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

async fn phone_not_validate(pair: Pair) {
    scenario(async |app| {
        let phone = pair.phone();
        for body in [
            json!({"phone": phone[..10]}),
            json!({"phone": format!("{phone}1")}),
            json!({"phone": "12800138001"}),
            json!({"phone": "abc"}),
            json!({"phon": "abc"}),
            json!({"phone": format!("+8686{phone}")}),
            json!({"phone": format!("00{phone}")}),
            json!({"phone": true}),
            json!({"phone": [phone]}),
            json!({"phone": {"number": phone}}),
            json!({"phone": 1.38e12}),
            json!({"phone": -1}),
            // A country that is not served, and strings that are no country.
            json!({"phone": "7911123456", "countryCode": "44"}),
            json!({"phon": phone, "contryCode": "44"}),
            json!({"phone": phone, "countryCode": "0"}),
            json!({"phone": phone, "countryCode": "abc"}),
            json!({"phone": phone, "countryCode": "0086"}),
            json!({"phone": phone, "countryCode": [86]}),
        ] {
            let answer = app.post(pair.send(), body).await;
            answer.assert_refused(PHONE_NOT_VALID);
        }
        assert!(app.inbox().messages().is_empty());
        let (dynamodb, _) = app.calls();
        let calls = dynamodb.iter().filter(|call| call.caller == pair.sender());
        assert_eq!(
            calls.count(),
            0,
            "refused before anything is read or stored"
        );
    })
    .await;
}

async fn a_phone_may_be_written_in_many_ways(pair: Pair) {
    scenario(async |app| {
        let phone = pair.phone();
        let number: u64 = phone.parse().unwrap();
        let joined = |separator: &str| [&phone[..3], &phone[3..7], &phone[7..]].join(separator);
        let (spaced, dashed, padded) = (joined(" "), joined("-"), format!(" {phone} "));
        let bodies = [
            json!({"phone": number}),
            json!({"phone": number, "countryCode": 86}),
            json!({"phone": spaced}),
            json!({"phone": spaced, "countryCode": "+86"}),
            json!({"phone": dashed, "countryCode": "+86"}),
            json!({"phone": padded, "countryCode": 86}),
            json!({"phone": phone, "countryCode": "８６"}),
            json!({"phone": phone, "countryCode": "＋８６"}),
            json!({"phone": phone, "countryCode": ""}),
            json!({"phone": phone, "countryCode": null}),
            // The documents' misspellings, of which the right spelling wins.
            json!({"phon": phone}),
            json!({"phon": phone, "contryCode": "86"}),
            json!({"phon": number, "contryCode": 86}),
            json!({"phone": phone, "contryCode": "+86"}),
            json!({"phon": spaced, "countryCode": "+86"}),
            json!({"phone": phone, "phon": "1", "countryCode": "86", "contryCode": "1"}),
            json!({"phone": phone, "phon": MARY, "countryCode": "86", "contryCode": "44"}),
            json!({"phone": "", "phon": phone, "countryCode": null, "contryCode": "86"}),
            json!({"phone": "", "phon": phone, "unknown": {"field": [1]}}),
        ];
        let forms = [
            format!("phone={phone}"),
            format!("phone={dashed}"),
            format!("phone={}", joined("+")),
            format!("phone={}&countryCode=%2B86", joined("+")),
            format!("phon={phone}&contryCode=%2B86"),
        ];
        let rows = bodies.len() + forms.len();
        for body in bodies {
            let answer = app.post(pair.send(), body).await;
            answer.assert_ok(&json!(answer.result()));
            app.wait(DAY);
        }
        for form in forms {
            let answer = app.post_form(pair.send(), &form).await;
            answer.assert_ok(&json!(answer.result()));
            app.wait(DAY);
        }
        assert_eq!(app.texts(phone).len(), rows);
        assert!(app.texts(MARY).is_empty());
    })
    .await;
}

async fn too_frequently_for_120_seconds_then_the_same_code(pair: Pair) {
    scenario(async |app| {
        let client = Client::new(app, pair).await;
        let (ticket, code) = client.code().await;
        app.wait(30);
        let refused = client.send().await;
        let wait = client.assert_refused_for_now(&refused, TOO_FREQUENT);
        // The test itself takes some milliseconds.
        assert!(matches!(wait, Some(88..=90)), "{refused:?}");
        app.wait(wait.unwrap());
        let (second_ticket, second_code) = client.code().await;
        assert_eq!(code, second_code);
        assert_eq!(app.texts(pair.phone()).len(), 2);
        // Both tickets name the one challenge; it can be spent once.
        let answer = client.redeem(&ticket, &code).await;
        client.assert_redeemed(&answer);
        let again = client.redeem_for(&second_ticket, &code, "third-password");
        client.assert_refused(&again.await, pair.refuses_spent());
        match pair {
            Pair::Login => {}
            Pair::Register => assert_eq!(app.user_keys().await.len(), 9, "one account more"),
            Pair::ChangePassword | Pair::ResetPassword => {
                app.assert_password_of_eric(NEW, "third-password").await;
            }
        }
    })
    .await;
}

async fn send_message_error_when_switched_off_or_not_configured(pair: Pair) {
    // A text for another purpose is none for this one.
    let texts = match pair {
        Pair::Register => r#"{"86":{"login":"{code}"}}"#,
        Pair::Login | Pair::ChangePassword | Pair::ResetPassword => r#"{"86":{}}"#,
    };
    for environment in [
        [("LOGIN_ENABLED", "false")],
        [("SMS_BRAND", "")],
        [("SENDER_ID_REQUIRED", "86")],
        [("SMS_TEXTS", texts)],
    ] {
        scenario_with(&environment, async |app| {
            let client = Client::new(app, pair).await;
            client.assert_refused(&client.send().await, NOT_SENT);
            assert!(
                app.code_item(&pair.slot()).await.is_empty(),
                "nothing stored"
            );
            if pair == Pair::ChangePassword {
                // Without a session the refusal is about the session.
                let answer = app.post(pair.send(), json!({})).await;
                answer.assert_invalid_token();
            }
        })
        .await;
    }
}
