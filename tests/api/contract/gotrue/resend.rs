//! `POST /auth/v1/resend`.

use serde_json::json;

use crate::support::{
    ERIC, HOME, TestApp,
    gotrue::{OTP, RESEND, number},
    scenario, scenario_with,
};

async fn messages_to(app: &TestApp, phone: &str) -> usize {
    app.texts(&phone[2..]).len()
}

#[tokio::test]
async fn an_open_code_is_sent_again() {
    scenario(async |app| {
        app.clock.stop();
        let phone = number(1);
        let data = json!({"phone": phone, "data": {"n": 1}});
        assert_eq!(app.sdk_post(OTP, data).await.status, 200);
        let code = app.last_code(&phone[2..]);
        let again = app.resend("sms", &phone).await;
        let message = "For security purposes, you can only request this after 60 seconds.";
        again.assert_d(429, "over_sms_send_rate_limit", message);
        assert_eq!(again.retry_after(), Some(60));
        app.wait(60);
        let again = app.resend("sms", &phone).await;
        again.assert(200, json!({"message_id": again.body["message_id"]}));
        assert_eq!(messages_to(app, &phone).await, 2);
        assert_eq!(app.last_code(&phone[2..]), code);
        // What came with the code comes with it still.
        let session = app.verify(&phone, &code).await;
        assert_eq!(session.body["user"]["user_metadata"], json!({"n": 1}));
    })
    .await;
}

#[tokio::test]
async fn where_no_code_is_open_nothing_is_sent_and_the_answer_is_the_same() {
    for hidden in ["false", "true"] {
        scenario_with(&[("HIDE_UNKNOWN_USERS", hidden)], async |app| {
            let eric = format!("86{ERIC}");
            let (unknown, expired, spent) = (number(1), number(2), number(3));
            app.otp_code(&expired).await;
            app.wait(300);
            app.signed_in(&spent).await;
            app.wait(60);
            let before = app.inbox().messages().len();
            for phone in [&eric, &unknown, &expired, &spent] {
                for kind in ["sms", "phone_change"] {
                    let answer = app.resend(kind, phone).await;
                    answer.assert(200, json!({"message_id": answer.body["message_id"]}));
                }
            }
            assert_eq!(app.inbox().messages().len(), before);
        })
        .await;
    }
}

#[tokio::test]
async fn a_decoy_is_resent_like_any_other() {
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        app.clock.stop();
        let phone = number(1);
        let body = json!({"phone": phone, "create_user": false});
        assert_eq!(app.sdk_post(OTP, body).await.status, 200);
        let again = app.resend("sms", &phone).await;
        assert_eq!(again.status, 429, "{again:?}");
        app.wait(60);
        assert_eq!(app.resend("sms", &phone).await.status, 200);
        assert_eq!(messages_to(app, &phone).await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_code_of_a_change_goes_to_the_new_number_whichever_is_named() {
    scenario(async |app| {
        app.clock.stop();
        app.stays_at(HOME);
        let (old, new) = (format!("86{ERIC}"), number(1));
        let session = app.signed_in(&old).await;
        let token = session["access_token"].as_str().unwrap();
        let changed = app.update_user(token, json!({"phone": new})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let code = app.last_code(&new[2..]);
        for (named, sends) in [(&old, 2), (&new, 3)] {
            app.wait(60);
            let again = app.resend("phone_change", named).await;
            again.assert(200, json!({"message_id": again.body["message_id"]}));
            assert_eq!(messages_to(app, &new).await, sends);
            let user = app.user(token).await.body;
            let sent = user["phone_change_sent_at"].as_str().unwrap().to_owned();
            assert_eq!(sent, super::rfc_3339(app.clock.now()));
        }
        assert_eq!(app.last_code(&new[2..]), code);
        // Who has it sent again from elsewhere may not present it there.
        app.wait(60);
        app.stays_at("198.51.100.77");
        assert_eq!(app.resend("phone_change", &new).await.status, 200);
        let refused = app.verify_move("anon", &new, &code).await;
        refused.assert_d(403, "otp_expired", "Token has expired or is invalid");
        app.stays_at(HOME);
        assert_eq!(app.verify_move("anon", &new, &code).await.status, 200);
        let after = messages_to(app, &new).await;
        app.wait(60);
        assert_eq!(app.resend("phone_change", &new).await.status, 200);
        assert_eq!(messages_to(app, &new).await, after);
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_refused() {
    scenario(async |app| {
        let phone = number(1);
        let invalid = |message| (400, "validation_failed", message);
        let no_email = (400, "email_provider_disabled", "Email logins are disabled");
        for (body, (status, code, message)) in [
            (json!({"phone": phone}), invalid("Type is required")),
            (
                json!({"type": "pigeon", "phone": phone}),
                invalid("Invalid resend type"),
            ),
            (
                json!({"type": "sms"}),
                invalid("Invalid phone number format (E.164 required)"),
            ),
            (json!({"type": "sms", "email": "a@example.com"}), no_email),
            (
                json!({"type": "signup", "email": "a@example.com"}),
                no_email,
            ),
        ] {
            let refused = app.sdk_post(RESEND, body).await;
            refused.assert_d(status, code, message);
        }
    })
    .await;
}
