//! `POST /auth/v1/token` with the grant of RFC 8693: a session token becomes an access token.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, DAY, ERIC, ERIC_PASSWORD, FORM, TestApp,
    fault::Fault,
    gotrue::{ACCESS_TOKEN, EXCHANGE, JwtAuthorizer, TOKEN, parts},
    scenario, scenario_with,
};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const JSON: (&str, &str) = ("content-type", "application/json");

fn now(app: &TestApp) -> u64 {
    app.clock.now().as_secs()
}

#[tokio::test]
async fn a_session_is_exchanged_for_a_token_that_a_jwt_authorizer_admits_for_an_hour() {
    scenario(async |app| {
        app.clock.stop();
        let authorizer = JwtAuthorizer::of(app).await;
        let (ticket, code) = app.login_code(ERIC).await;
        let by_code = app.log_in(&ticket, &code).await.token().to_owned();
        let by_password = app.session_of("eric", ERIC_PASSWORD).await;
        let began = now(app);
        app.wait(100);
        for (session, method) in [(by_code, "otp"), (by_password, "password")] {
            let answer = app.exchange(&session).await;
            let token = answer.body["access_token"].as_str().unwrap().to_owned();
            answer.assert(
                200,
                json!({
                    "access_token": token, "issued_token_type": ACCESS_TOKEN,
                    "token_type": "Bearer", "expires_in": 3600,
                }),
            );
            let (header, claims) = parts(&token);
            let expected = json!({"alg": "RS256", "typ": "JWT", "kid": "local-a"});
            assert_eq!(header, expected);
            let expected = json!({
                "iss": format!("{}/auth/v1", app.gateway_url()),
                "sub": "00000000-0000-4000-8000-000000000005",
                "aud": "authenticated", "role": "authenticated",
                "email": "", "phone": "8613800138001",
                "session_id": crate::support::claims(&session)["sid"],
                "aal": "aal1", "amr": [{"method": method, "timestamp": began}],
                "is_anonymous": false, "iat": now(app), "exp": now(app) + 3600,
                "user_metadata": {},
                "app_metadata": {"provider": "phone", "providers": ["phone"]},
                "uuid": 5, "exchanged": true,
            });
            assert_eq!(claims, expected);
            assert!(authorizer.admits(&token, now(app)));
            assert!(authorizer.admits(&token, now(app) + 3599));
            assert!(!authorizer.admits(&token, now(app) + 3600));
        }
    })
    .await;
}

#[tokio::test]
async fn a_jwt_authorizer_refuses_every_token_that_is_not_ours_to_the_letter() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let token = app.access_token(&session).await;
        let ours = JwtAuthorizer::of(app).await;
        let at = now(app) + 1;
        assert!(ours.admits(&token, at));
        let issuer = |issuer: String| JwtAuthorizer {
            issuer,
            audience: ours.audience.clone(),
            keys: ours.keys.clone(),
        };
        for other in [
            issuer(format!("{}/", ours.issuer)),
            issuer(ours.issuer.to_uppercase()),
            JwtAuthorizer {
                audience: "anon".to_owned(),
                ..issuer(ours.issuer.clone())
            },
            JwtAuthorizer {
                keys: serde_json::from_value(json!({"keys": []})).unwrap(),
                ..issuer(ours.issuer.clone())
            },
        ] {
            assert!(!other.admits(&token, at), "{}", other.issuer);
        }
        // A session token is no access token.
        assert!(!ours.admits(&session, at));
        assert!(!ours.admits(&token, at - 3600));
    })
    .await;
}

