//! `POST /v1/user/mobile`: redeems a code and moves the account that is logged in to another phone
//! (dialect C, "mobile").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{self, body::Fields, mobile},
    domain::{error::Error, time::UnixMs},
    flow::change_phone,
};

/// Answers that the account has moved.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    mobile::answer("mobile", redeem(&app, &request, now)).await
}

async fn redeem(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<(), Error> {
    let fields = Fields::of(request)?;
    let session = mobile::session(app, request, now);
    let parameters = mobile::phone_and_code(&fields, app);
    let (to, code) = mobile::in_session(app, &session, parameters).await?;
    let source = dialect::source(request, app);
    change_phone::redeem(app, &session, &to, &code, &source, now).await
}
