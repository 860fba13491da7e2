//! Moving an account to another phone, where the code comes without a token of the account (dialect D).
//!
//! The code's slot says which account moves, and from where that was asked for: one digit mistyped must not hand
//! the account to whoever has the number. The account says which phone it moves to, and in which session that was
//! asked for: the change ends with the session, with a new password, and with the next change.

use std::sync::Arc;

use super::{
    access_token::{self, Grant},
    hiding::stand_in,
    notice,
    race::Round,
    redeem::{self, HashOnce, Redemption, Right},
    send::{self, Sending, Target},
    session,
};
use crate::{
    app::App,
    domain::{
        access_token::Bearer,
        client::{Client, KnownAddresses},
        client_address::Source,
        code::Guess,
        error::Error,
        phone::Phone,
        purpose::Purpose,
        session::Method,
        slot::Mover,
        slot_key::SlotKey,
        stop::Stop,
        time::UnixMs,
        user::{Moving, User},
    },
    store::{Key, Seen, users::MoveOutcome},
};

/// Sends a code to the new phone. Returns the change as the account is to note it.
///
/// # Errors
/// [`Error::UserNotFound`] if the session is over; [`Error::UserDisabled`], [`Error::PhoneTaken`],
/// [`Error::CountryNotServed`], [`Error::LoginOff`], [`Error::Sms`], [`Error::TooFrequent`],
/// [`Error::Internal`].
pub(super) async fn send(
    app: &Arc<App>,
    bearer: &Bearer,
    to: &Phone,
    source: &Source,
    now: UnixMs,
) -> Result<Moving, Error> {
    let mover = Mover {
        uid: bearer.uid,
        source: source.clone(),
    };
    let allowed = |seen: &Seen| access_token::account(bearer, seen).map(drop);
    let keys = [Key::user(bearer.uid)];
    let until = send_to(app, (&mover, to), &keys, source, allowed, now).await?;
    Ok(Moving {
        to: to.clone(),
        session: bearer.session_id,
        sent: now,
        until,
    })
}

/// Sends a code to `to`, which must be free, if this is `allowed`. Returns when the code expires.
async fn send_to(
    app: &Arc<App>,
    (mover, to): (&Mover, &Phone),
    keys: &[Key],
    source: &Source,
    allowed: impl Fn(&Seen) -> Result<(), Error>,
    now: UnixMs,
) -> Result<UnixMs, Error> {
    let keys = [keys, &[Key::phone_owner(to)]].concat();
    let sending = Sending {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::move_to(to),
        keys: &keys,
        source,
        clients: vec![Client::Stranger],
        named: Some(to),
        mover: Some(mover),
        plan: None,
    };
    let target = |seen: &Seen| {
        allowed(seen)?;
        if seen.owner_by_phone(to)?.is_some() {
            return Err(Error::PhoneTaken);
        }
        Ok(Target {
            phone: to.clone(),
            uid: Some(mover.uid),
            // To the new number, every account is a stranger.
            client: Client::Stranger,
            kept_for: None,
            newcomer: None,
        })
    };
    let sent = send::send(app, &sending, target, now).await?;
    Ok(sent.valid_until)
}

/// Sends the code of an open change again. `phone` is the new phone, or the account's present one.
///
/// # Errors
/// [`Error::CodeExpired`] if no change is open; [`Error::PhoneTaken`], [`Error::CountryNotServed`],
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn resend(
    app: &Arc<App>,
    phone: &Phone,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let expired = || Error::CodeExpired { retry_after: None };
    let key = SlotKey::move_to(phone);
    let keys = [Key::slot(&key), Key::phone_owner(phone)];
    let seen = app.store.read(&keys).await?;
    let owner = seen.owner_by_phone(phone)?;
    let uid = match (open_mover(&seen, &key, now)?, owner) {
        (Some(mover), _) => mover.uid,
        (None, Some(owner)) => owner.uid,
        // An account is read for every number.
        (None, None) if app.config.hide_unknown_users => stand_in(phone, &app.config.keys),
        (None, None) => return Err(expired()),
    };
    let user = app.store.user(uid).await?;
    let moving = user.as_ref().and_then(User::open_move);
    let moving = moving.ok_or_else(expired)?;
    let (to, key) = (&moving.to, SlotKey::move_to(&moving.to));
    let mover_of = |seen: &Seen| {
        let mover = open_mover(seen, &key, now)?;
        mover.filter(|mover| mover.uid == uid).ok_or_else(expired)
    };
    let seen = if to == phone {
        seen
    } else {
        app.store.read(&[Key::slot(&key)]).await?
    };
    let mover = mover_of(&seen)?;
    let allowed = |seen: &Seen| mover_of(seen).map(drop);
    let until = send_to(app, (&mover, to), &[], source, allowed, now).await?;
    let resent = Moving {
        sent: now,
        until,
        ..moving.clone()
    };
    let read = moving.clone();
    app.defer(async move |app| {
        if let Err(failure) = app.store.note_resent(uid, &read, &resent).await {
            tracing::warn!(?failure, "an account shows an older send of its open move");
        }
    });
    Ok(())
}

