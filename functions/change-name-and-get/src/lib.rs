//! `POST /v1/user/changeNameAndGet`: gives the account that is logged in another name and shows it
//! (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::change_name,
};

/// Answers with the account under its new name.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = change(&app, &request);
    message::answer_in_session("changeNameAndGet", &app, &request, work, now).await
}

async fn change(app: &App, request: &InSession) -> Result<Success, Error> {
    let name = message::name(request.fields()?)?;
    let user = change_name::change(app, &request.session, &name).await?;
    Ok(Success::user(user))
}
