//! `POST /auth/v1/token`: the exchange of a session token of another dialect for an access token (RFC 8693).

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use serde::Serialize;

use super::{fields::scalar as text, issuer::issuer, refusal::refuse_for};
use crate::{
    app::App,
    dialect::{body::Fields, guard::guard, respond},
    domain::{access_token::AccessToken, error::Error, time::UnixMs},
    flow::{access_token, session::Presented},
    telemetry::record,
};

/// The endpoint's name in the log.
pub(super) const ENDPOINT: &str = "token";
/// The grant type.
pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Answers a request for an exchange.
pub(super) async fn answer(
    app: &Arc<App>,
    request: &Request,
    fields: &Fields,
    now: UnixMs,
) -> Response<Body> {
    match exchange(app, request, fields, now).await {
        Ok(token) => {
            record::answered(ENDPOINT, "OK", None);
            respond(200, &Exchanged::from(&token))
        }
        Err(Problem::OAuth(problem, error)) => {
            record::answered(ENDPOINT, problem.error, error.as_ref());
            respond(400, &problem)
        }
        Err(Problem::Internal(error)) => refuse_for(ENDPOINT, request, error.into()),
    }
}

#[derive(Serialize)]
struct Exchanged<'a> {
    access_token: &'a str,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: u64,
}

impl<'a> From<&'a AccessToken> for Exchanged<'a> {
    fn from(exchanged: &'a AccessToken) -> Self {
        Self {
            access_token: exchanged.token.as_str(),
            issued_token_type: ACCESS_TOKEN,
            token_type: "Bearer",
            expires_in: exchanged.expires_in,
        }
    }
}

/// A refused exchange (RFC 6749, 5.2).
#[derive(Debug, Serialize)]
struct OAuthProblem {
    error: &'static str,
    error_description: &'static str,
}

enum Problem {
    /// With the error behind it, if it is one of the core's.
    OAuth(OAuthProblem, Option<Error>),
    Internal(Error),
}

async fn exchange(
    app: &Arc<App>,
    request: &Request,
    fields: &Fields,
    now: UnixMs,
) -> Result<AccessToken, Problem> {
    let refused = |error, error_description| {
        let problem = OAuthProblem {
            error,
            error_description,
        };
        Err(Problem::OAuth(problem, None))
    };
    let is_token = |kind: &str| [ACCESS_TOKEN, JWT].contains(&kind);
    if text(fields, "audience").is_some() || text(fields, "resource").is_some() {
        return refused("invalid_target", "audience and resource are not supported");
    }
    let Some(subject) = text(fields, "subject_token") else {
        return refused("invalid_request", "subject_token is required");
    };
    if !text(fields, "subject_token_type").is_some_and(|kind| is_token(&kind)) {
        let form = "subject_token_type must be that of an access token or of a JWT";
        return refused("invalid_request", form);
    }
    if text(fields, "requested_token_type").is_some_and(|kind| !is_token(&kind)) {
        let form = "requested_token_type must be that of an access token or of a JWT";
        return refused("invalid_request", form);
    }
    if text(fields, "actor_token").is_some() {
        return refused("invalid_request", "actor_token is not supported");
    }
    let work = async {
        let issuer = issuer(request, app)?;
        let session = Presented::read(app, Some(&subject), now);
        access_token::exchange(app, &session, &issuer, now).await
    };
    guard(work).await.map_err(|error| match error {
        Error::TokenMissing
        | Error::TokenInvalid
        | Error::TokenExpired
        | Error::UserNotFound
        | Error::UserDisabled => {
            let problem = OAuthProblem {
                error: "invalid_grant",
                error_description: "subject_token is not valid, has expired, or its session is over",
            };
            Problem::OAuth(problem, Some(error))
        }
        error => Problem::Internal(error),
    })
}
