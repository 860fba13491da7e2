//! Changing the password of the account that is logged in, by SMS or by the old one.

use std::sync::Arc;

use super::{
    new_password,
    race::until_won,
    redeem::{self, HashOnce, Redemption},
    send,
    session::Presented,
};
use crate::{
    app::App,
    config::limits::WRONG_PASSWORDS,
    domain::{
        client::Client,
        client_address::Source,
        code::Guess,
        error::{Error, Field},
        password::{Password, PasswordHash},
        purpose::Purpose,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
        user::User,
    },
    store::{
        Key,
        attempts::{AttemptOutcome, Attempts},
        users,
    },
};

/// Sends a code to the phone of the account that is logged in. Returns the ticket that goes with it.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::NoPhone`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    session: &Presented,
    source: &Source,
    now: UnixMs,
) -> Result<Token, Error> {
    let account = |seen: &_| session.user(seen);
    let (purpose, uid) = (Purpose::ChangePassword, session.uid()?);
    let sent = send::to_account(app, purpose, uid, account, source, now).await?;
    token::phone_info(&app.config.keys, &sent.info, now)
}

/// A change of the password of the account that is logged in. It has no `Debug`: the ticket is a
/// secret.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// The ticket, unread.
    pub phone_info: &'a str,
    /// The code.
    pub guess: &'a Guess,
    /// The new password.
    pub new: &'a Password,
    /// The old password. It is checked if it is there.
    pub old: Option<&'a Password>,
    /// Where the request comes from.
    pub source: &'a Source,
}

/// Redeems a code and changes the password of the account that is logged in. Every other session
/// ends.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`],
/// [`Error::CodeWrong`], [`Error::NoPhone`], [`Error::PhoneMismatch`], [`Error::PasswordRefused`] if
/// the old password is wrong, [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    session: &Presented,
    change: &Change<'_>,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let keys = &app.config.keys;
    let info = token::read_phone_info(keys, change.phone_info, Purpose::ChangePassword, now)?;
    if info.uid != Some(uid) {
        return Err(Error::PhoneInfoInvalid);
    }
    let redemption = &Redemption {
        purpose: Purpose::ChangePassword,
        key: &SlotKey::change_password(uid),
        challenge: Some(info.challenge),
        phone: Some(&info.phone),
        clients: vec![Client::KnownSession],
        guess: change.guess,
        hash: HashOnce::default(),
    };
    let keys = [Key::user(uid)];
    let allow = |seen: &_| Ok((Client::KnownSession, session.user(seen)?));
    redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, user| async move {
            if user.phone.as_ref().ok_or(Error::NoPhone)? != right.phone() {
                return Err(Error::PhoneMismatch);
            }
            // Checked once, like the hash: a lost race is no further attempt.
            if let (false, Some(old)) = (redemption.hash.is_done(), change.old) {
                check_old(app, &user, old, now).await?;
            }
            let (id, hash) = (session.id()?, redemption.hash.of(app, change.new)?);
            let spend = Some(&right.spend);
            let password = with_password(hash);
            let changed = app.store.change_user(&user, id, &password, spend, now);
            Ok(changed.await?.round(|| {
                session.renew(now);
                let account = (uid, user.phone.as_ref(), &user.name);
                new_password::was_set(app, account, change.source);
            }))
        },
    )
    .await
}

/// Changes the password of the account that is logged in, if `old` is its present one. Every other session
/// ends.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PasswordRefused`] if the old password is wrong, or there is none;
/// [`Error::Internal`].
pub async fn by_old(
    app: &Arc<App>,
    session: &Presented,
    old: &Password,
    new: &Password,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let hash = &HashOnce::default();
    until_won(&app.store, &[Key::user(uid)], |seen| async move {
        let user = session.user(&seen)?;
        if !hash.is_done() {
            check_old(app, &user, old, now).await?;
        }
        let (id, hash) = (session.id()?, hash.of(app, new)?);
        let change = with_password(hash);
        let changed = app.store.change_user(&user, id, &change, None, now);
        Ok(changed.await?.round(|| {
            session.renew(now);
            let account = (uid, user.phone.as_ref(), &user.name);
            new_password::was_set(app, account, source);
        }))
    })
    .await
}

fn with_password(hash: &PasswordHash) -> users::Change<'_> {
    users::Change {
        password: Some(hash),
        ..users::Change::default()
    }
}

/// Checks the old password. A wrong one counts like a wrong one at the login: a stolen session and a
/// code are no way to guess it.
async fn check_old(app: &App, user: &User, old: &Password, now: UnixMs) -> Result<(), Error> {
    let attempts = Attempts::at(user.uid, Client::KnownSession);
    let refused = Error::PasswordRefused(Field::OldPassword);
    let counted = app.store.count_attempt(&attempts, now, &[WRONG_PASSWORDS]);
    if let AttemptOutcome::TooMany { .. } = counted.await? {
        return Err(refused);
    }
    let hasher = &app.config.password_hasher;
    if !hasher.verify(old, user.password.as_ref()) {
        return Err(refused);
    }
    let released = app
        .store
        .release_attempt(&attempts, now, &[WRONG_PASSWORDS]);
    released.await
}
