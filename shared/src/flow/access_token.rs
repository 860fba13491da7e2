//! Access tokens: what other services accept from a session.

use std::sync::Arc;

use super::{race::Race, session::Presented};
use crate::{
    app::App,
    domain::{
        access_token::{self, AccessToken, Bearer, Obtained},
        error::Error,
        session::{Held, Refresh, SessionId},
        time::UnixMs,
        token::{self, NotRefresh, RefreshToken, Token},
        user::User,
    },
    store::{Key, Seen, transaction::Outcome},
};

/// What a client holds of a session of dialect D.
#[derive(Debug)]
pub struct Grant {
    /// The account, as it is now.
    pub user: User,
    /// The session.
    pub held: Held,
    /// An access token of the session.
    pub access: AccessToken,
    /// The newest refresh token of the session.
    pub refresh: Token,
}

/// Makes the tokens of a session of an account, from this issuer.
///
/// # Errors
/// [`Error::Internal`] if KMS does not sign.
pub async fn grant(
    app: &App,
    issuer: &str,
    user: User,
    (id, held): (SessionId, &Held),
    now: UnixMs,
) -> Result<Grant, Error> {
    let refresh = RefreshToken {
        uid: user.uid,
        session: id,
        count: held.count(),
    };
    let refresh = token::refresh(&app.config.keys, refresh)?;
    let ends = held.began.plus(app.config.session_life.total);
    let obtained = Obtained::WithSession;
    let access = sign(app, issuer, &user, (id, held), ends, obtained, now).await?;
    Ok(Grant {
        user,
        held: *held,
        access,
        refresh,
    })
}

/// What a refresh token comes to.
#[derive(Debug)]
pub enum Refreshed {
    /// The session goes on.
    Granted(Box<Grant>),
    /// It has not the form of a refresh token.
    Malformed,
    /// It is not known, or its session is over.
    NotFound,
    /// It had been used before, so its session was ended.
    AlreadyUsed,
}

/// Renews a refresh token. It is a use of the session.
///
/// The renewal is written before the access token is signed: if that fails, the token presented gives the new
/// one once more.
///
/// # Errors
/// [`Error::UserDisabled`], [`Error::Internal`].
pub async fn refresh(
    app: &App,
    issuer: &str,
    presented: &str,
    now: UnixMs,
) -> Result<Refreshed, Error> {
    let presented = match token::read_refresh(&app.config.keys, presented) {
        Ok(presented) => presented,
        Err(NotRefresh::Malformed) => return Ok(Refreshed::Malformed),
        Err(NotRefresh::Unknown) => return Ok(Refreshed::NotFound),
    };
    let (uid, id) = (presented.uid, presented.session);
    let mut race = Race::default();
    loop {
        let user = app.store.user(uid).await?;
        let life = &app.config.session_life;
        let found = user.and_then(|user| {
            let held = *user.sessions.get(id)?;
            (!held.has_ended(life, now)).then_some((user, held))
        });
        let Some((user, mut held)) = found else {
            return Ok(Refreshed::NotFound);
        };
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        match held.refresh(presented.count, now) {
            Refresh::Repeated => {}
            Refresh::Reused => {
                app.store.end_session(uid, id).await?;
                return Ok(Refreshed::AlreadyUsed);
            }
            Refresh::Renewed(renewal) => {
                let renewed = app.store.renew_session(uid, id, &held, renewal).await?;
                if renewed == Outcome::Raced {
                    race.lost().await;
                    continue;
                }
                held.renewal = Some(renewal);
            }
        }
        let granted = grant(app, issuer, user, (id, &held), now).await?;
        return Ok(Refreshed::Granted(Box::new(granted)));
    }
}

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
    let (ends, obtained) = (session.expires()?, Obtained::ByExchange);
    sign(app, issuer, &user, (id, held), ends, obtained, now).await
}

/// A signed access token, which expires in an hour or when the session `ends`.
async fn sign(
    app: &App,
    issuer: &str,
    user: &User,
    session: (SessionId, &Held),
    ends: UnixMs,
    obtained: Obtained,
    now: UnixMs,
) -> Result<AccessToken, Error> {
    let key = app.signing.active()?;
    let unsigned = access_token::unsigned(issuer, key, user, session, ends, obtained, now)?;
    let signature = app.signing.sign(unsigned.digest()).await?;
    Ok(unsigned.signed(&signature, now))
}

/// Who shows an access token, and the account, if its session goes on.
///
/// # Errors
/// [`Error::TokenInvalid`], [`Error::TokenExpired`]; [`Error::UserNotFound`], also if the session is over;
/// [`Error::UserDisabled`], [`Error::Internal`].
pub async fn check(app: &App, token: &str, now: UnixMs) -> Result<(Bearer, User), Error> {
    let bearer = read(app, token, now).await?;
    let user = account(&bearer, &app.store.read(&[Key::user(bearer.uid)]).await?)?;
    Ok((bearer, user))
}

/// Who shows an access token. Whether its session goes on, [`account`] says.
///
/// # Errors
/// [`Error::TokenInvalid`], [`Error::TokenExpired`], [`Error::Internal`].
pub async fn read(app: &App, token: &str, now: UnixMs) -> Result<Bearer, Error> {
    let keys = app.signing.public_keys().await?;
    access_token::read(&keys, token, now)
}

/// The account of who shows an access token, if its session goes on.
///
/// # Errors
/// [`Error::UserNotFound`], also if the session is over; [`Error::UserDisabled`], [`Error::Internal`].
pub(super) fn account(bearer: &Bearer, seen: &Seen) -> Result<User, Error> {
    let user = seen.user(bearer.uid)?;
    let user = user.filter(|user| is_of(bearer, user));
    let user = user.ok_or(Error::UserNotFound)?;
    if !user.is_active() {
        return Err(Error::UserDisabled);
    }
    Ok(user)
}

/// Whether an access token is of this account, in a session that goes on.
pub(super) fn is_of(bearer: &Bearer, user: &User) -> bool {
    user.id == bearer.sub && user.sessions.get(bearer.session_id).is_some()
}
