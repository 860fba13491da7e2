//! Sessions: who presented a token, and whether the account still honours it.

use std::sync::{Mutex, PoisonError};

use crate::{
    app::App,
    domain::{
        error::Error,
        time::UnixMs,
        token::{self, Session, Token},
        user::{Uid, User},
    },
    store::{Key, Seen},
};

/// A session token somebody presented, or failed to.
///
/// Its signature has been checked when this exists; whether the account still honours it is known
/// once the account has been read, by whichever flow reads it ([`Presented::user`]).
#[derive(Debug)]
pub struct Presented {
    claims: Result<Session, Error>,
    honoured: Mutex<Option<Session>>,
}

impl Presented {
    /// Reads a token.
    pub fn read(app: &App, token: Option<&str>, now: UnixMs) -> Self {
        let claims = match token {
            Some(token) => token::read_session(&app.keys, token, now),
            None => Err(Error::TokenMissing),
        };
        Self {
            claims,
            honoured: Mutex::new(None),
        }
    }

    /// Whom the token speaks for.
    ///
    /// # Errors
    /// [`Error::TokenMissing`], [`Error::TokenInvalid`], [`Error::TokenExpired`].
    pub fn uid(&self) -> Result<Uid, Error> {
        self.claims
            .as_ref()
            .map(|session| session.uid)
            .map_err(Clone::clone)
    }

    /// The account, if it honours the token.
    ///
    /// # Errors
    /// Those of [`Self::uid`]; [`Error::UserNotFound`], [`Error::UserDisabled`], and
    /// [`Error::TokenInvalid`] for a token that has been revoked.
    pub fn user(&self, seen: &Seen) -> Result<User, Error> {
        // What was read last decides: a session can be revoked between two rounds of a race.
        self.set(None);
        let session = self.claims.clone()?;
        // What an earlier look found may have changed since.
        self.set(None);
        let user = seen.user(session.uid)?.ok_or(Error::UserNotFound)?;
        if user.epoch != session.epoch {
            return Err(Error::TokenInvalid);
        }
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        self.set(Some(session));
        Ok(user)
    }

    /// Goes on at the account's next epoch: the session that revoked all others is not one of them.
    pub(super) fn renew(&self, user: &User) {
        self.set(Some(Session {
            uid: user.uid,
            epoch: user.epoch + 1,
        }));
    }

    fn set(&self, session: Option<Session>) {
        let mut honoured = self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        *honoured = session;
    }

    /// A fresh token, if the one presented is honoured; reads the account if nobody has yet.
    ///
    /// # Errors
    /// Those of [`Self::user`], [`Error::Internal`].
    pub async fn refresh(&self, app: &App, now: UnixMs) -> Result<Token, Error> {
        let honoured = || *self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        if honoured().is_none() {
            read(app, self).await?;
        }
        match honoured() {
            Some(session) => token::session(&app.keys, session, now),
            None => Err(Error::TokenInvalid),
        }
    }
}

/// The account that is logged in.
///
/// # Errors
/// Those of [`Presented::user`], [`Error::Internal`].
pub async fn read(app: &App, session: &Presented) -> Result<User, Error> {
    let keys = [Key::User(session.uid()?)];
    session.user(&app.store.read(&keys).await?)
}
