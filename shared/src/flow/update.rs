//! Changing an account in one of its sessions: its password, what apps keep with it, and, by a code that is sent,
//! its phone (dialect D).

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{
    access_token, move_phone, new_password,
    race::{Round, until_won},
    redeem::{self, HashOnce, Redemption, Right},
    send,
};
use crate::{
    app::App,
    config::limits::WRONG_PASSWORDS,
    domain::{
        access_token::Bearer,
        client::Client,
        client_address::Source,
        code::Guess,
        error::{Error, Field},
        password::Password,
        phone::Phone,
        purpose::Purpose,
        slot_key::SlotKey,
        time::UnixMs,
        user::{Moving, User},
    },
    store::{
        Key, Seen,
        attempts::{AttemptOutcome, Attempts},
        users::{Change, ChangeOutcome},
    },
};

/// For so long after its login a session may set a password without a code.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// What a session asks to change of its account. It has no `Debug`: it holds secrets.
#[derive(Clone, Copy, Default)]
pub struct Update<'a> {
    /// Its phone. The account's own changes nothing.
    pub phone: Option<&'a Phone>,
    /// Its password.
    pub password: Option<&'a Password>,
    /// The code that permits the password, where the session is old.
    pub nonce: Option<&'a Guess>,
    /// What changes of the things that apps keep with it.
    pub data: Option<&'a Map<String, Value>>,
}

/// Sends a code that permits an old session to set a password.
///
/// # Errors
/// [`Error::UserNotFound`] if the session is over; [`Error::UserDisabled`], [`Error::NoPhone`],
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn reauthenticate(
    app: &Arc<App>,
    bearer: &Bearer,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let account = |seen: &Seen| access_token::account(bearer, seen);
    let purpose = Purpose::ChangePassword;
    let sent = send::to_account(app, purpose, bearer.uid, account, source, now);
    sent.await.map(drop)
}

/// Changes an account: everything or nothing. The session and its tokens go on. A new password ends the others
/// and what codes are open for the account; a new phone gets a code, and the account notes that.
///
/// The message is the last step before the write. If the write fails, its code is for nothing.
///
/// # Errors
/// [`Error::UserNotFound`] if the session is over; [`Error::UserDisabled`];
/// [`Error::ReauthenticationNeeded`], [`Error::CodeExpired`] and [`Error::CodeWrong`] for a password that is not
/// permitted, [`Error::PasswordRefused`] for the present one; [`Error::MetadataTooLarge`],
/// [`Error::PhoneTaken`], [`Error::CountryNotServed`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn update(
    app: &Arc<App>,
    bearer: &Bearer,
    update: Update<'_>,
    source: &Source,
    now: UnixMs,
) -> Result<User, Error> {
    let work = &Work {
        app,
        bearer,
        update,
        source,
        now,
        hash: HashOnce::default(),
        sent: OnceLock::new(),
    };
    let keys = [Key::user(bearer.uid)];
    let needs_code = update.password.is_some() && bearer.session_began().plus(FRESH) <= now;
    if !needs_code {
        let decide = |seen: Seen| async move { work.change(&seen, None).await };
        return until_won(&app.store, &keys, decide).await;
    }
    let Some(guess) = update.nonce else {
        access_token::account(bearer, &app.store.read(&keys).await?)?;
        return Err(Error::ReauthenticationNeeded);
    };
    let redemption = &Redemption {
        purpose: Purpose::ChangePassword,
        key: &SlotKey::change_password(bearer.uid),
        challenge: None,
        phone: None,
        clients: vec![Client::KnownSession],
        guess,
        hash: HashOnce::default(),
    };
    let allow = |seen: &Seen| Ok((Client::KnownSession, access_token::account(bearer, seen)?));
    redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, user| async move {
            let has_moved = user.phone.as_ref() != Some(right.phone());
            if has_moved || right.is_ended_by_password_of(&user) {
                return Err(Error::CodeExpired { retry_after: None });
            }
            work.change(&right.seen, Some(&right)).await
        },
    )
    .await
}

