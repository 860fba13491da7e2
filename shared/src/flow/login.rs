//! Logging in by SMS.

use crate::{
    app::App,
    code::Guess,
    error::Error,
    phone::Phone,
    purpose::{Purpose, SlotKey},
    store::Key,
    time::UnixMs,
    token::{self, Session, Token},
    user::User,
};

use super::challenge::{self, Redemption};

/// Sends a login code to the account with this phone, and gives the ticket that goes with it.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneUnknown`], [`Error::UserDisabled`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(app: &App, phone: &Phone, now: UnixMs) -> Result<Token, Error> {
    let keys = [Key::PhoneOwner(phone)];
    let sent = challenge::send(
        app,
        Purpose::Login,
        phone,
        &keys,
        |seen| seen.phone_owner(phone)?.ok_or(Error::PhoneUnknown),
        now,
    );
    token::phone_info(&app.keys, &sent.await?, now)
}

/// Takes a login code and starts a session.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::PhoneMismatch`], [`Error::Internal`].
pub async fn redeem(
    app: &App,
    phone_info: &str,
    guess: &Guess,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let info = token::read_phone_info(&app.keys, phone_info, Purpose::Login, now)?;
    let key = SlotKey::new(Purpose::Login, &info.phone);
    let redemption = Redemption {
        purpose: Purpose::Login,
        key: &key,
        id: Some(info.challenge),
        guess,
    };
    let keys = [Key::User(info.uid)];
    let user = challenge::redeem(
        app,
        redemption,
        &keys,
        |seen| {
            let user = seen.user(info.uid)?.ok_or(Error::UserNotFound)?;
            if !user.is_active() {
                return Err(Error::UserDisabled);
            }
            match user.phone.as_ref() == Some(&info.phone) {
                true => Ok(user),
                false => Err(Error::PhoneMismatch),
            }
        },
        now,
    );
    let user = user.await?;
    let session = Session {
        uid: user.uid,
        epoch: user.epoch,
    };
    let token = token::session(&app.keys, session, now)?;
    Ok((user, token))
}
