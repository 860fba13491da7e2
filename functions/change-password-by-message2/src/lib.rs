//! `POST /v1/user/changePasswordByMessage2`: redeems a code and changes a forgotten password
//! (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        body::Fields,
        message::{self, Success},
    },
    domain::{
        error::{Error, Field},
        time::UnixMs,
    },
    flow::reset_password,
};

/// Answers `true`, without a token.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("changePasswordByMessage2", change(&app, &request, now)).await
}

async fn change(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let code = message::code(&fields)?;
    let new = message::password(&fields, "newPassword", Field::NewPassword)?;
    let phone_info = message::phone_info(&fields)?;
    let requester = message::requester_of(request, &fields, app);
    reset_password::redeem(app, &phone_info, &code, &new, &requester, now).await?;
    Ok(Success::done())
}
