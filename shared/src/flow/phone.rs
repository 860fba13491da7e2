//! Moving an account to another phone.

use crate::{
    app::App,
    code::Guess,
    error::Error,
    metrics,
    phone::Phone,
    purpose::{Purpose, SlotKey},
    store::{Key, Moved},
    time::UnixMs,
    user::Uid,
};

use super::{
    challenge::{self, Race, Redemption, Sending, Target},
    session::Presented,
};

/// Sends a code to the phone that the logged-in account shall move to.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneTaken`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(app: &App, session: &Presented, to: &Phone, now: UnixMs) -> Result<(), Error> {
    let uid = session.uid()?;
    let sending = Sending {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::change_phone(uid, to),
        keys: &[Key::User(uid), Key::PhoneOwner(to)],
    };
    let target = |seen: &_| {
        session.user(seen)?;
        match seen.phone_owner(to)? {
            Some(_) => Err(Error::PhoneTaken),
            None => Ok(Target {
                phone: to.clone(),
                uid: Some(uid),
            }),
        }
    };
    challenge::send(app, sending, target, now).await.map(drop)
}

/// Takes the code and moves the account. Sessions go on; what was issued for the old number is dead,
/// and the old number is told.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::PhoneTaken`],
/// [`Error::Internal`].
pub async fn redeem(
    app: &App,
    session: &Presented,
    to: &Phone,
    guess: &Guess,
    now: UnixMs,
) -> Result<(), Error> {
    let uid: Uid = session.uid()?;
    let key = SlotKey::change_phone(uid, to);
    let redemption = Redemption {
        purpose: Purpose::ChangePhone,
        key: &key,
        id: None,
        guess,
    };
    let keys = [Key::User(uid), Key::PhoneOwner(to), Key::Slot(&key)];
    let mut race = Race::default();
    let from = loop {
        let seen = app.store.read(&keys).await?;
        let user = session.user(&seen)?;
        let Some(right) = challenge::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        if seen.phone_owner(to)?.is_some() {
            return Err(Error::PhoneTaken);
        }
        match app.store.move_user(&user, to, &right.spend).await? {
            Moved::Done => break user.phone,
            Moved::Raced => race.lost().await,
            Moved::PhoneTaken => return Err(Error::PhoneTaken),
        }
    };
    if let Some(from) = from {
        tell(app, &from).await;
    }
    Ok(())
}

/// Tells the old number. It cannot undo the move, so a failure is only logged.
async fn tell(app: &App, from: &Phone) {
    if !app.sms_config.notify_old_number {
        return;
    }
    let told = match app.sms_config.plan_moved(from) {
        Ok(plan) => app.sms.send_notice(&plan, from).await.map_err(|not_sent| {
            metrics::send_failed(not_sent.failure);
            not_sent.reason
        }),
        Err(error) => Err(format!("{error:?}")),
    };
    match told {
        Ok(()) => metrics::notice_sent(),
        Err(reason) => tracing::warn!(phone = %from, reason, "old number not told"),
    }
}
