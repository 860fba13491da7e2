//! `POST /Systems/sendVerificationCode`: sends a code for a new password to an account's own
//! phone (dialect B, "systems").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        body::Fields,
        systems::{self, Info, Step},
    },
    error::Error,
    flow::recover,
    time::UnixMs,
};

/// Answers that the code has been sent.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    systems::answer(Step::Send, send(&app, &request, now)).await
}

async fn send(app: &App, request: &Request, now: UnixMs) -> Result<Info, Error> {
    let fields = Fields::of(request)?;
    let (name, phone) = systems::account_and_phone(&fields, app)?;
    recover::send(app, &name, &phone, now).await?;
    Ok(Info::sent())
}
