//! Everything else under `/auth/v1/`.

use reqwest::Method;
use serde_json::json;

use crate::support::scenario;

#[tokio::test]
async fn what_is_not_here_is_refused_as_where_it_is_switched_off() {
    let gone = |code, message| (404, code, message);
    let invalid = |message| (400, "validation_failed", message);
    let unknown = gone("validation_failed", "No such endpoint");
    let no_email = |status| {
        let message = "Email logins are disabled";
        (status, "email_provider_disabled", message)
    };
    let not_admin = (403, "not_admin", "User not allowed");
    let no_oauth = gone("feature_disabled", "OAuth server is disabled");
    let no_linking = gone("manual_linking_disabled", "Manual linking is disabled");
    let no_passkey = gone("passkey_disabled", "Passkeys are disabled");
    let no_factor = |code, message| (422, code, message);
    let rows = [
        (
            ("POST", "signup", json!({})),
            (
                422,
                "anonymous_provider_disabled",
                "Anonymous sign-ins are disabled",
            ),
        ),
        (
            ("POST", "signup", json!({"phone": "1", "password": "x"})),
            (
                422,
                "signup_disabled",
                "Signups not allowed for this instance",
            ),
        ),
        (
            ("POST", "signup", json!({"email": "eric@example.com"})),
            (
                422,
                "signup_disabled",
                "Signups not allowed for this instance",
            ),
        ),
        (("POST", "magiclink", json!({})), no_email(422)),
        (("POST", "recover", json!({})), no_email(400)),
        (
            ("POST", "factors", json!({"factor_type": "totp"})),
            no_factor(
                "mfa_totp_enroll_not_enabled",
                "MFA enroll is disabled for TOTP",
            ),
        ),
        (
            ("POST", "factors", json!({"factor_type": "phone"})),
            no_factor(
                "mfa_phone_enroll_not_enabled",
                "MFA enroll is disabled for Phone",
            ),
        ),
        (
            ("POST", "factors", json!({"factor_type": "webauthn"})),
            no_factor(
                "mfa_webauthn_enroll_not_enabled",
                "MFA enroll is disabled for WebAuthn",
            ),
        ),
        (
            ("POST", "factors", json!({"factor_type": "pigeon"})),
            invalid("factor_type needs to be totp, phone, or webauthn"),
        ),
        (
            ("POST", "factors/1/challenge", json!({})),
            gone("mfa_factor_not_found", "Factor not found"),
        ),
        (
            ("DELETE", "factors/1", json!({})),
            gone("mfa_factor_not_found", "Factor not found"),
        ),
        (
            ("GET", "authorize", json!({})),
            invalid("Unsupported provider: provider is not enabled"),
        ),
        (("GET", "user/identities/authorize", json!({})), no_linking),
        (("DELETE", "user/identities/1", json!({})), no_linking),
        (("GET", "user/oauth/grants", json!({})), no_oauth),
        (("POST", "oauth/token", json!({})), no_oauth),
        (
            ("POST", "sso", json!({})),
            gone("saml_provider_disabled", "SAML 2.0 is disabled"),
        ),
        (
            ("POST", "passkeys/authentication/options", json!({})),
            no_passkey,
        ),
        (("GET", "admin/users", json!({})), not_admin),
        (("POST", "invite", json!({})), not_admin),
        (("GET", "settings", json!({})), unknown),
        (("GET", "health", json!({})), unknown),
        (("GET", "signup", json!({})), unknown),
        (("GET", "otp", json!({})), unknown),
        (("PATCH", "user", json!({})), unknown),
        (("POST", "pigeon", json!({})), unknown),
    ];
    scenario(async |app| {
        for ((method, path, body), (status, code, message)) in rows {
            let method: Method = method.parse().unwrap();
            let path = format!("/auth/v1/{path}");
            let refused = app.sdk(method, &path, "anon", &body.to_string()).await;
            refused.assert_d(status, code, message);
        }
        let refused = app.sdk(Method::POST, "/auth/v1/signup", "anon", "[").await;
        refused.assert_d(400, "bad_json", "Could not parse request body as JSON");
        // Beside it, the gateway answers.
        assert_eq!(app.get("/auth/v2/user").await.status, 404);
    })
    .await;
}
