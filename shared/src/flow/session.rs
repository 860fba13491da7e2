//! Sessions: who presents a token, and whether the account still honours it.

use std::sync::{Arc, Mutex, PoisonError};

use super::race::Race;
use crate::{
    app::App,
    domain::{
        error::Error,
        session::{Held, Method, SessionId},
        time::UnixMs,
        token::{self, Session, SessionRead, Token},
        user::{Name, Uid, User},
    },
    random,
    store::{Key, Seen, start::Start, transaction::Outcome},
};

/// A session token that a client presents, or its absence.
///
/// The token's signature has been checked. Whether the account honours the token is known once the
/// account has been read, by the flow that reads it ([`Presented::user`]). The result is kept here for
/// the answer, which carries a fresh token even if it is a refusal.
#[derive(Debug)]
pub struct Presented {
    claims: Result<SessionRead, Error>,
    honoured: Mutex<Option<Honoured>>,
}

/// A session that its account honours.
#[derive(Debug, Clone)]
struct Honoured {
    session: Session,
    /// The account's name.
    name: Name,
    /// The day of the session's last use, as far as the account knows.
    used_day: u64,
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
        Ok(self.claims()?.session.uid)
    }

    /// The session's id.
    ///
    /// # Errors
    /// Those of [`Self::uid`].
    pub(super) fn id(&self) -> Result<SessionId, Error> {
        Ok(self.claims()?.session.id)
    }

    /// The account's name when the token was made. It can have another one by now.
    ///
    /// # Errors
    /// Those of [`Self::uid`].
    pub(super) fn shown_name(&self) -> Result<&Name, Error> {
        Ok(&self.claims()?.name)
    }

    /// When the token expires.
    ///
    /// # Errors
    /// Those of [`Self::uid`].
    pub(super) fn expires(&self) -> Result<UnixMs, Error> {
        Ok(self.claims()?.expires)
    }

    fn claims(&self) -> Result<&SessionRead, Error> {
        self.claims.as_ref().map_err(Clone::clone)
    }

    /// The account, if it honours the token. The latest call decides: a session can end between two rounds
    /// of a race.
    ///
    /// # Errors
    /// Those of [`Self::uid`]; [`Error::UserNotFound`], [`Error::UserDisabled`], and
    /// [`Error::TokenInvalid`] for a token of a session that is over.
    pub fn user(&self, seen: &Seen) -> Result<User, Error> {
        self.set(None);
        let session = self.claims()?.session;
        let user = seen.user(session.uid)?.ok_or(Error::UserNotFound)?;
        let held = user.honours(session.id, session.epoch);
        let held = held.ok_or(Error::TokenInvalid)?;
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        self.set(Some(Honoured {
            session,
            name: user.name.clone(),
            used_day: held.used_day,
        }));
        Ok(user)
    }

    /// Continues this session at the account's next epoch, which ends all others.
    pub(super) fn renew(&self, now: UnixMs) {
        self.change(|honoured| {
            honoured.session.epoch += 1;
            honoured.used_day = now.day();
        });
    }

    /// Continues this session under the account's new name.
    pub(super) fn rename(&self, name: &Name) {
        self.change(|honoured| honoured.name = name.clone());
    }

    fn set(&self, honoured: Option<Honoured>) {
        *self.honoured.lock().unwrap_or_else(PoisonError::into_inner) = honoured;
    }

    fn change(&self, change: impl FnOnce(&mut Honoured)) {
        let mut honoured = self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(honoured) = honoured.as_mut() {
            change(honoured);
        }
    }

    fn honoured(&self) -> Option<Honoured> {
        let honoured = self.honoured.lock().unwrap_or_else(PoisonError::into_inner);
        honoured.clone()
    }

    /// A fresh token, if the account honours the one presented. Reads the account if no flow has. Notes the
    /// session's use.
    ///
    /// # Errors
    /// Those of [`Self::user`], [`Error::Internal`].
    pub async fn refresh(&self, app: &Arc<App>, now: UnixMs) -> Result<Token, Error> {
        if self.honoured().is_none() {
            account(app, self).await?;
        }
        self.note_use(app, now);
        let honoured = self.honoured().ok_or(Error::TokenInvalid)?;
        let (keys, life) = (&app.config.keys, &app.config.session_life);
        token::session(keys, honoured.session, &honoured.name, life, now)
    }

    /// Defers noting that the session is used today, if the account honours it and does not know yet. If this
    /// is lost, the session may end sooner for a new one.
    pub fn note_use(&self, app: &Arc<App>, now: UnixMs) {
        let unnoted = self.honoured().filter(|it| it.used_day < now.day());
        let Some(Honoured { session, .. }) = unnoted else {
            return;
        };
        app.defer(async move |app| {
            let noted = app.store.note_use(session.uid, session.id, now.day());
            if let Err(failure) = noted.await {
                tracing::warn!(?failure, "a session's use is not noted");
            }
        });
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

/// Ends the session that is presented, and no other.
///
/// # Errors
/// Those of [`Presented::user`], [`Error::Internal`].
pub async fn end(app: &App, session: &Presented) -> Result<(), Error> {
    let user = account(app, session).await?;
    app.store.end_session(user.uid, session.id()?).await
}

/// Which sessions of an account end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The one that asks.
    This,
    /// All but the one that asks.
    Others,
    /// All.
    All,
}

