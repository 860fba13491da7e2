//! `POST /auth/v1/resend`: sends a code again.

use std::sync::Arc;

use lambda_http::{Body, Request, Response};

use super::{
    fields::{no_email, phone, requester, scalar},
    otp::Sent,
    refusal::{Problem, Refusal, answer},
};
use crate::{
    app::App,
    dialect::body::Fields,
    domain::{error::Error, time::UnixMs},
    flow::{move_phone, sign_in},
};

/// Answers alike, whether a code was open and was sent again, or not.
pub async fn resend(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    answer("resend", request, send_again(app, request, now)).await
}

async fn send_again(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Sent, Problem> {
    let fields = Fields::of(request)?;
    let kind = scalar(&fields, "type");
    let kind = kind.ok_or(Refusal::invalid("Type is required"))?;
    if ["signup", "email_change"].contains(&kind.as_str()) {
        return Err(no_email(400).into());
    }
    let phone = phone(&fields, no_email(400), app)?;
    let requester = requester(request, app);
    let sent = match kind.as_str() {
        "sms" => sign_in::resend(app, &phone, &requester, now).await,
        "phone_change" => move_phone::resend(app, &phone, &requester.source, now).await,
        _ => return Err(Refusal::invalid("Invalid resend type").into()),
    };
    match sent {
        // No code is open, or none that would still open something.
        Ok(()) | Err(Error::CodeExpired { .. } | Error::PhoneUnknown | Error::UserNotFound) => {
            Ok(Sent::new()?)
        }
        Err(error) => Err(error.into()),
    }
}
