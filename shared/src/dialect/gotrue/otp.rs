//! `POST /auth/v1/otp`: sends a code to sign in with.

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::Value;
use uuid::{Builder, Uuid};

use super::{
    fields::{no_email, phone, requester, scalar},
    refusal::{Problem, Refusal, answer},
};
use crate::{
    app::App,
    dialect::body::Fields,
    domain::{error::Error, metadata::Metadata, time::UnixMs},
    flow::sign_in,
    random,
};

/// What is said of a message: a random id, alike for every number.
#[derive(Serialize)]
pub(super) struct Sent {
    message_id: Uuid,
}

impl Sent {
    /// # Errors
    /// [`Error::Internal`] without randomness.
    pub(super) fn new() -> Result<Self, Error> {
        let message_id = Builder::from_random_bytes(random::bytes()?).into_uuid();
        Ok(Self { message_id })
    }
}

/// Answers a request for a code.
pub async fn otp(app: &Arc<App>, request: &Request, now: UnixMs) -> Response<Body> {
    answer("otp", request, send(app, request, now)).await
}

async fn send(app: &Arc<App>, request: &Request, now: UnixMs) -> Result<Sent, Problem> {
    let fields = Fields::of(request)?;
    let phone = phone(&fields, no_email(422), app)?;
    if scalar(&fields, "channel").is_some_and(|channel| channel != "sms") {
        return Err(Refusal::invalid("Invalid channel, the supported value is 'sms'").into());
    }
    let newcomer = newcomer(&fields)?;
    let requester = requester(request, app);
    sign_in::send(app, &phone, newcomer.as_ref(), &requester, now).await?;
    Ok(Sent::new()?)
}

/// What a new account begins with; `None` if none may be made.
fn newcomer(fields: &Fields) -> Result<Option<Metadata>, Problem> {
    let data = match fields.value("data") {
        None => Default::default(),
        Some(Value::Object(data)) => data.clone(),
        Some(_) => return Err(Refusal::invalid("data must be an object").into()),
    };
    let data = Metadata::default().with(data);
    let data = data.ok_or(Refusal::invalid("data is too large (max 2048 bytes)"))?;
    match fields.value("create_user") {
        None | Some(Value::Bool(true)) => Ok(Some(data)),
        Some(Value::Bool(false)) => Ok(None),
        Some(_) => Err(Refusal::invalid("create_user must be true or false").into()),
    }
}
