//! `POST /v1/user/loginByMessage`: redeems a login code and starts a session (dialect A, "message").

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

/// Answers with the account and a session token.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("loginByMessage", redeem(&app, &request, now)).await
}

async fn redeem(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let code = message::code(&fields)?;
    let phone_info = message::phone_info(&fields)?;
    let requester = message::requester_of(request, &fields, app);
    let session = login::redeem(app, &phone_info, &code, &requester, now).await?;
    Ok(Success::session(session))
}
