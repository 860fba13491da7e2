//! Moving the account that is logged in to another phone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    notice,
    race::Round,
    redeem::{self, HashOnce, Redemption},
    send::{self, Sending, Target},
    session::Presented,
};
use crate::{
    app::App,
    domain::{
        client::{Client, KnownAddresses},
        client_address::Source,
        code::Guess,
        error::Error,
        phone::Phone,
        purpose::Purpose,
        slot_key::SlotKey,
        time::UnixMs,
    },
    store::{Key, Seen, users::MoveOutcome},
};

/// Sends a code to the new phone.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneTaken`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    session: &Presented,
    to: &Phone,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let sending = Sending {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::change_phone(uid, to),
        keys: &[Key::user(uid), Key::phone_owner(to)],
        source,
        clients: vec![Client::Stranger],
        named: Some(to),
        mover: None,
        plan: None,
    };
    let target = |seen: &Seen| {
        session.user(seen)?;
        match seen.owner_by_phone(to)? {
            Some(_) => Err(Error::PhoneTaken),
            None => Ok(Target {
                phone: to.clone(),
                uid: Some(uid),
                // To the new number, every account is a stranger.
                client: Client::Stranger,
                kept_for: None,
                newcomer: None,
            }),
        }
    };
    let sent = send::send(app, &sending, target, now).await;
    session.note_use(app, now);
    sent.map(drop)
}

/// Redeems the code and moves the account. Sessions go on. What was issued for the old number is dead,
/// and the old number gets a notice.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::PhoneTaken`],
/// [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    session: &Presented,
    to: &Phone,
    guess: &Guess,
    source: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let redemption = &Redemption {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::change_phone(uid, to),
        challenge: None,
        phone: Some(to),
        clients: vec![Client::Stranger],
        guess,
        hash: HashOnce::default(),
    };
    let keys = [Key::user(uid), Key::phone_owner(to), Key::stop()];
    let allow = |seen: &_| Ok((Client::Stranger, session.user(seen)?));
    let has_looked_again = &AtomicBool::new(false);
    let moved = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, user| async move {
            match right.seen.owner_by_phone(to)? {
                None => {}
                // Items are read one by one, so this account's own move, which spent the code, can lie
                // between the slot and the phone. The next read shows the code as spent.
                Some(owner)
                    if owner.uid == uid && !has_looked_again.swap(true, Ordering::Relaxed) =>
                {
                    return Ok(Round::Lost);
                }
                Some(_) => return Err(Error::PhoneTaken),
            }
            let stop = right.seen.stop();
            let known = KnownAddresses::from_here(source, &app.config.keys, now);
            let moved = app
                .store
                .move_user(&user, session.id()?, to, &known, &right.spend, None);
            match moved.await? {
                MoveOutcome::Done => Ok(Round::Won((user.phone, stop))),
                MoveOutcome::Raced => Ok(Round::Lost),
                MoveOutcome::PhoneTaken => Err(Error::PhoneTaken),
            }
        },
    );
    let moved = moved.await;
    session.note_use(app, now);
    if let (Some(from), stop) = moved? {
        notice::was_left(app, from, stop, now);
    }
    Ok(())
}