/// Who moves to a phone, while the code for it, or a decoy's, is open.
fn open_mover(seen: &Seen, key: &SlotKey, now: UnixMs) -> Result<Option<Mover>, Error> {
    let slot = seen.slot(key)?.slot;
    let mut current = slot.challenge.into_iter().chain(slot.decoy);
    let open = current.find(|challenge| challenge.is_open(now));
    Ok(open.and_then(|challenge| challenge.mover))
}

/// A code that moves an account.
pub struct Redeemed<'a> {
    /// The new phone.
    pub to: &'a Phone,
    /// The code.
    pub guess: &'a Guess,
    /// Where it is presented.
    pub source: &'a Source,
    /// Who presents it, if a token says so.
    pub bearer: Option<Bearer>,
}

/// Redeems a code: moves the account, and starts a session of it. Its others go on, and the old number gets a
/// notice. The code is taken in a session of the account, and from where it was asked for.
///
/// # Errors
/// [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::UserDisabled`], [`Error::PhoneTaken`],
/// [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    issuer: &str,
    redeemed: &Redeemed<'_>,
    now: UnixMs,
) -> Result<Grant, Error> {
    let Redeemed { to, guess, .. } = *redeemed;
    let redemption = &Redemption {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::move_to(to),
        challenge: None,
        phone: Some(to),
        clients: vec![Client::Stranger],
        guess,
        hash: HashOnce::default(),
    };
    let keys = [Key::phone_owner(to), Key::stop()];
    let allow = |seen: &Seen| {
        let mover = open_mover(seen, redemption.key, now)?;
        let mover = mover.filter(|mover| redeemed.may_be_of(mover));
        let mover = mover.ok_or(Error::CodeExpired { retry_after: None })?;
        Ok((Client::Stranger, mover))
    };
    let moved = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, mover| async move { move_there(app, issuer, redeemed, &right, &mover, now).await },
    );
    let (granted, from, stop) = moved.await?;
    if let Some(from) = from {
        notice::was_left(app, from, stop, now);
    }
    Ok(granted)
}

impl Redeemed<'_> {
    fn is_from_there(&self, mover: &Mover) -> bool {
        *self.source == mover.source
    }

    /// Whether the code may be the account's, as far as that is known before the account is read.
    fn may_be_of(&self, mover: &Mover) -> bool {
        let bearer = self.bearer.as_ref();
        self.is_from_there(mover) || bearer.is_some_and(|bearer| bearer.uid == mover.uid)
    }

    fn is_of(&self, mover: &Mover, user: &User) -> bool {
        let bearer = self.bearer.as_ref();
        self.is_from_there(mover) || bearer.is_some_and(|bearer| access_token::is_of(bearer, user))
    }
}

async fn move_there(
    app: &Arc<App>,
    issuer: &str,
    redeemed: &Redeemed<'_>,
    right: &Right<'_>,
    mover: &Mover,
    now: UnixMs,
) -> Result<Round<(Grant, Option<Phone>, Stop)>, Error> {
    let to = redeemed.to;
    let owner = right.seen.owner_by_phone(to)?;
    if owner.is_some_and(|owner| owner.uid != mover.uid) {
        return Err(Error::PhoneTaken);
    }
    let user = app.store.user(mover.uid).await?;
    let user = user.filter(|user| redeemed.is_of(mover, user));
    let moving = user.as_ref().and_then(User::open_move);
    let moving = moving.filter(|moving| moving.to == *to);
    let (Some(user), Some(asked_in)) = (&user, moving.map(|moving| moving.session)) else {
        return Err(Error::CodeExpired { retry_after: None });
    };
    if !user.is_active() {
        return Err(Error::UserDisabled);
    }
    let start = session::beginning_beside(Some(asked_in), user, Method::Otp, now)?;
    let moved = User {
        phone: Some(to.clone()),
        moved_at: Some(now),
        moving: None,
        ..user.clone()
    };
    let granted = access_token::grant(app, issuer, moved, (start.id, &start.held), now).await?;
    let known = KnownAddresses::from_here(redeemed.source, &app.config.keys, now);
    let written = app
        .store
        .move_user(user, asked_in, to, &known, &right.spend, Some(&start));
    match written.await? {
        MoveOutcome::Done => Ok(Round::Won((granted, user.phone.clone(), right.seen.stop()))),
        MoveOutcome::Raced => Ok(Round::Lost),
        MoveOutcome::PhoneTaken => Err(Error::PhoneTaken),
    }
}
