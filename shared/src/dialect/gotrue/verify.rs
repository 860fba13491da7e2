//! `POST /auth/v1/verify`: signs in with a code, or moves an account to another phone.

use std::sync::Arc;

use lambda_http::{Body, Request, Response};

use super::{
    account::bearer_if_any,
    fields::{phone, requester, scalar},
    issuer::issuer,
    refusal::{Problem, Refusal, refuse_for},
    session::respond_with,
};
use crate::{
    app::App,
    dialect::{body::Fields, client_ip, guard::guard},
    domain::{code::Guess, error::Error, time::UnixMs},
    flow::{
        access_token::Grant,
        move_phone::{self, Redeemed},
        sign_in,
    },
};

const ENDPOINT: &str = "verify";

/// Answers with a session.
pub async fn verify(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    match guard(sign_in(app, request, now)).await {
        Ok(grant) => respond_with(ENDPOINT, request, &grant, now),
        Err(problem) => refuse_for(ENDPOINT, request, problem),
    }
}

async fn sign_in(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Grant, Problem> {
    let fields = Fields::of(request)?;
    let kind = scalar(&fields, "type");
    let kind = kind.ok_or(Refusal::invalid("Verify requires a verification type"))?;
    let expired = Error::CodeExpired { retry_after: None };
    let code = match (scalar(&fields, "token"), scalar(&fields, "token_hash")) {
        (Some(code), None) => code,
        // Links are not sent.
        (None, Some(_)) => return Err(expired.into()),
        _ => {
            let one = "Verify requires either a token or a token hash";
            return Err(Refusal::invalid(one).into());
        }
    };
    let moves = match kind.as_str() {
        "sms" => false,
        "phone_change" => true,
        // No e-mail is sent.
        "email" | "signup" | "invite" | "recovery" | "magiclink" | "email_change" => {
            return Err(expired.into());
        }
        _ => return Err(Refusal::invalid("Invalid verification type").into()),
    };
    let no_email = Refusal::of(&expired);
    let phone = phone(&fields, no_email, app)?;
    // What has no digit is no code.
    let guess = Guess::parse(&code).ok_or(expired)?;
    let (issuer, ip) = (issuer(request, app)?, client_ip(request, app));
    let requester = requester(request, app);
    if moves {
        let redeemed = Redeemed {
            to: &phone,
            guess: &guess,
            source: &requester.source,
            bearer: bearer_if_any(app, request, now).await?,
        };
        return Ok(move_phone::redeem(app, &issuer, &redeemed, now).await?);
    }
    Ok(sign_in::redeem(app, &issuer, &phone, &guess, &ip, &requester, now).await?)
}
