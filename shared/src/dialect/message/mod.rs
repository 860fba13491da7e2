//! Dialect A, "message": HTTP status = body status; `{"status","result","code","success"}` and
//! `{"success","message","code","status"}`.

mod parse;
mod render;

use std::sync::Arc;

use lambda_http::{Body, Response};

use super::guard::guard;
use crate::{
    app::App,
    domain::{
        error::{Error, Fault},
        time::UnixMs,
    },
    telemetry::record,
};
pub use parse::{
    InSession, code, name, old_password, optional_name, optional_password, password, phone,
    phone_info, phone_or_name, requester_of,
};
pub use render::Success;
use render::{render, wire};

/// Runs an endpoint's work and renders its answer.
pub async fn answer(
    endpoint: &'static str,
    work: impl Future<Output = Result<Success, Error>>,
) -> Response<Body> {
    let result = guard(work).await;
    answered(endpoint, result.as_ref().err());
    render(result, None)
}

/// The same within a session. Every answer to a valid session carries a fresh token, refusals
/// included.
pub async fn answer_in_session(
    endpoint: &'static str,
    app: &Arc<App>,
    request: &InSession,
    work: impl Future<Output = Result<Success, Error>>,
    now: UnixMs,
) -> Response<Body> {
    let guarded = guard(async {
        let result = match (request.fields(), request.session.uid()) {
            (Err(body_invalid), _) => Err(body_invalid),
            (_, Err(token_invalid)) => return Err(token_invalid),
            (Ok(_), Ok(_)) => work.await,
        };
        match (request.session.refresh(app, now).await, result) {
            (Ok(token), result) => Ok((result, Some(token))),
            (Err(_), Err(error @ (Error::BadRequest(Fault::Body(_)) | Error::Internal(_)))) => {
                Err(error)
            }
            // Otherwise the session's error comes first.
            (Err(error), _) => Err(error),
        }
    });
    let (result, token) = guarded.await.unwrap_or_else(|error| (Err(error), None));
    answered(endpoint, result.as_ref().err());
    render(result, token)
}

fn answered(endpoint: &'static str, error: Option<&Error>) {
    let outcome = error.map_or("OK", |error| wire(error).1);
    record::answered(endpoint, outcome, error);
}
