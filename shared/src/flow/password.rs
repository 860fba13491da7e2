//! Changing a password by SMS: logged in, or with nothing but the phone.

use std::sync::Arc;

use crate::{
    app::App,
    domain::{
        client_address::Source,
        code::Guess,
        error::{Error, Field},
        password::Password,
        phone::Phone,
        purpose::Purpose,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Session, Token},
        user::{Uid, User},
    },
    random,
    store::{Attempt, Key, Outcome},
};

use super::{
    login::PASSWORD_FAILURES,
    race::Race,
    redeem::{self, Redemption},
    send::{self, Sending, Target},
    session::Presented,
};

/// Sends a code to the phone of the account that is logged in.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::NoPhone`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send_change(
    app: &Arc<App>,
    session: &Presented,
    from: &Source,
    now: UnixMs,
) -> Result<Token, Error> {
    let uid = session.uid()?;
    let sending = Sending {
        purpose: Purpose::ChangePassword,
        key: &SlotKey::change_password(uid),
        keys: &[Key::User(uid)],
        from,
        claimed: None,
    };
    let sent = send::send(
        app,
        sending,
        |seen| {
            let user = session.user(seen)?;
            Ok(Target {
                phone: user.phone.ok_or(Error::NoPhone)?,
                uid: Some(uid),
            })
        },
        now,
    );
    token::phone_info(&app.keys, &sent.await?, now)
}

/// A change of the password of the account that is logged in.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The ticket, unread.
    pub phone_info: &'a str,
    /// The code.
    pub guess: &'a Guess,
    /// The password to be.
    pub new: &'a Password,
    /// The password so far, which is checked if it is there.
    pub old: Option<&'a Password>,
}

/// Takes a code and changes the password of the account that is logged in. Every session ends but
/// this one.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`],
/// [`Error::CodeWrong`], [`Error::NoPhone`], [`Error::PhoneMismatch`], [`Error::PasswordRefused`] if
/// the old password is not the account's, [`Error::Internal`].
pub async fn change(
    app: &Arc<App>,
    session: &Presented,
    change: &Change<'_>,
    now: UnixMs,
) -> Result<(), Error> {
    let Change {
        phone_info,
        guess,
        new,
        old,
    } = *change;
    let uid = session.uid()?;
    let info = token::read_phone_info(&app.keys, phone_info, Purpose::ChangePassword, now)?;
    if info.uid != Some(uid) {
        return Err(Error::PhoneInfoInvalid);
    }
    let key = SlotKey::change_password(uid);
    let redemption = Redemption {
        purpose: Purpose::ChangePassword,
        key: &key,
        id: Some(info.challenge),
        guess,
    };
    let mut race = Race::default();
    let mut hash = None;
    loop {
        let seen = app.store.read(&[Key::User(uid), Key::Slot(&key)]).await?;
        let user = session.user(&seen)?;
        let Some(right) = redeem::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        if user.phone.as_ref().ok_or(Error::NoPhone)? != &right.phone {
            return Err(Error::PhoneMismatch);
        }
        let new_hash = match hash.take() {
            Some(hash) => hash,
            None => {
                if let Some(old) = old {
                    must_be(app, &user, old, now).await?;
                }
                app.password_hasher.hash(new, random::bytes()?)?
            }
        };
        let at = Session {
            uid,
            epoch: user.epoch,
        };
        match app
            .store
            .change_password(at, &new_hash, &right.spend)
            .await?
        {
            Outcome::Done => {
                right.was_used(app, now);
                session.renew(&user);
                return Ok(());
            }
            Outcome::Raced => race.lost().await,
        }
        hash = Some(new_hash);
    }
}

/// Checks the password so far. A wrong one counts like one at the login: a stolen session and a code
/// are no way to guess it.
async fn must_be(app: &App, user: &User, old: &Password, now: UnixMs) -> Result<(), Error> {
    let whose = user.uid.0.to_string();
    let refused = Err(Error::PasswordRefused(Field::OldPassword));
    match app
        .store
        .count_attempt(&whose, now, &PASSWORD_FAILURES)
        .await?
    {
        Attempt::Counted => {}
        Attempt::TooMany { .. } => return refused,
    }
    match app.password_hasher.verify(old, user.password.as_ref()) {
        true => {
            app.store
                .uncount_attempt(&whose, now, &PASSWORD_FAILURES)
                .await
        }
        false => refused,
    }
}

/// Sends a code to the account with this phone.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::UserNotFound`], [`Error::UserDisabled`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send_reset(
    app: &Arc<App>,
    phone: &Phone,
    from: &Source,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::reset_password(phone);
    let target = |owner: Option<Uid>| owner.map(Some).ok_or(Error::UserNotFound);
    send::to_named(app, Purpose::ResetPassword, &key, phone, from, target, now).await
}

/// Takes a code and changes the password of the account it was sent for. Every session ends.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::PhoneMismatch`], [`Error::Internal`].
pub async fn reset(
    app: &Arc<App>,
    phone_info: &str,
    guess: &Guess,
    new: &Password,
    now: UnixMs,
) -> Result<(), Error> {
    let info = token::read_phone_info(&app.keys, phone_info, Purpose::ResetPassword, now)?;
    let uid = info.uid.ok_or(Error::PhoneInfoInvalid)?;
    let key = SlotKey::reset_password(&info.phone);
    let redemption = Redemption {
        purpose: Purpose::ResetPassword,
        key: &key,
        id: Some(info.challenge),
        guess,
    };
    let mut race = Race::default();
    let mut hash = None;
    loop {
        let seen = app.store.read(&[Key::User(uid), Key::Slot(&key)]).await?;
        let Some(right) = redeem::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        let user = seen.user(uid)?.ok_or(Error::UserNotFound)?;
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        if user.phone.as_ref() != Some(&info.phone) {
            return Err(Error::PhoneMismatch);
        }
        let new_hash = match hash.take() {
            Some(hash) => hash,
            None => app.password_hasher.hash(new, random::bytes()?)?,
        };
        match app
            .store
            .reset_password(uid, &info.phone, &new_hash, &right.spend)
            .await?
        {
            Outcome::Done => {
                right.was_used(app, now);
                return Ok(());
            }
            Outcome::Raced => race.lost().await,
        }
        hash = Some(new_hash);
    }
}
