//! `POST /auth/v1/otp` and `/verify`, the grant `password`, `GET /auth/v1/user`, `POST /auth/v1/logout`.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::time::UnixMs;

use super::rfc_3339;
use crate::support::{
    Answer, DAY, ERIC, ERIC_PASSWORD, TestApp,
    gotrue::{LOGOUT, OTP, TOKEN, USER, VERIFY, number, parts},
    scenario, scenario_with, wrong,
};

const EXPIRED: (u16, &str, &str) = (403, "otp_expired", "Token has expired or is invalid");
const SESSION_OVER: (u16, &str, &str) = (
    403,
    "session_not_found",
    "Session from session_id claim in JWT does not exist",
);
const BAD_PHONE: (u16, &str, &str) = (
    400,
    "validation_failed",
    "Invalid phone number format (E.164 required)",
);

fn assert_refused(answer: &Answer, (status, code, message): (u16, &str, &str)) {
    answer.assert_d(status, code, message);
}

fn is_uuid(text: &Value) -> bool {
    let text = text.as_str().unwrap_or_default();
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// Asserts the whole answer of a session that began now, and returns its access token.
fn assert_session(app: &TestApp, answer: &Answer, phone: &str, metadata: &Value) -> String {
    let now = app.clock.now();
    let token = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    let (access, refresh) = (token("access_token"), token("refresh_token"));
    assert!(refresh.len() >= 12);
    let user = &answer.body["user"];
    let (id, identity) = (&user["id"], &user["identities"][0]["identity_id"]);
    assert!(is_uuid(id) && is_uuid(identity) && id != identity);
    let at = rfc_3339(UnixMs(now.as_secs() * 1000));
    let created = user["created_at"].clone();
    answer.assert(
        200,
        json!({
            "access_token": access, "token_type": "bearer",
            "expires_in": 3600, "expires_at": now.as_secs() + 3600, "refresh_token": refresh,
            "user": {
                "id": id, "aud": "authenticated", "role": "authenticated", "email": "",
                "phone": phone, "phone_confirmed_at": created, "confirmed_at": created,
                "last_sign_in_at": at,
                "app_metadata": {"provider": "phone", "providers": ["phone"]},
                "user_metadata": metadata,
                "identities": [{
                    "identity_id": identity, "id": id, "user_id": id,
                    "identity_data": {
                        "sub": id, "phone": phone, "phone_verified": true, "email_verified": false,
                    },
                    "provider": "phone",
                    "last_sign_in_at": at, "created_at": created, "updated_at": at,
                }],
                "created_at": created, "updated_at": at, "is_anonymous": false,
            },
        }),
    );
    let (_, claims) = parts(&access);
    assert_eq!(&claims["sub"], id);
    assert_eq!(&claims["user_metadata"], metadata);
    assert_eq!(claims["amr"][0]["timestamp"], now.as_secs());
    access
}

#[tokio::test]
async fn an_unknown_number_signs_up_and_then_signs_in_to_the_same_account() {
    scenario(async |app| {
        app.clock.stop();
        app.wait(1);
        let phone = number(1);
        let data = json!({"name": "Zoë", "null": null, "deep": {"a": [1]}});
        let sent = app
            .sdk_post(OTP, json!({"phone": format!("+{phone}"), "data": data}))
            .await;
        assert!(is_uuid(&sent.body["message_id"]), "{sent:?}");
        sent.assert(200, json!({"message_id": sent.body["message_id"]}));
        let code = app.last_code(&phone[2..]);
        let session = app.verify(&phone, &code).await;
        let metadata = json!({"name": "Zoë", "deep": {"a": [1]}});
        let first = assert_session(app, &session, &phone, &metadata);
        // The same code is spent.
        assert_refused(&app.verify(&phone, &code).await, EXPIRED);
        // The next code is for the account, and what comes with it is dropped.
        app.wait(60);
        let other = json!({"phone": phone, "data": {"name": "Eve"}, "create_user": false});
        assert_eq!(app.sdk_post(OTP, other).await.status, 200);
        let code = app.last_code(&phone[2..]);
        let session = app.verify(&format!(" +{phone} "), &code).await;
        let second = assert_session(app, &session, &phone, &metadata);
        let of = |token: &str, claim: &str| parts(token).1[claim].clone();
        assert_eq!(of(&first, "sub"), of(&second, "sub"));
        assert_ne!(of(&first, "session_id"), of(&second, "session_id"));
        // Both sessions go on, and the account is read in each.
        for token in [first, second] {
            let user = app.user(&token).await;
            user.assert(200, session.body["user"].clone());
        }
        // It is an account like any other: its phone is taken in the other dialects.
        let taken = app.send_register_code(&phone[2..]).await;
        assert_eq!(taken.body["code"], "USER_PHONE_EXIST", "{taken:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_of_another_dialect_signs_in() {
    scenario(async |app| {
        app.clock.stop();
        let phone = format!("86{ERIC}");
        let code = app.otp_code(&phone).await;
        let session = app.verify(&phone, &code).await;
        let token = assert_session(app, &session, &phone, &json!({}));
        assert_eq!(parts(&token).1["uuid"], 5);
        app.wait(1);
        let by_password = app
            .sdk_post(
                &format!("{TOKEN}?grant_type=password"),
                json!({"phone": phone, "password": ERIC_PASSWORD, "email": null}),
            )
            .await;
        let token = assert_session(app, &by_password, &phone, &json!({}));
        assert_eq!(parts(&token).1["amr"][0]["method"], "password");
    })
    .await;
}

#[tokio::test]
async fn the_last_send_says_whether_and_with_what_an_account_is_made() {
    scenario(async |app| {
        app.clock.stop();
        let phone = number(2);
        let send = async |body: Value| {
            let mut body = body;
            body["phone"] = json!(phone);
            app.sdk_post(OTP, body).await
        };
        assert_eq!(send(json!({"data": {"n": 1}})).await.status, 200);
        app.wait(60);
        assert_eq!(send(json!({"data": {"n": 2}})).await.status, 200);
        app.wait(60);
        // Without leave to make one, an unknown number gets no code: the last one stays as it was.
        send(json!({"data": {"n": 3}, "create_user": false}))
            .await
            .assert_d(422, "otp_disabled", "Signups not allowed for otp");
        let code = app.last_code(&phone[2..]);
        let session = app.verify(&phone, &code).await;
        assert_eq!(session.body["user"]["user_metadata"], json!({"n": 2}));
    })
    .await;
}

#[tokio::test]
async fn hidden_users_get_a_message_id_and_no_message() {
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        let phone = number(3);
        let body = json!({"phone": phone, "create_user": false});
        let sent = app.sdk_post(OTP, body).await;
        sent.assert(200, json!({"message_id": sent.body["message_id"]}));
        assert_eq!(app.texts(&phone[2..]), [""; 0]);
        assert_refused(&app.verify(&phone, "123456").await, EXPIRED);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_is_refused_and_five_of_them_spend_it() {
    scenario(async |app| {
        let phone = number(4);
        let code = app.otp_code(&phone).await;
        for n in 0..5 {
            assert_refused(&app.verify(&phone, &wrong(&code, n)).await, EXPIRED);
        }
        assert_refused(&app.verify(&phone, &code).await, EXPIRED);
    })
    .await;
}

#[tokio::test]
async fn a_code_is_sent_once_a_minute() {
    scenario(async |app| {
        app.clock.stop();
        let phone = number(5);
        app.otp_code(&phone).await;
        app.wait(50);
        let again = app.sdk_post(OTP, json!({"phone": phone})).await;
        let message = "For security purposes, you can only request this after 10 seconds.";
        again.assert_d(429, "over_sms_send_rate_limit", message);
        assert_eq!(again.retry_after(), Some(10));
    })
    .await;
}

/// Where the answer to the right code is lost, a new one repairs it, wherever the client is by now.
#[tokio::test]
async fn a_success_ends_the_cool_down() {
    scenario(async |app| {
        app.clock.stop();
        let phone = number(20);
        for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
            app.stays_at(address);
            let code = app.otp_code(&phone).await;
            assert_eq!(app.verify(&phone, &code).await.status, 200);
        }
        app.otp_code(&phone).await;
        let again = app.sdk_post(OTP, json!({"phone": phone})).await;
        assert_eq!(again.status, 429, "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn an_sdk_without_the_version_gets_the_old_form() {
    scenario(async |app| {
        let phone = json!({"phone": "+12345"});
        for version in [None, Some("2023-12-31"), Some("soon")] {
            let version = version.map(|version| ("x-supabase-api-version", version));
            let headers: Vec<_> = version.into_iter().collect();
            let refused = app
                .request(Method::POST, OTP, &headers, phone.to_string())
                .await;
            let (status, code, message) = BAD_PHONE;
            refused.assert(
                status,
                json!({"code": status, "error_code": code, "msg": message}),
            );
            assert!(!refused.headers.contains_key("x-supabase-api-version"));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_refused() {
    scenario(async |app| {
        let phone = number(6);
        let invalid = |message| (400, "validation_failed", message);
        let verify = |body: Value| (VERIFY, body);
        let email = (422, "email_provider_disabled", "Email logins are disabled");
        let password = format!("{TOKEN}?grant_type=password");
        let credentials = (400, "invalid_credentials", "Invalid login credentials");
        let refresh = format!("{TOKEN}?grant_type=refresh_token");
        for ((path, body), refusal) in [
            ((OTP, json!({})), BAD_PHONE),
            ((OTP, json!({"phone": null})), BAD_PHONE),
            ((OTP, json!({"phone": "0123456"})), BAD_PHONE),
            ((OTP, json!({"phone": "++8613800138001"})), BAD_PHONE),
            ((OTP, json!({"phone": "1234567890123456"})), BAD_PHONE),
            // Of no country that is served.
            ((OTP, json!({"phone": "+33612345678"})), BAD_PHONE),
            ((OTP, json!({"email": "eric@example.com"})), email),
            (
                (OTP, json!({"phone": phone, "channel": "whatsapp"})),
                invalid("Invalid channel, the supported value is 'sms'"),
            ),
            (
                (OTP, json!({"phone": phone, "data": [1]})),
                invalid("data must be an object"),
            ),
            (
                (
                    OTP,
                    json!({"phone": phone, "data": {"k": "x".repeat(2048)}}),
                ),
                invalid("data is too large (max 2048 bytes)"),
            ),
            (
                (OTP, json!({"phone": phone, "create_user": "yes"})),
                invalid("create_user must be true or false"),
            ),
            (
                verify(json!({"phone": phone, "token": "123456"})),
                invalid("Verify requires a verification type"),
            ),
            (
                verify(json!({"type": "sms", "phone": phone})),
                invalid("Verify requires either a token or a token hash"),
            ),
            (
                verify(json!({"type": "sms", "phone": phone, "token": "1", "token_hash": "2"})),
                invalid("Verify requires either a token or a token hash"),
            ),
            (
                verify(json!({"type": "pigeon", "phone": phone, "token": "123456"})),
                invalid("Invalid verification type"),
            ),
            (verify(json!({"type": "sms", "token_hash": "x"})), EXPIRED),
            (verify(json!({"type": "sms", "token": "123456"})), BAD_PHONE),
            (
                verify(json!({"type": "sms", "token": "123456", "email": "eric@example.com"})),
                EXPIRED,
            ),
            (
                verify(json!({"type": "sms", "phone": phone, "token": "letters"})),
                EXPIRED,
            ),
            (
                verify(json!({"type": "phone_change", "phone": phone, "token": "123456"})),
                EXPIRED,
            ),
            (
                (
                    &password,
                    json!({"phone": "nonsense", "password": "secret"}),
                ),
                credentials,
            ),
            ((&password, json!({"phone": phone})), credentials),
            (
                (&password, json!({"phone": phone, "password": "secret"})),
                credentials,
            ),
            (
                (
                    &password,
                    json!({"email": "eric@example.com", "password": "secret"}),
                ),
                email,
            ),
            (
                (&refresh, json!({"refresh_token": "short"})),
                invalid("Refresh token is not valid"),
            ),
            ((&refresh, json!({})), invalid("Refresh token is not valid")),
            (
                ("/auth/v1/token?grant_type=id_token", json!({})),
                (400, "provider_disabled", "Provider is not enabled"),
            ),
            (
                ("/auth/v1/token?grant_type=web3", json!({})),
                (422, "web3_provider_disabled", "Web3 provider is disabled"),
            ),
            (
                ("/auth/v1/token?grant_type=pkce", json!({})),
                (
                    404,
                    "flow_state_not_found",
                    "Invalid flow state, no valid flow state found",
                ),
            ),
            (
                ("/auth/v1/token", json!({})),
                (400, "invalid_credentials", "unsupported_grant_type"),
            ),
        ] {
            let refused = app.sdk_post(path, body.clone()).await;
            assert_refused(&refused, refusal);
        }
        let bad_json = (400, "bad_json", "Could not parse request body as JSON");
        for path in [OTP, VERIFY, TOKEN] {
            let refused = app.sdk(Method::POST, path, "anon", "[]").await;
            assert_refused(&refused, bad_json);
            let large = json!({"x": "x".repeat(16 * 1024)}).to_string();
            let refused = app.sdk(Method::POST, path, "anon", &large).await;
            let message = "Request body too large (max 16384 bytes)";
            assert_refused(&refused, (413, "request_entity_too_large", message));
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_have_a_code_is_told_why() {
    let phone = number(7);
    let send = async |app: &TestApp| app.sdk_post(OTP, json!({"phone": phone})).await;
    let disabled = (400, "phone_provider_disabled", "Unsupported phone provider");
    for environment in [("LOGIN_ENABLED", "false"), ("SMS_BRAND", "")] {
        scenario_with(&[environment], async |app| {
            assert_refused(&send(app).await, disabled);
        })
        .await;
    }
    scenario(async |app| {
        app.sns
            .break_it(crate::support::fault::sns_error(400, "OptedOut"));
        let message = "Error sending confirmation OTP to provider";
        assert_refused(&send(app).await, (422, "sms_send_failed", message));
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_banned() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        let code = app.otp_code(&phone).await;
        let session = app.signed_in(&number(8)).await;
        app.operator_sets(5, "status", AttributeValue::N("2".into()))
            .await;
        let banned = (403, "user_banned", "User is banned");
        assert_refused(&app.verify(&phone, &code).await, banned);
        app.wait(60);
        let refused = app.sdk_post(OTP, json!({"phone": phone})).await;
        assert_refused(&refused, banned);
        let body = json!({"phone": phone, "password": ERIC_PASSWORD});
        let path = format!("{TOKEN}?grant_type=password");
        let refused = app.sdk_post(&path, body).await;
        assert_refused(&refused, (400, "user_banned", "User is banned"));
        let access = session["access_token"].as_str().unwrap();
        let uid = parts(access).1["uuid"].as_u64().unwrap();
        app.operator_sets(uid, "status", AttributeValue::N("2".into()))
            .await;
        assert_refused(&app.user(access).await, banned);
        let refresh = session["refresh_token"].as_str().unwrap();
        let refused = app.refresh(refresh).await;
        assert_refused(&refused, (400, "user_banned", "User is banned"));
    })
    .await;
}

#[tokio::test]
async fn an_account_is_read_with_an_access_token_alone() {
    scenario(async |app| {
        let missing = app.request(Method::GET, USER, &[], "").await;
        let message = "This endpoint requires a valid Bearer token";
        let old = json!({"code": 401, "error_code": "no_authorization", "msg": message});
        missing.assert(401, old);
        let bad = (
            403,
            "bad_jwt",
            "invalid JWT: unable to parse or verify signature",
        );
        let session = app.session_of_eric().await;
        for token in ["anon", &session] {
            assert_refused(&app.user(token).await, bad);
        }
        // An exchanged token reads the account, too.
        let exchanged = app.access_token(&session).await;
        assert_eq!(app.user(&exchanged).await.status, 200);
        app.wait(3601);
        assert_refused(&app.user(&exchanged).await, bad);
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_this_session_the_others_or_all() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        for (scope, ends) in [
            ("?scope=local", [true, false, false]),
            ("?scope=others", [false, true, true]),
            ("?scope=global", [true, true, true]),
            ("", [true, true, true]),
        ] {
            let mut tokens = Vec::new();
            for _ in 0..2 {
                app.wait(DAY);
                let session = app.signed_in(&phone).await;
                tokens.push(session["access_token"].as_str().unwrap().to_owned());
            }
            let of_a = app.session_of_eric().await;
            app.wait(1);
            let out = app
                .sdk(Method::POST, &format!("{LOGOUT}{scope}"), &tokens[1], "{}")
                .await;
            assert_eq!((out.status, &out.body), (204, &json!("")), "{scope}");
            assert_eq!(app.user(&tokens[1]).await.status == 403, ends[0], "{scope}");
            assert_eq!(app.info(&of_a).await.status == 401, ends[2], "{scope}");
            if ends[0] {
                assert_refused(&app.user(&tokens[1]).await, SESSION_OVER);
                let again = app
                    .sdk(Method::POST, &format!("{LOGOUT}{scope}"), &tokens[1], "")
                    .await;
                assert_refused(&again, SESSION_OVER);
            }
        }
        let token = app.signed_in(&number(9)).await;
        let token = token["access_token"].as_str().unwrap();
        let path = format!("{LOGOUT}?scope=some");
        let refused = app.sdk(Method::POST, &path, token, "").await;
        let message = "Unsupported logout scope";
        assert_refused(&refused, (400, "validation_failed", message));
    })
    .await;
}
