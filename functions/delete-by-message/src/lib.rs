//! `POST /v1/user/deleteByMessage`: redeems a code and deletes the account (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{error::Error, time::UnixMs},
    flow::delete,
};

/// Answers `true`, without a token: its session is over.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    message::answer("deleteByMessage", delete(&app, &request, now)).await
}

async fn delete(app: &Arc<App>, request: &InSession, now: UnixMs) -> Result<Success, Error> {
    let fields = request.fields()?;
    let phone_info = message::phone_info(fields)?;
    let code = message::code(fields)?;
    delete::by_code(app, &request.session, &phone_info, &code, now).await?;
    Ok(Success::done())
}
