//! Changing a forgotten password by SMS, the account named by its name, in three steps: a code, a
//! reset token for the code, a new password for the token.

use std::sync::Arc;

use super::{
    client,
    hiding::Hiding,
    new_password,
    race::{Round, until_won},
    redeem::{self, HashOnce, Redemption},
    send::{self, Sending, Target},
};
use crate::{
    app::App,
    domain::{
        client_address::Source,
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        slot_key::SlotKey,
        time::UnixMs,
        token::{RESET_LIFE, ResetHash, Token},
        user::Name,
    },
    random,
    store::{
        Key, Seen,
        owners::Owner,
        resets::{IssueOutcome, Reset, ResetOutcome},
    },
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
    requester: &Requester,
    now: UnixMs,
) -> Result<(), Error> {
    let owners = [Key::name_owner(name), Key::phone_owner(phone)];
    let keys: Vec<Key> = owners
        .into_iter()
        .chain(client::session_key(requester))
        .collect();
    let sending = Sending {
        purpose: Purpose::Recover,
        key: &SlotKey::recover(name),
        keys: &keys,
        source: &requester.source,
        clients: client::candidates(app, requester),
        named: Some(phone),
        mover: None,
        plan: Some(send::plan(app, Purpose::Recover, phone)?),
    };
    let target = |seen: &Seen| {
        let by_name = seen.owner_by_name(name)?.ok_or(Error::UserNotFound)?;
        let owner = seen.owner_by_phone(phone)?;
        let owner = owner.filter(|owner| owner.uid == by_name.uid);
        let owner = owner.ok_or(Error::PhoneMismatch)?;
        Target::of_owner(app, requester, seen, phone, Some(&owner), now)
    };
    match send::send(app, &sending, target, now).await {
        Ok(_) => Ok(()),
        Err(Error::PhoneMismatch) => Err(why_mismatch(app, name).await?),
        Err(error) => Err(error),
    }
}

/// The error for an account whose phone is not the given one.
async fn why_mismatch(app: &App, name: &Name) -> Result<Error, Error> {
    let seen = app.store.read(&[Key::name_owner(name)]).await?;
    let user = match seen.owner_by_name(name)? {
        Some(owner) => app.store.user(owner.uid).await?,
        None => None,
    };
    Ok(match user {
        None => Error::UserNotFound,
        Some(user) if !user.is_active() => Error::UserDisabled,
        Some(user) if user.phone.is_none() => Error::NoPhone,
        Some(_) => Error::PhoneMismatch,
    })
}

/// Redeems a code for a reset token.
///
/// # Errors
/// [`Error::CodeExpired`], for an unknown name too; [`Error::CodeWrong`], [`Error::UserDisabled`],
/// [`Error::Internal`].
pub async fn verify(
    app: &Arc<App>,
    name: &Name,
    guess: &Guess,
    requester: &Requester,
    now: UnixMs,
) -> Result<Token, Error> {
    let redemption = &Redemption {
        purpose: Purpose::Recover,
        key: &SlotKey::recover(name),
        challenge: None,
        phone: None,
        clients: Vec::new(),
        guess,
        hash: HashOnce::default(),
    };
    let expired = &Error::CodeExpired { retry_after: None };
    let keys: Vec<Key> = [Key::name_owner(name)]
        .into_iter()
        .chain(client::session_key(requester))
        .collect();
    let allow = |seen: &Seen| {
        let owner = owner(app, seen, name, expired)?;
        let client = client::recognise(app, requester, seen, owner.as_ref(), now)?;
        Ok((client, owner))
    };
    redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, owner| async move {
            let owner = owner.ok_or(expired.clone())?;
            let token = Token::reset(random::bytes()?);
            let reset = Reset {
                uid: owner.uid,
                phone: right.phone().clone(),
                issued_at: now,
                expires_at: now.plus(RESET_LIFE),
                spent: false,
            };
            let hash = ResetHash::of(token.as_str());
            match app.store.issue_reset(&hash, &reset, &right.spend).await? {
                IssueOutcome::Done => {
                    let account = (reset.uid, Some(&reset.phone), name);
                    client::was_right(app, requester, account, &owner.known, now);
                    Ok(Round::Won(token))
                }
                IssueOutcome::Raced => Ok(Round::Lost),
                IssueOutcome::TooMany { retry_after } => right.refuse(app, retry_after).await,
                IssueOutcome::Unreachable => {
                    Err(why_unreachable(app, &reset, expired.clone()).await?)
                }
            }
        },
    )
    .await
}

/// Redeems a reset token: sets the password. Every session ends.
///
/// # Errors
/// [`Error::ResetTokenExpired`], for an unknown name too; [`Error::ResetTokenInvalid`],
/// [`Error::UserDisabled`], [`Error::Internal`].
pub async fn change(
    app: &Arc<App>,
    name: &Name,
    token: &str,
    new: &Password,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let token = &ResetHash::of(token);
    let expired = &Error::ResetTokenExpired;
    let keys = [Key::name_owner(name), Key::reset(token)];
    let hash = &HashOnce::default();
    until_won(&app.store, &keys, |seen| async move {
        let uid = owner(app, &seen, name, expired)?.map(|owner| owner.uid);
        let reset = seen.reset(token)?.filter(|reset| Some(reset.uid) == uid);
        let reset = reset.ok_or(Error::ResetTokenInvalid)?;
        if reset.spent || reset.expires_at <= now {
            return Err(expired.clone());
        }
        let hash = hash.of(app, new)?;
        match app.store.redeem_reset(token, &reset, hash, now).await? {
            ResetOutcome::Done => {
                let account = (reset.uid, Some(&reset.phone), name);
                new_password::was_set(app, account, source);
                Ok(Round::Won(()))
            }
            ResetOutcome::Raced => Ok(Round::Lost),
            ResetOutcome::Unreachable => Err(why_unreachable(app, &reset, expired.clone()).await?),
        }
    })
    .await
}

/// The account with this name. A name without one is refused with `unknown`, or, where users are
/// hidden, evaluated to the end like any other.
fn owner(app: &App, seen: &Seen, name: &Name, unknown: &Error) -> Result<Option<Owner>, Error> {
    let owner = seen.owner_by_name(name)?;
    let hiding = Hiding::new(app.config.hide_unknown_users, Purpose::Recover);
    if owner.is_none() && !hiding.is_on() {
        return Err(unknown.clone());
    }
    Ok(owner)
}

/// The error for an account that is disabled, or else no longer at the phone the code was sent to.
async fn why_unreachable(app: &App, reset: &Reset, otherwise: Error) -> Result<Error, Error> {
    Ok(match app.store.user(reset.uid).await? {
        Some(user) if !user.is_active() => Error::UserDisabled,
        _ => otherwise,
    })
}
