//! `POST /v1/user/info`: shows the account that is logged in (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::session,
};

/// Answers with the account.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = info(&app, &request);
    message::answer_in_session("info", &app, &request, work, now).await
}

async fn info(app: &App, request: &InSession) -> Result<Success, Error> {
    let user = session::account(app, &request.session).await?;
    Ok(Success::user(user))
}
