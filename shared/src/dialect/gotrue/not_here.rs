//! Everything else under `/auth/v1/`: what GoTrue has and this dialect has not. It is refused as by a GoTrue in
//! which it is switched off.

use lambda_http::{Body, Request, Response, http::Method};

use super::{
    fields::{no_email, scalar},
    refusal::{Refusal, refuse_for},
};
use crate::dialect::body::Fields;

/// Refuses a request.
pub fn not_here(request: &Request) -> Response<Body> {
    let refusal = match Fields::of(request) {
        Ok(fields) => refusal(request.method(), request.uri().path(), &fields),
        Err(error) => return refuse_for("not-here", request, error.into()),
    };
    refuse_for("not-here", request, refusal.into())
}

fn refusal(method: &Method, path: &str, fields: &Fields) -> Refusal {
    let path = path.split_once("/auth/v1/").map_or("", |(_, path)| path);
    let path = path.trim_end_matches('/');
    let (first, deeper) = path.split_once('/').unwrap_or((path, ""));
    let is_post = method == Method::POST;
    match (first, deeper) {
        ("signup", "") if is_post => {
            let named = |name| scalar(fields, name).is_some();
            if named("phone") || named("email") {
                let message = "Signups not allowed for this instance";
                Refusal::new(422, "signup_disabled", message)
            } else {
                let message = "Anonymous sign-ins are disabled";
                Refusal::new(422, "anonymous_provider_disabled", message)
            }
        }
        ("magiclink", "") if is_post => no_email(422),
        ("recover", "") if is_post => no_email(400),
        ("factors", "") if is_post => no_factor(scalar(fields, "factor_type").as_deref()),
        ("factors", id) if !id.is_empty() => {
            Refusal::new(404, "mfa_factor_not_found", "Factor not found")
        }
        ("authorize", _) => Refusal::invalid("Unsupported provider: provider is not enabled"),
        ("user", deeper) if is_at(deeper, "identities") => {
            Refusal::new(404, "manual_linking_disabled", "Manual linking is disabled")
        }
        ("user", deeper) if is_at(deeper, "oauth") => no_oauth(),
        ("oauth", _) => no_oauth(),
        ("sso", _) => Refusal::new(404, "saml_provider_disabled", "SAML 2.0 is disabled"),
        ("passkeys", _) => Refusal::new(404, "passkey_disabled", "Passkeys are disabled"),
        ("admin" | "invite", _) => Refusal::new(403, "not_admin", "User not allowed"),
        _ => Refusal::new(404, "validation_failed", "No such endpoint"),
    }
}

/// Whether a path is this one or below it.
fn is_at(path: &str, root: &str) -> bool {
    path.split('/').next() == Some(root)
}

fn no_factor(kind: Option<&str>) -> Refusal {
    let (code, message) = match kind {
        Some("totp") => (
            "mfa_totp_enroll_not_enabled",
            "MFA enroll is disabled for TOTP",
        ),
        Some("phone") => (
            "mfa_phone_enroll_not_enabled",
            "MFA enroll is disabled for Phone",
        ),
        Some("webauthn") => (
            "mfa_webauthn_enroll_not_enabled",
            "MFA enroll is disabled for WebAuthn",
        ),
        _ => return Refusal::invalid("factor_type needs to be totp, phone, or webauthn"),
    };
    Refusal::new(422, code, message)
}

fn no_oauth() -> Refusal {
    Refusal::new(404, "feature_disabled", "OAuth server is disabled")
}
