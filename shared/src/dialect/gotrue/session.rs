//! The answers that hold a session or an account, in GoTrue's form. What is not there is left out.

use aws_smithy_types::{DateTime, date_time::Format};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use super::refusal::refuse_for;
use crate::{
    dialect::respond,
    domain::{
        access_token::{APP_METADATA, AUDIENCE, AppMetadata},
        error::Error,
        metadata::Metadata,
        phone::Phone,
        session::Held,
        time::UnixMs,
        user::User,
    },
    flow::access_token::Grant,
    telemetry::record,
};

/// Answers with a session that was granted at `now`.
pub(super) fn respond_with(
    endpoint: &'static str,
    request: &Request,
    grant: &Grant,
    now: UnixMs,
) -> Response<Body> {
    match SessionAnswer::new(grant, now) {
        Ok(session) => {
            record::answered(endpoint, "OK", None);
            respond(200, &session)
        }
        Err(error) => refuse_for(endpoint, request, error.into()),
    }
}

/// A session.
#[derive(Serialize)]
struct SessionAnswer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    expires_at: u64,
    refresh_token: &'a str,
    user: UserAnswer<'a>,
}

impl<'a> SessionAnswer<'a> {
    /// The session that was granted at `now`.
    ///
    /// # Errors
    /// [`Error::Internal`] when a time cannot be written.
    fn new(grant: &'a Grant, now: UnixMs) -> Result<Self, Error> {
        Ok(Self {
            access_token: grant.access.token.as_str(),
            token_type: "bearer",
            expires_in: grant.access.expires_in,
            expires_at: now.as_secs() + grant.access.expires_in,
            refresh_token: grant.refresh.as_str(),
            user: UserAnswer::new(&grant.user, &grant.held, now)?,
        })
    }
}

/// An account.
#[derive(Serialize)]
pub(super) struct UserAnswer<'a> {
    id: String,
    aud: &'static str,
    role: &'static str,
    email: &'static str,
    phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    last_sign_in_at: String,
    app_metadata: AppMetadata,
    user_metadata: &'a Metadata,
    identities: Vec<Identity>,
    created_at: String,
    updated_at: String,
    is_anonymous: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_change_sent_at: Option<String>,
}

/// A phone, as what the account is known by.
#[derive(Serialize)]
struct Identity {
    identity_id: String,
    id: String,
    user_id: String,
    identity_data: IdentityData,
    provider: &'static str,
    last_sign_in_at: String,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct IdentityData {
    sub: String,
    phone: String,
    phone_verified: bool,
    email_verified: bool,
}

impl<'a> UserAnswer<'a> {
    /// An account, as one of its sessions sees it at `now`. It is changed by its sign-ins, as GoTrue's are.
    ///
    /// # Errors
    /// [`Error::Internal`] when a time cannot be written.
    pub(super) fn new(user: &'a User, held: &Held, now: UnixMs) -> Result<Self, Error> {
        let created_at = rfc_3339(user.created_at)?;
        let signed_in = user.sessions.latest().max(Some(held.began));
        let signed_in = rfc_3339(signed_in.unwrap_or(held.began))?;
        let phone = user.phone.as_ref().map(Phone::digits).unwrap_or_default();
        let id = user.id.to_string();
        let confirmed_at = match (&user.phone, user.moved_at) {
            (None, _) => None,
            (Some(_), None) => Some(created_at.clone()),
            (Some(_), Some(moved_at)) => Some(rfc_3339(moved_at)?),
        };
        let moving = user.open_move().filter(|moving| now < moving.until);
        let change_sent = moving.map(|moving| rfc_3339(moving.sent)).transpose()?;
        let identity = user.phone.as_ref().map(|_| Identity {
            identity_id: user.id.identity().to_string(),
            id: id.clone(),
            user_id: id.clone(),
            identity_data: IdentityData {
                sub: id.clone(),
                phone: phone.clone(),
                phone_verified: true,
                email_verified: false,
            },
            provider: "phone",
            last_sign_in_at: signed_in.clone(),
            created_at: created_at.clone(),
            updated_at: signed_in.clone(),
        });
        Ok(Self {
            id,
            aud: AUDIENCE,
            role: AUDIENCE,
            email: "",
            phone,
            phone_confirmed_at: confirmed_at.clone(),
            confirmed_at,
            last_sign_in_at: signed_in.clone(),
            app_metadata: APP_METADATA,
            user_metadata: &user.metadata,
            identities: identity.into_iter().collect(),
            created_at,
            updated_at: signed_in,
            is_anonymous: false,
            new_phone: moving.map(|moving| moving.to.digits()),
            phone_change_sent_at: change_sent,
        })
    }
}

fn rfc_3339(at: UnixMs) -> Result<String, Error> {
    let at = i64::try_from(at.0).map(DateTime::from_millis);
    let text = at.ok().and_then(|at| at.fmt(Format::DateTime).ok());
    text.ok_or_else(|| Error::internal("a time after the year 9999"))
}
