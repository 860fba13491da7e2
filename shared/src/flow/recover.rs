//! Recovering a forgotten password by user name, in three steps: a code, a reset token for it, a new
//! password for that.

use std::sync::Arc;

use crate::{
    app::App,
    domain::{
        client_address::Source,
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        slot_key::SlotKey,
        time::UnixMs,
        token::{RESET_LIFE, ResetHash, Token},
        user::Name,
    },
    random,
    store::{Key, Outcome, Reset},
};

use super::{
    race::Race,
    redeem::{self, Redemption},
    send::{self, Sending, Target},
};

/// Sends a code to `phone`, which must be the account's own.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::UserNotFound`], [`Error::UserDisabled`],
/// [`Error::NoPhone`], [`Error::PhoneMismatch`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    name: &Name,
    phone: &Phone,
    from: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    send::plan(app, Purpose::Recover, phone)?;
    let sending = Sending {
        purpose: Purpose::Recover,
        key: &SlotKey::recover(name),
        keys: &[Key::NameOwner(name), Key::PhoneOwner(phone)],
        from,
        claimed: Some(phone),
    };
    let sent = send::send(
        app,
        sending,
        |seen| {
            let uid = seen.name_owner(name)?.ok_or(Error::UserNotFound)?;
            match seen.phone_owner(phone)? == Some(uid) {
                true => Ok(Target {
                    phone: phone.clone(),
                    uid: Some(uid),
                }),
                false => Err(Error::PhoneMismatch),
            }
        },
        now,
    );
    match sent.await {
        Ok(_) => Ok(()),
        Err(Error::PhoneMismatch) => Err(why_mismatch(app, name).await?),
        Err(error) => Err(error),
    }
}

/// What is to be said of an account whose phone the given one is not.
async fn why_mismatch(app: &App, name: &Name) -> Result<Error, Error> {
    let uid = app
        .store
        .read(&[Key::NameOwner(name)])
        .await?
        .name_owner(name)?;
    let user = match uid {
        Some(uid) => app.store.user(uid).await?,
        None => None,
    };
    Ok(match user {
        None => Error::UserNotFound,
        Some(user) if !user.is_active() => Error::UserDisabled,
        Some(user) if user.phone.is_none() => Error::NoPhone,
        Some(_) => Error::PhoneMismatch,
    })
}

/// Takes a code and gives a reset token for it.
///
/// # Errors
/// [`Error::CodeExpired`], for an unknown name too; [`Error::CodeWrong`], [`Error::UserDisabled`],
/// [`Error::Internal`].
pub async fn verify(
    app: &Arc<App>,
    name: &Name,
    guess: &Guess,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::recover(name);
    let redemption = Redemption {
        purpose: Purpose::Recover,
        key: &key,
        id: None,
        guess,
    };
    let expired = Error::CodeExpired { retry_after: None };
    let mut race = Race::default();
    loop {
        let seen = app
            .store
            .read(&[Key::NameOwner(name), Key::Slot(&key)])
            .await?;
        let uid = seen.name_owner(name)?;
        if uid.is_none() && !app.hide_unknown_users {
            return Err(expired);
        }
        let Some(right) = redeem::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        let uid = uid.ok_or(expired.clone())?;
        let token = Token::reset(random::bytes()?);
        let reset = Reset {
            uid,
            phone: right.phone.clone(),
            expires_at: now.plus(RESET_LIFE),
            spent: false,
        };
        let hash = ResetHash::of(token.as_str());
        match app.store.issue_reset(&hash, &reset, &right.spend).await? {
            Some(Outcome::Done) => {
                right.was_used(app, now);
                return Ok(token);
            }
            Some(Outcome::Raced) => race.lost().await,
            None => return Err(why_unreachable(app, &reset, expired).await?),
        }
    }
}

/// Takes a reset token and sets the password. Every session ends.
///
/// # Errors
/// [`Error::ResetTokenExpired`], for an unknown name too; [`Error::ResetTokenInvalid`],
/// [`Error::UserDisabled`], [`Error::Internal`].
pub async fn change(
    app: &App,
    name: &Name,
    token: &str,
    new: &Password,
    now: UnixMs,
) -> Result<(), Error> {
    let hash = ResetHash::of(token);
    let mut race = Race::default();
    let mut new_hash = None;
    loop {
        let seen = app
            .store
            .read(&[Key::NameOwner(name), Key::Reset(&hash)])
            .await?;
        let (uid, reset) = (seen.name_owner(name)?, seen.reset(&hash)?);
        if uid.is_none() && !app.hide_unknown_users {
            return Err(Error::ResetTokenExpired);
        }
        let reset = reset.filter(|reset| Some(reset.uid) == uid);
        let reset = reset.ok_or(Error::ResetTokenInvalid)?;
        if reset.spent || reset.expires_at <= now {
            return Err(Error::ResetTokenExpired);
        }
        let password = match new_hash.take() {
            Some(hash) => hash,
            None => app.password_hasher.hash(new, random::bytes()?)?,
        };
        match app.store.redeem_reset(&hash, &reset, &password).await? {
            Some(Outcome::Done) => return Ok(()),
            Some(Outcome::Raced) => race.lost().await,
            None => return Err(why_unreachable(app, &reset, Error::ResetTokenExpired).await?),
        }
        new_hash = Some(password);
    }
}

/// What is to be said of an account that is not active, or no longer at the phone a code was sent to.
async fn why_unreachable(app: &App, reset: &Reset, otherwise: Error) -> Result<Error, Error> {
    Ok(match app.store.user(reset.uid).await? {
        Some(user) if !user.is_active() => Error::UserDisabled,
        _ => otherwise,
    })
}