/// An update under way.
struct Work<'a> {
    app: &'a Arc<App>,
    bearer: &'a Bearer,
    update: Update<'a>,
    source: &'a Source,
    now: UnixMs,
    hash: HashOnce,
    /// The change of the phone whose code was sent: once, however many rounds the write takes.
    sent: OnceLock<Moving>,
}

impl Work<'_> {
    /// All checks, then the code to a new phone, then one write. `right` is the code that permits it.
    async fn change(&self, seen: &Seen, right: Option<&Right<'_>>) -> Result<Round<User>, Error> {
        let Self {
            app,
            bearer,
            update,
            now,
            ..
        } = *self;
        let user = access_token::account(bearer, seen)?;
        let metadata = match update.data {
            Some(data) => {
                let merged = user.metadata.with(data.clone());
                Some(merged.ok_or(Error::MetadataTooLarge)?)
            }
            None => None,
        };
        let to = update.phone.filter(|to| user.phone.as_ref() != Some(*to));
        let hash = match update.password {
            Some(new) => {
                if !self.hash.is_done() {
                    self.check_differs(&user, new).await?;
                }
                Some(self.hash.of(app, new)?)
            }
            None => None,
        };
        let moving = match to {
            Some(to) => Some(self.send_to(to).await?),
            None => None,
        };
        let change = Change {
            password: hash,
            metadata: metadata.as_ref(),
            moving,
        };
        if change.is_empty() {
            return Ok(Round::Won(user));
        }
        let spend = right.map(|right| &right.spend);
        let written = app
            .store
            .change_user(&user, bearer.session_id, &change, spend, now);
        match (written.await?, right) {
            (ChangeOutcome::Done, _) => {}
            (ChangeOutcome::TooManyWrongCodes { retry_after }, Some(right)) => {
                return right.refuse(app, retry_after).await;
            }
            _ => return Ok(Round::Lost),
        }
        if hash.is_some() {
            let account = (user.uid, user.phone.as_ref(), &user.name);
            new_password::was_set(app, account, self.source);
        }
        Ok(Round::Won(self.changed(user, &change)))
    }

    /// The account as it was written.
    fn changed(&self, user: User, change: &Change<'_>) -> User {
        let mut changed = user;
        if let Some(hash) = change.password {
            changed.password = Some(hash.clone());
            changed.epoch += 1;
            changed.sessions = changed.sessions.alone(self.bearer.session_id, self.now);
            changed.moving = None;
        }
        if let Some(metadata) = change.metadata {
            changed.metadata = metadata.clone();
        }
        if let Some(moving) = change.moving {
            changed.moving = Some(moving.clone());
        }
        changed
    }

    async fn send_to(&self, to: &Phone) -> Result<&Moving, Error> {
        if let Some(sent) = self.sent.get() {
            return Ok(sent);
        }
        let sent = move_phone::send(self.app, self.bearer, to, self.source, self.now).await?;
        Ok(self.sent.get_or_init(|| sent))
    }

    /// Checks that a new password is not the present one. The answer tells whoever has the session what the
    /// password is, so it counts like a wrong one, until the new one is set; beyond the limit nothing is said.
    async fn check_differs(&self, user: &User, new: &Password) -> Result<(), Error> {
        let (app, limits) = (self.app, &[WRONG_PASSWORDS]);
        if user.password.is_none() {
            return Ok(());
        }
        let attempts = Attempts::at(self.bearer.uid, Client::KnownSession);
        let counted = app.store.count_attempt(&attempts, self.now, limits);
        if let AttemptOutcome::TooMany { .. } = counted.await? {
            return Ok(());
        }
        let hasher = &app.config.password_hasher;
        if hasher.verify(new, user.password.as_ref()) {
            return Err(Error::PasswordRefused(Field::NewPassword));
        }
        Ok(())
    }
}
