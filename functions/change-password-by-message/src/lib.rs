//! `POST /v1/user/changePasswordByMessage`: redeems a code and changes the password of the account
//! that is logged in (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::message::{self, InSession, Success},
    domain::{
        error::{Error, Field},
        time::UnixMs,
    },
    flow::change_password::{self, Change},
};

/// Answers `true`, with a token for this session. Every other session ends.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    let request = InSession::read(&app, &request, now);
    let work = change(&app, &request, now);
    message::answer_in_session("changePasswordByMessage", &app, &request, work, now).await
}

async fn change(app: &Arc<App>, request: &InSession, now: UnixMs) -> Result<Success, Error> {
    let fields = request.fields()?;
    let new = message::password(fields, "newPassword", Field::NewPassword)?;
    let code = message::code(fields)?;
    let phone_info = message::phone_info(fields)?;
    let old = message::optional_password(fields, "oldPassword", Field::OldPassword)?;
    let change = Change {
        phone_info: &phone_info,
        guess: &code,
        new: &new,
        old: old.as_ref(),
        source: &request.source,
    };
    change_password::redeem(app, &request.session, &change, now).await?;
    Ok(Success::done())
}
