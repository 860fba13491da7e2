//! `POST /v1/user/sendRegisterMessage`: sends a code to a phone that has no account yet (dialect A,
//! "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        body::Fields,
        message::{self, Success},
    },
    domain::{error::Error, time::UnixMs},
    flow::register,
};

/// Answers with a `phoneInfo` for `register`.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("sendRegisterMessage", send(&app, &request, now)).await
}

async fn send(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let phone = message::phone(&fields, app)?;
    let requester = message::requester_of(request, &fields, app);
    let ticket = register::send(app, &phone, &requester, now).await?;
    Ok(Success::phone_info(ticket))
}