#[tokio::test]
async fn a_token_does_not_outlive_its_session() {
    scenario(async |app| {
        app.clock.stop();
        let session = app.session_of_eric().await;
        app.wait(30 * DAY - 60);
        let answer = app.exchange(&session).await;
        assert_eq!(answer.body["expires_in"], 60, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn an_exchange_is_a_use_of_its_session() {
    scenario(async |app| {
        let mut sessions = Vec::new();
        for _ in 0..20 {
            sessions.push(app.session_of_eric().await);
            app.wait(1);
        }
        app.wait(DAY);
        app.access_token(&sessions[0]).await;
        // Of more than twenty the least recently used one ends.
        app.session_of_eric().await;
        app.access_token(&sessions[0]).await;
        assert_refused(&app.exchange(&sessions[1]).await, "invalid_grant", NOT_GOOD);
    })
    .await;
}

#[tokio::test]
async fn the_exchange_is_asked_for_in_a_form_in_json_or_in_the_query() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let fields = |grant: Option<&'static str>, kind: &'static str| {
            let mut fields = vec![
                ("subject_token", session.as_str()),
                ("subject_token_type", kind),
            ];
            fields.extend(grant.map(|grant| ("grant_type", grant)));
            fields
        };
        let form = |fields: Vec<(&str, &str)>| {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields).finish()
        };
        let json = |fields: Vec<(&str, &str)>| {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name.to_owned(), json!(value)));
            Value::Object(fields.collect()).to_string()
        };
        let in_query = format!("{TOKEN}?grant_type={}", EXCHANGE.replace(':', "%3A"));
        for (path, label, body) in [
            (TOKEN, FORM, form(fields(Some(EXCHANGE), ACCESS_TOKEN))),
            (TOKEN, FORM, form(fields(Some(EXCHANGE), JWT))),
            (TOKEN, JSON, json(fields(Some(EXCHANGE), JWT))),
            (&in_query, FORM, form(fields(None, ACCESS_TOKEN))),
            (
                &in_query,
                JSON,
                json(fields(Some("password"), ACCESS_TOKEN)),
            ),
        ] {
            let answer = app.post_raw(path, &[label], body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    })
    .await;
}

#[track_caller]
fn assert_refused(answer: &Answer, error: &str, description: &str) {
    let body = json!({"error": error, "error_description": description});
    answer.assert(400, body);
}

const NOT_GOOD: &str = "subject_token is not valid, has expired, or its session is over";

#[tokio::test]
async fn what_is_missing_or_not_supported_is_named() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let request = |changes: Value| {
            let mut body = json!({
                "grant_type": EXCHANGE, "subject_token": session, "subject_token_type": JWT
            });
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        let kinds = "must be that of an access token or of a JWT";
        for (changes, error, description) in [
            (
                json!({"subject_token": null}),
                "invalid_request",
                "subject_token is required".to_owned(),
            ),
            (
                json!({"subject_token_type": ""}),
                "invalid_request",
                format!("subject_token_type {kinds}"),
            ),
            (
                json!({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}),
                "invalid_request",
                format!("subject_token_type {kinds}"),
            ),
            (
                json!({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
                "invalid_request",
                format!("requested_token_type {kinds}"),
            ),
            (
                json!({"actor_token": "x"}),
                "invalid_request",
                "actor_token is not supported".to_owned(),
            ),
            (
                json!({"audience": "orders"}),
                "invalid_target",
                "audience and resource are not supported".to_owned(),
            ),
            (
                json!({"resource": "https://orders.example.com"}),
                "invalid_target",
                "audience and resource are not supported".to_owned(),
            ),
            (
                json!({"subject_token": "x"}),
                "invalid_grant",
                NOT_GOOD.to_owned(),
            ),
        ] {
            let answer = app.post(TOKEN, request(changes)).await;
            assert_refused(&answer, error, &description);
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_or_not_its_account_s_is_no_grant() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let access = app.access_token(&session).await;
        assert_refused(&app.exchange(&access).await, "invalid_grant", NOT_GOOD);
        app.log_out(&session).await.assert_ok(&json!(true));
        assert_refused(&app.exchange(&session).await, "invalid_grant", NOT_GOOD);

        let disabled = app.session_of_eric().await;
        let off = aws_sdk_dynamodb::types::AttributeValue::N("1".into());
        app.operator_sets(5, "status", off).await;
        assert_refused(&app.exchange(&disabled).await, "invalid_grant", NOT_GOOD);
        app.operator_deletes(5).await;
        assert_refused(&app.exchange(&disabled).await, "invalid_grant", NOT_GOOD);
        let calls = app.kms.calls();
        assert_eq!(calls.len(), 1, "nothing is signed for them");
    })
    .await;
}

/// A refusal in both forms: that of clients since 2024, and the older one.
async fn assert_both_forms(
    app: &TestApp,
    (path, label, body): (&str, (&str, &str), &str),
    (status, code, message): (u16, &str, &str),
) {
    for (version, is_new) in [
        (Some("2024-01-01"), true),
        (Some("2025-06-30"), true),
        (Some("2023-12-31"), false),
        (Some("latest"), false),
        (None, false),
    ] {
        let version = version.map(|version| ("x-supabase-api-version", version));
        let headers: Vec<_> = [label].into_iter().chain(version).collect();
        let answer = app
            .request(Method::POST, path, &headers, body.to_owned())
            .await;
        if is_new {
            answer.assert(status, json!({"code": code, "message": message}));
        } else {
            let body = json!({"code": status, "error_code": code, "msg": message});
            answer.assert(status, body);
        }
        let told = answer.headers.get("x-supabase-api-version");
        assert_eq!(
            told.map(|it| it.to_str().unwrap()),
            is_new.then_some("2024-01-01")
        );
    }
}

#[tokio::test]
async fn other_grants_and_unreadable_bodies_are_refused_in_gotrue_s_words() {
    scenario(async |app| {
        let unsupported = (400, "invalid_credentials", "unsupported_grant_type");
        for path in [TOKEN, "/auth/v1/token?grant_type=nothing"] {
            assert_both_forms(app, (path, JSON, "{}"), unsupported).await;
        }
        let bad = (400, "bad_json", "Could not parse request body as JSON");
        for body in ["{", "[]", "\"x\""] {
            assert_both_forms(app, (TOKEN, JSON, body), bad).await;
        }
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024));
        let message = "Request body too large (max 16384 bytes)";
        let too_large = (413, "request_entity_too_large", message);
        assert_both_forms(app, (TOKEN, JSON, &large), too_large).await;
    })
    .await;
}

