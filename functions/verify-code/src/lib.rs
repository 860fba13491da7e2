//! `POST /v1/user/verify_code`: sends a code to the phone that the logged-in account shall move
//! to (dialect C, "mobile").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{self, body::Fields, mobile},
    domain::{error::Error, time::UnixMs},
    flow::change_phone,
};

/// Answers that the code has been sent.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    mobile::answer("verify_code", send(&app, &request, now)).await
}

async fn send(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<(), Error> {
    let fields = Fields::of(request)?;
    let session = mobile::session(app, request, now);
    let to = mobile::in_session(app, &session, mobile::phone(&fields, app)).await?;
    let source = dialect::source(request, app);
    change_phone::send(app, &session, &to, &source, now).await
}
