//! API Gateway's Lambda authorizers: a request of payload format 2.0 in, the simple response out
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>).

use serde::{Deserialize, Serialize};

use super::bearer;
use crate::{
    app::App,
    domain::{
        access_token::Bearer,
        error::Error,
        session::SessionId,
        time::UnixMs,
        user::{AccountId, Uid},
    },
    flow::access_token,
    telemetry::record,
};

/// A request to authorise.
#[derive(Deserialize)]
pub struct Asked {
    /// What the authorizer's `IdentitySource` selects: `$request.header.Authorization`.
    #[serde(rename = "identitySource", default)]
    identity_source: Option<Vec<String>>,
}

/// The verdict.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    is_authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

/// Who asks, for the function behind the authorizer.
#[derive(Debug, Serialize)]
struct Context {
    sub: AccountId,
    uuid: Uid,
    session_id: SessionId,
}

/// Authorises who shows an access token whose session goes on.
///
/// # Errors
/// [`Error::Internal`]: API Gateway then answers 500, and nobody is let in or logged out.
pub async fn authorize(app: &App, asked: &Asked, now: UnixMs) -> Result<Verdict, Error> {
    let shown = asked.identity_source.as_deref().unwrap_or_default();
    let token = shown.first().and_then(|header| bearer(header));
    let checked = match token {
        Some(token) => access_token::check(app, token, now).await,
        None => Err(Error::TokenMissing),
    };
    let (outcome, error) = match &checked {
        Ok(_) => ("OK", None),
        Err(error) => ("Refused", Some(error)),
    };
    record::answered("authorizer", outcome, error);
    match checked {
        Ok((bearer, _)) => Ok(Verdict {
            is_authorized: true,
            context: Some(Context::from(bearer)),
        }),
        Err(error @ Error::Internal(_)) => Err(error),
        Err(_) => Ok(Verdict {
            is_authorized: false,
            context: None,
        }),
    }
}

impl From<Bearer> for Context {
    fn from(bearer: Bearer) -> Self {
        Self {
            sub: bearer.sub,
            uuid: bearer.uid,
            session_id: bearer.session_id,
        }
    }
}
