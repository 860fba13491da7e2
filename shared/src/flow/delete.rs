//! Deleting an account by a code, in one of its sessions.

use std::sync::Arc;

use super::{
    access_token,
    race::Round,
    redeem::{self, HashOnce, Redemption, Right},
    send,
    session::Presented,
};
use crate::{
    app::App,
    domain::{
        access_token::Bearer,
        client::Client,
        client_address::Source,
        code::Guess,
        error::Error,
        phone::Phone,
        purpose::Purpose,
        session::SessionId,
        slot::ChallengeId,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
        user::{Uid, User},
    },
    store::{Key, Seen, deletions::Deleter, users::ChangeOutcome},
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
    let account = |seen: &Seen| session.user(seen);
    let uid = session.uid()?;
    let sent = send::to_account(app, Purpose::Delete, uid, account, source, now);
    token::phone_info(&app.config.keys, &sent.await?.info, now)
}

/// Sends the nonce that permits the deletion of an account.
///
/// # Errors
/// [`Error::UserNotFound`] if the session is over; [`Error::UserDisabled`], [`Error::NoPhone`],
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send_nonce(
    app: &Arc<App>,
    bearer: &Bearer,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let account = |seen: &Seen| access_token::account(bearer, seen);
    let sent = send::to_account(app, Purpose::Delete, bearer.uid, account, source, now);
    sent.await.map(drop)
}

/// Redeems a code and deletes the account that is logged in. Its sessions are over, its phone and its name free.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::NoPhone`], [`Error::PhoneMismatch`], [`Error::Internal`].
pub async fn by_code(
    app: &Arc<App>,
    session: &Presented,
    phone_info: &str,
    guess: &Guess,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let info = token::read_phone_info(&app.config.keys, phone_info, Purpose::Delete, now)?;
    if info.uid != Some(uid) {
        return Err(Error::PhoneInfoInvalid);
    }
    let deletion = Deletion {
        uid,
        session: session.id()?,
        challenge: Some(info.challenge),
        phone: Some(&info.phone),
        guess,
    };
    let check = |user: &User, right: &Right<'_>| match &user.phone {
        None => Err(Error::NoPhone),
        Some(phone) if phone != right.phone() => Err(Error::PhoneMismatch),
        Some(_) => Ok(()),
    };
    let account = |seen: &Seen| session.user(seen);
    deletion.redeem(app, account, check, now).await
}

/// Redeems a nonce and deletes an account. Its sessions are over, its phone and its name free.
///
/// # Errors
/// [`Error::UserNotFound`] if the session is over; [`Error::UserDisabled`];
/// [`Error::ReauthenticationNeeded`] without a nonce; [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::Internal`].
pub async fn by_nonce(
    app: &Arc<App>,
    bearer: &Bearer,
    nonce: Option<&Guess>,
    now: UnixMs,
) -> Result<(), Error> {
    let account = |seen: &Seen| access_token::account(bearer, seen);
    let Some(guess) = nonce else {
        account(&app.store.read(&[Key::user(bearer.uid)]).await?)?;
        return Err(Error::ReauthenticationNeeded);
    };
    let deletion = Deletion {
        uid: bearer.uid,
        session: bearer.session_id,
        challenge: None,
        phone: None,
        guess,
    };
    let check = |user: &User, right: &Right<'_>| {
        let has_moved = user.phone.as_ref() != Some(right.phone());
        if has_moved || right.is_ended_by_password_of(user) {
            return Err(Error::CodeExpired { retry_after: None });
        }
        Ok(())
    };
    deletion.redeem(app, account, check, now).await
}

/// A deletion that is asked for.
struct Deletion<'a> {
    uid: Uid,
    session: SessionId,
    /// What the ticket names, where the dialect has tickets.
    challenge: Option<ChallengeId>,
    phone: Option<&'a Phone>,
    guess: &'a Guess,
}

impl Deletion<'_> {
    /// `account` is the account, if the session goes on. `check` refuses a right code that is not for the account as
    /// it is now.
    async fn redeem(
        &self,
        app: &Arc<App>,
        account: impl Fn(&Seen) -> Result<User, Error>,
        check: impl Fn(&User, &Right<'_>) -> Result<(), Error>,
        now: UnixMs,
    ) -> Result<(), Error> {
        let redemption = &Redemption {
            purpose: Purpose::Delete,
            key: &SlotKey::delete(self.uid),
            challenge: self.challenge,
            phone: self.phone,
            clients: vec![Client::KnownSession],
            guess: self.guess,
            hash: HashOnce::default(),
        };
        let keys = [Key::user(self.uid)];
        let allow = |seen: &Seen| Ok((Client::KnownSession, account(seen)?));
        let check = &check;
        redeem::redeem(
            app,
            redemption,
            &keys,
            now,
            allow,
            |right, user| async move {
                check(&user, &right)?;
                let by = Deleter::Owner(self.session, &right.spend);
                match app.store.delete_user(&user, by, now).await? {
                    ChangeOutcome::Done => Ok(Round::Won(())),
                    ChangeOutcome::Raced => Ok(Round::Lost),
                    ChangeOutcome::TooManyWrongCodes { retry_after } => {
                        right.refuse(app, retry_after).await
                    }
                }
            },
        )
        .await
    }
}
