//! Access tokens: what other services accept from a session.

use std::sync::Arc;

use super::session::Presented;
use crate::{
    app::App,
    domain::{
        access_token::{self, AccessToken, Bearer},
        error::Error,
        time::UnixMs,
        user::User,
    },
    store::Key,
};

/// An access token for the session that is presented, from this issuer. It is a use of the session.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::Internal`].
pub async fn exchange(
    app: &Arc<App>,
    session: &Presented,
    issuer: &str,
    now: UnixMs,
) -> Result<AccessToken, Error> {
    let user = super::session::account(app, session).await?;
    session.note_use(app, now);
    let id = session.id()?;
    let held = user.sessions.get(id).ok_or(Error::TokenInvalid)?;
    let (key, expires) = (app.signing.active()?, session.expires()?);
    let unsigned = access_token::unsigned(issuer, key, &user, (id, held), expires, now)?;
    let signature = app.signing.sign(unsigned.digest()).await?;
    Ok(unsigned.signed(&signature, now))
}

/// Who shows an access token, and the account, if its session goes on.
///
/// # Errors
/// [`Error::TokenInvalid`], also if the session is over; [`Error::TokenExpired`], [`Error::UserNotFound`],
/// [`Error::UserDisabled`], [`Error::Internal`].
pub async fn check(app: &App, token: &str, now: UnixMs) -> Result<(Bearer, User), Error> {
    let keys = app.signing.public_keys().await?;
    let bearer = access_token::read(&keys, token, now)?;
    let seen = app.store.read(&[Key::user(bearer.uid)]).await?;
    let user = seen.user(bearer.uid)?.ok_or(Error::UserNotFound)?;
    if user.id != bearer.sub || user.sessions.get(bearer.session_id).is_none() {
        return Err(Error::TokenInvalid);
    }
    if !user.is_active() {
        return Err(Error::UserDisabled);
    }
    Ok((bearer, user))
}
