//! `POST /v1/user/changePassword`: changes the password of the account that is logged in, by its old
//! password (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{
        error::{Error, Field},
        time::UnixMs,
    },
    flow::change_password,
};

/// Answers `true`, with a token for this session. Every other session ends.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = change(&app, &request, now);
    message::answer_in_session("changePassword", &app, &request, work, now).await
}

async fn change(app: &Arc<App>, request: &InSession, now: UnixMs) -> Result<Success, Error> {
    let fields = request.fields()?;
    let old = message::old_password(fields)?;
    let new = message::password(fields, "newPassword", Field::NewPassword)?;
    let (session, source) = (&request.session, &request.source);
    change_password::by_old(app, session, &old, &new, source, now).await?;
    Ok(Success::done())
}