#[tokio::test]
async fn a_kms_that_fails_is_a_failure_and_the_session_goes_on() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        app.kms.break_it(Fault::Refuses);
        let answer = app.exchange(&session).await;
        let message = "Processing this request timed out, please retry after a moment.";
        let body = json!({"code": 504, "error_code": "request_timeout", "msg": message});
        answer.assert(504, body);
        app.kms.mend().await;
        app.access_token(&session).await;
    })
    .await;
}

/// The steps of a rotation.
const ROTATION: [&str; 4] = ["local-a", "local-a,local-b", "local-b,local-a", "local-b"];

#[tokio::test]
async fn while_keys_rotate_no_token_is_refused_by_whoever_has_read_the_keys_before_or_after() {
    for step in ROTATION.windows(2) {
        let (before, after) = (step[0], step[1]);
        scenario_with(&[("SIGNING_KEYS", before)], async |app| {
            app.roll_out(&[("SIGNING_KEYS", after)]).await;
            let session = app.session_of_eric().await;
            let mut tokens = Vec::new();
            let mut readers = Vec::new();
            for by_rollout in [false, true] {
                app.answers_by_rollout(by_rollout);
                tokens.push(app.access_token(&session).await);
                readers.push(JwtAuthorizer::of(app).await);
            }
            for token in &tokens {
                let at = now(app) + 1;
                for reader in &readers {
                    // The two systems here have different ports, and one issuer in AWS.
                    let issuer = parts(token).1["iss"].as_str().unwrap().to_owned();
                    let keys = reader.keys.clone();
                    let reader = JwtAuthorizer {
                        issuer,
                        audience: reader.audience.clone(),
                        keys,
                    };
                    assert!(reader.admits(token, at), "{before} -> {after}");
                }
                let bearer = format!("Bearer {token}");
                for by_rollout in [false, true] {
                    app.answers_by_rollout(by_rollout);
                    let verdict = app.verdict_on(&bearer).await;
                    assert_eq!(verdict["isAuthorized"], true, "{before} -> {after}");
                }
            }
        })
        .await;
    }
}
