//! Making accounts: by SMS, one at a time.

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
        token::{self, Token},
        user::{Name, Uid, User},
    },
    random,
    store::{Created, Key},
};

use super::{
    login,
    race::Race,
    redeem::{self, Redemption},
    send,
};

/// Sends a code to a phone that no account has yet.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneTaken`], [`Error::TooFrequent`],
/// [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    from: &Source,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::register(phone);
    let target = |owner| match owner {
        Some(_) => Err(Error::PhoneTaken),
        None => Ok(None),
    };
    send::to_named(app, Purpose::Register, &key, phone, from, target, now).await
}

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its name.
    pub name: Name,
    /// Its password.
    pub password: Password,
    /// From which address it was asked for.
    pub ip: String,
}

/// Takes a code, makes the account and starts a session. A name that is taken does not spend the
/// code: another can be picked.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::PhoneTaken`],
/// [`Error::NameTaken`], [`Error::Internal`].
pub async fn register(
    app: &Arc<App>,
    phone_info: &str,
    guess: &Guess,
    registration: &Registration,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let info = token::read_phone_info(&app.keys, phone_info, Purpose::Register, now)?;
    let phone = &info.phone;
    let key = SlotKey::register(phone);
    let redemption = Redemption {
        purpose: Purpose::Register,
        key: &key,
        id: Some(info.challenge),
        guess,
    };
    let name = &registration.name;
    let keys = [
        Key::PhoneOwner(phone),
        Key::NameOwner(name),
        Key::Slot(&key),
    ];
    let mut race = Race::default();
    let mut hash = None;
    loop {
        let seen = app.store.read(&keys).await?;
        let right = match redeem::judge(app, &redemption, &seen, &mut race, now).await {
            Ok(Some(right)) => right,
            Ok(None) => continue,
            Err(error @ Error::CodeExpired { .. }) if !app.hide_unknown_users => {
                return Err(why_expired(app, phone, error).await?);
            }
            Err(error) => return Err(error),
        };
        if seen.phone_owner(phone)?.is_some() {
            return Err(Error::PhoneTaken);
        }
        if seen.name_owner(name)?.is_some() {
            return Err(Error::NameTaken);
        }
        // Hashed once, however many rounds it takes.
        let password = match hash.take() {
            Some(hash) => hash,
            None => app
                .password_hasher
                .hash(&registration.password, random::bytes()?)?,
        };
        let mut user = User::new(
            Uid::from_random(random::bytes()?),
            name.clone(),
            Some(phone.clone()),
            now,
        );
        user.created_ip.clone_from(&registration.ip);
        user.password = Some(password.clone());
        hash = Some(password);
        match app.store.create_user(&user, Some(&right.spend)).await? {
            Created::Done => {
                right.was_used(app, now);
                return login::start_session(app, user, now);
            }
            Created::Raced => race.lost().await,
            Created::UidTaken => {}
            Created::PhoneTaken => return Err(Error::PhoneTaken),
            Created::NameTaken => return Err(Error::NameTaken),
        }
    }
}

/// A code that made an account was spent by that. Whoever comes second is told of the account, which
/// is there by the time its code is seen spent.
async fn why_expired(app: &App, phone: &Phone, expired: Error) -> Result<Error, Error> {
    let seen = app.store.read(&[Key::PhoneOwner(phone)]).await?;
    Ok(match seen.phone_owner(phone)? {
        Some(_) => Error::PhoneTaken,
        None => expired,
    })
}
