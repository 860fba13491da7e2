//! `POST /Systems/sendVerificationCode`: sends a code for a new password to an account's own
//! phone (dialect B, "systems").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        self,
        body::Fields,
        systems::{self, Info, Step},
    },
    domain::{error::Error, time::UnixMs},
    flow::recover,
};

/// Answers that the code has been sent.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    systems::answer(Step::Send, send(&app, &request, now)).await
}

async fn send(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Info, Error> {
    let fields = Fields::of(request)?;
    let (name, phone) = systems::account_and_phone(&fields, app)?;
    let requester = dialect::requester(request, None, app);
    recover::send(app, &name, &phone, &requester, now).await?;
    Ok(Info::sent())
}
