//! `POST /v1/user/sendLoginMessage`: sends a login code to the phone of an account (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        body::Fields,
        message::{self, Success},
    },
    domain::{error::Error, time::UnixMs},
    flow::login,
};

/// Answers with a `phoneInfo` for `loginByMessage`.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("sendLoginMessage", send(&app, &request, now)).await
}

async fn send(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let phone = message::phone(&fields, app)?;
    let requester = message::requester_of(request, &fields, app);
    let ticket = login::send(app, &phone, &requester, now).await?;
    Ok(Success::phone_info(ticket))
}
