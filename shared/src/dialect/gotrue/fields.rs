//! What several endpoints read of a request.

use lambda_http::Request;

use super::refusal::{Problem, Refusal};
use crate::{
    app::App,
    dialect::{body::Fields, source, token_header},
    domain::{error::Error, phone::Phone, requester::Requester, token},
    telemetry::context,
};

/// Who asks where no access token is taken: by the request's source, and by the refresh token or session token
/// that it shows in the header `Token`. In `Authorization` the SDKs send their API key then.
pub(super) fn requester(request: &Request, app: &App) -> Requester {
    let keys = &app.config.keys;
    let shown = |text| {
        let session = token::shown_by_refresh(keys, text);
        session.or_else(|| token::shown_session(keys, text))
    };
    Requester {
        source: source(request, app),
        session: token_header(request).and_then(shown),
    }
}

/// A scalar as text. What is no scalar counts as missing.
pub(super) fn scalar(fields: &Fields, name: &str) -> Option<String> {
    fields.text(name, Error::PhoneInvalid).ok().flatten()
}

/// The refusal of an e-mail address. Its status depends on the endpoint, as GoTrue's does.
pub(super) const fn no_email(status: u16) -> Refusal {
    Refusal::new(
        status,
        "email_provider_disabled",
        "Email logins are disabled",
    )
}

/// The phone that a request names. Instead of it there may be an e-mail address, which is refused as `no_email`.
pub(super) fn phone(fields: &Fields, no_email: Refusal, app: &App) -> Result<Phone, Problem> {
    let Some(phone) = scalar(fields, "phone") else {
        let is_email = scalar(fields, "email").is_some();
        let missing = Problem::Core(Error::PhoneInvalid);
        return Err(if is_email { no_email.into() } else { missing });
    };
    phone_in(&phone, app)
}

/// The phone that a field names.
pub(super) fn phone_in(text: &str, app: &App) -> Result<Phone, Problem> {
    let compact = text.replace(' ', "");
    let digits = compact.strip_prefix('+').unwrap_or(&compact);
    let is_e164 = (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_e164 {
        return Err(Error::PhoneInvalid.into());
    }
    let phone = Phone::parse_e164(digits, &app.config.served)?;
    context::about(&phone);
    Ok(phone)
}
