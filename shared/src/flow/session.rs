//! Sessions: who presents a token, and whether the account still honours it.

use std::sync::{Mutex, PoisonError};

use crate::{
    app::App,
    domain::{
        error::Error,
        time::UnixMs,
        token::{self, Session, SessionId, Token},
        user::{Name, Uid, User},
    },
    random,
    store::{Key, Seen},
};

/// A session token that a client presents, or its absence.
///
/// The token's signature has been checked. Whether the account honours the token is known once the
/// account has been read, by the flow that reads it ([`Presented::user`]). The result is kept here for
/// the answer, which carries a fresh token even if it is a refusal.
#[derive(Debug)]
pub struct Presented {
    /// The session, and the name that the token shows.
    claims: Result<(Session, Name), Error>,
    /// The session, and its account's name.
    honoured: Mutex<Option<(Session, Name)>>,
}

impl Presented {
    /// Reads a token.
    pub fn read(app: &App, token: Option<&str>, now: UnixMs) -> Self {
        let claims = match token {
            Some(token) => token::read_session(&app.config.keys, token, now),
            None => Err(Error::TokenMissing),
        };
        Self {
            claims,
            honoured: Mutex::new(None),
        }
    }

    /// The account that the token speaks for.
    ///
    /// # Errors
    /// [`Error::TokenMissing`], [`Error::TokenInvalid`], [`Error::TokenExpired`].
    pub fn uid(&self) -> Result<Uid, Error> {
        let (session, _) = self.claims()?;
        Ok(session.uid)
    }

    /// The account's name when the token was made. It can have another one by now.
    ///
    /// # Errors
    /// Those of [`Self::uid`].
    pub(super) fn shown_name(&self) -> Result<&Name, Error> {
        let (_, name) = self.claims()?;
        Ok(name)
    }

    fn claims(&self) -> Result<&(Session, Name), Error> {
        self.claims.as_ref().map_err(Clone::clone)
    }

    /// The account, if it honours the token. The latest call decides: a session can be revoked between
    /// two rounds of a race.
    ///
    /// # Errors
    /// Those of [`Self::uid`]; [`Error::UserNotFound`], [`Error::UserDisabled`], and
    /// [`Error::TokenInvalid`] for a revoked token.
    pub fn user(&self, seen: &Seen) -> Result<User, Error> {
        self.set(None);
        let session = self.claims()?.0;
        let user = seen.user(session.uid)?.ok_or(Error::UserNotFound)?;
        if user.epoch != session.epoch {
            return Err(Error::TokenInvalid);
        }
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        self.set(Some((session, user.name.clone())));
        Ok(user)
    }

    /// Continues this session at the account's next epoch, which revokes all others.
    pub(super) fn renew(&self, user: &User) {
        let claims = self.claims.as_ref().ok();
        self.set(claims.map(|(session, _)| {
            let session = Session {
                epoch: user.epoch + 1,
                ..*session
            };
            (session, user.name.clone())
        }));
    }

    /// Continues this session under the account's new name.
    pub(super) fn rename(&self, name: &Name) {
        let claims = self.claims.as_ref().ok();
        self.set(claims.map(|(session, _)| (*session, name.clone())));
    }

    fn set(&self, session: Option<(Session, Name)>) {
        let mut honoured = self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        *honoured = session;
    }

    fn honoured(&self) -> Option<(Session, Name)> {
        let honoured = self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        honoured.clone()
    }

    /// A fresh token, if the account honours the one presented. Reads the account if no flow has.
    ///
    /// # Errors
    /// Those of [`Self::user`], [`Error::Internal`].
    pub async fn refresh(&self, app: &App, now: UnixMs) -> Result<Token, Error> {
        if self.honoured().is_none() {
            account(app, self).await?;
        }
        let (session, name) = self.honoured().ok_or(Error::TokenInvalid)?;
        let (keys, life) = (&app.config.keys, &app.config.session_life);
        token::session(keys, session, &name, life, now)
    }
}

/// The account that is logged in.
///
/// # Errors
/// Those of [`Presented::user`], [`Error::Internal`].
pub async fn account(app: &App, session: &Presented) -> Result<User, Error> {
    let keys = [Key::user(session.uid()?)];
    session.user(&app.store.read(&keys).await?)
}

/// Starts a session of an account. Returns the account and the session token.
///
/// # Errors
/// [`Error::Internal`] without randomness.
pub(super) fn start(app: &App, user: User, now: UnixMs) -> Result<(User, Token), Error> {
    let session = Session {
        id: SessionId(random::bytes()?),
        began: UnixMs(now.as_secs() * 1000),
        uid: user.uid,
        epoch: user.epoch,
    };
    let (keys, life) = (&app.config.keys, &app.config.session_life);
    let token = token::session(keys, session, &user.name, life, now)?;
    Ok((user, token))
}
