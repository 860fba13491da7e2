//! `POST /v1/user/login`: logs in with a phone or a name, and a password (dialect A, "message").

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
    flow::{
        login::{self, Handle},
        session,
    },
};

/// Answers with the account and a session token.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    message::answer("login", log_in(&app, &request, now)).await
}

async fn log_in(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Success, Error> {
    let fields = Fields::of(request)?;
    let (phone, name) = message::phone_or_name(&fields, app)?;
    let password = message::password(&fields, "password", Field::Password)?;
    let handle = Handle {
        phone: phone.as_ref(),
        name: name.as_ref(),
    };
    let requester = message::requester_of(request, &fields, app);
    let (user, start) = login::by_password(app, handle, &password, &requester, now).await?;
    let token = session::token(app, &start, &user.name, now)?;
    Ok(Success::session((user, token)))
}
