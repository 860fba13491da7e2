//! `POST /v1/user/sendChangePasswordMessage`: sends a code for a new password to the phone of the
//! account that is logged in (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::change_password,
};

/// Answers with a `phoneInfo` for `changePasswordByMessage`.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = send(&app, &request, now);
    message::answer_in_session("sendChangePasswordMessage", &app, &request, work, now).await
}

async fn send(app: &Arc<App>, request: &InSession, now: UnixMs) -> Result<Success, Error> {
    let ticket = change_password::send(app, &request.session, &request.source, now).await?;
    Ok(Success::phone_info(ticket))
}