/// Ends sessions of an account, asked for in one of them.
///
/// # Errors
/// [`Error::UserNotFound`] if that session is over; [`Error::Internal`].
pub async fn end_some(app: &App, uid: Uid, id: SessionId, ended: Ended) -> Result<(), Error> {
    match ended {
        Ended::This => return app.store.end_session(uid, id).await,
        Ended::All => return app.store.end_all_sessions(uid).await,
        Ended::Others => {}
    }
    let mut race = Race::default();
    loop {
        let user = app.store.user(uid).await?;
        let held = user.and_then(|user| user.sessions.get(id).copied());
        let held = held.ok_or(Error::UserNotFound)?;
        if app.store.end_other_sessions(uid, id, held).await? == Outcome::Done {
            return Ok(());
        }
        race.lost().await;
    }
}

/// The start of a session of an account, as it was read.
///
/// # Errors
/// [`Error::Internal`] without randomness.
pub(super) fn beginning(user: &User, method: Method, now: UnixMs) -> Result<Start, Error> {
    beginning_beside(None, user, method, now)
}

/// The same. The session `beside` it does not end for it.
///
/// # Errors
/// [`Error::Internal`] without randomness.
pub(super) fn beginning_beside(
    beside: Option<SessionId>,
    user: &User,
    method: Method,
    now: UnixMs,
) -> Result<Start, Error> {
    let id = SessionId::from_random(random::bytes()?);
    Ok(Start {
        uid: user.uid,
        epoch: user.epoch,
        id,
        held: Held::beginning(method, now),
        ending: user.sessions.ending_for(id, beside),
    })
}

/// The first token of a session that was started.
///
/// # Errors
/// [`Error::Internal`] if it cannot be signed.
pub fn token(app: &App, start: &Start, name: &Name, now: UnixMs) -> Result<Token, Error> {
    let session = Session {
        id: start.id,
        began: start.held.began,
        uid: start.uid,
        epoch: start.epoch,
    };
    let (keys, life) = (&app.config.keys, &app.config.session_life);
    token::session(keys, session, name, life, now)
}

/// Starts a session of an account whose password, as it was read, was right. `None` if the account has
/// changed so that it may be right no more.
///
/// # Errors
/// [`Error::Internal`].
pub(super) async fn start(app: &App, user: &User, now: UnixMs) -> Result<Option<Start>, Error> {
    let (mut race, mut user) = (Race::default(), user.clone());
    let epoch = user.epoch;
    loop {
        let start = beginning(&user, Method::Password, now)?;
        if app.store.start_session(&start).await? == Outcome::Done {
            return Ok(Some(start));
        }
        race.lost().await;
        let unchanged = app.store.user(user.uid).await?;
        match unchanged.filter(|user| user.epoch == epoch && user.is_active()) {
            Some(as_it_is) => user = as_it_is,
            None => return Ok(None),
        }
    }
}
