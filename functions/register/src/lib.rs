//! `POST /v1/user/register`: redeems a code and creates an account (dialect A, "message").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{
    App,
    dialect::{
        self,
        body::Fields,
        message::{self, Success},
    },
    domain::{
        error::{Error, Field},
        time::UnixMs,
    },
    flow::register::{self, Registration},
};

/// Answers with the account and a session token.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("register", register(&app, &request, now)).await
}

async fn register(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let code = message::code(&fields)?;
    let phone_info = message::phone_info(&fields)?;
    let registration = Registration {
        name: message::optional_name(&fields)?,
        password: message::password(&fields, "password", Field::Password)?,
        ip: dialect::client_ip(request, app),
    };
    let requester = message::requester_of(request, &fields, app);
    let session = register::redeem(app, &phone_info, &code, &registration, &requester, now).await?;
    Ok(Success::session(session))
}
