//! `POST /v1/user/sendDeleteMessage`: sends a code that deletes the account, with a session of it (dialect A,
//! "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::delete,
};

/// Answers with a `phoneInfo` for `deleteByMessage`.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = send(&app, &request, now);
    message::answer_in_session("sendDeleteMessage", &app, &request, work, now).await
}

async fn send(app: &Arc<App>, request: &InSession, now: UnixMs) -> Result<Success, Error> {
    let ticket = delete::send(app, &request.session, &request.source, now).await?;
    Ok(Success::phone_info(ticket))
}
