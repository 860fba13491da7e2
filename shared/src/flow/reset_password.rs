//! Changing a forgotten password by SMS, the account named by its phone.

use std::sync::Arc;

use super::{
    client, new_password,
    redeem::{self, HashOnce, Redemption},
    send,
};
use crate::{
    app::App,
    domain::{
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
    },
    store::owners::Owner,
};

/// Sends a code to the account with this phone. Returns the ticket that goes with the code.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::UserNotFound`], [`Error::UserDisabled`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    requester: &Requester,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::reset_password(phone);
    let target = |owner: Option<Owner>| owner.map(Some).ok_or(Error::UserNotFound);
    send::to_named(
        app,
        Purpose::ResetPassword,
        &key,
        phone,
        requester,
        target,
        now,
    )
    .await
}

/// Redeems a code and changes the password of the account it was sent for. Every session ends.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::PhoneMismatch`], [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    phone_info: &str,
    guess: &Guess,
    new: &Password,
    requester: &Requester,
    now: UnixMs,
) -> Result<(), Error> {
    let keys = &app.config.keys;
    let info = token::read_phone_info(keys, phone_info, Purpose::ResetPassword, now)?;
    let uid = info.uid.ok_or(Error::PhoneInfoInvalid)?;
    let redemption = &Redemption {
        purpose: Purpose::ResetPassword,
        key: &SlotKey::reset_password(&info.phone),
        challenge: Some(info.challenge),
        phone: Some(&info.phone),
        clients: client::candidates(app, requester),
        guess,
        hash: HashOnce::default(),
    };
    let (keys, info) = (client::keys_at(uid, &info.phone, requester), &info);
    redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        |seen| client::at_phone(app, requester, seen, uid, &info.phone, now),
        |right, known| async move {
            let user = right.account(uid, info)?;
            let (phone, hash) = (&info.phone, redemption.hash.of(app, new)?);
            let reset = app.store.reset_password(uid, phone, hash, &right.spend);
            Ok(reset.await?.round(|| {
                let account = (uid, Some(&info.phone), &user.name);
                new_password::was_set(app, account, &requester.source);
                client::was_right(app, requester, account, &known, now);
            }))
        },
    )
    .await
}
