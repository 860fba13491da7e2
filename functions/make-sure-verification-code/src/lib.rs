//! `POST /Systems/makeSureVerificationCode`: takes a code (dialect B, "systems").

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

/// Answers with the token that lets the password be changed.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    systems::answer(Step::Verify, verify(&app, &request, now)).await
}

async fn verify(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Info, Error> {
    let fields = Fields::of(request)?;
    let (name, code) = systems::account_and_code(&fields)?;
    let requester = dialect::requester(request, None, app);
    let token = recover::verify(app, &name, &code, &requester, now).await?;
    Ok(Info::reset_token(token))
}
