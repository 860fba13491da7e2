//! `POST /v1/user/logout`: ends the session that asks, and no other (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::session,
};

/// Answers `true`, without a token.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    message::answer("logout", end(&app, &request)).await
}

async fn end(app: &App, request: &InSession) -> Result<Success, Error> {
    request.fields()?;
    session::end(app, &request.session).await?;
    Ok(Success::done())
}
