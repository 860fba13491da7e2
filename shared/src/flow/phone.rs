//! Moving an account to another phone.

use std::sync::Arc;

use crate::{
    app::App,
    domain::{
        client_address::Source, code::Guess, error::Error, phone::Phone, purpose::Purpose,
        slot_key::SlotKey, time::UnixMs, user::Uid,
    },
    store::{Key, Moved},
    telemetry::metrics,
};

use super::{
    budget,
    race::Race,
    redeem::{self, Redemption},
    send::{self, Sending, Target},
    session::Presented,
};

/// Sends a code to the phone that the logged-in account shall move to.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::PhoneTaken`], [`Error::LoginOff`], [`Error::Sms`],
/// [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    session: &Presented,
    to: &Phone,
    from: &Source,
    now: UnixMs,
) -> Result<(), Error> {
    let uid = session.uid()?;
    let sending = Sending {
        purpose: Purpose::ChangePhone,
        key: &SlotKey::change_phone(uid, to),
        keys: &[Key::User(uid), Key::PhoneOwner(to)],
        from,
        claimed: Some(to),
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
    send::send(app, sending, target, now).await.map(drop)
}

/// Takes the code and moves the account. Sessions go on; what was issued for the old number is dead,
/// and the old number is told.
///
/// # Errors
/// Those of [`Presented::user`]; [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::PhoneTaken`],
/// [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
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
    let mut looked_again = false;
    let from = loop {
        let seen = app.store.read(&keys).await?;
        let user = session.user(&seen)?;
        let Some(right) = redeem::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        match seen.phone_owner(to)? {
            None => {}
            // Items are read one by one: the move that spent this code came between. Looked at again,
            // it is spent.
            Some(owner) if owner == uid && !looked_again => {
                looked_again = true;
                continue;
            }
            Some(_) => return Err(Error::PhoneTaken),
        }
        match app.store.move_user(&user, to, &right.spend).await? {
            Moved::Done => {
                right.was_used(app, now);
                break user.phone;
            }
            Moved::Raced => race.lost().await,
            Moved::PhoneTaken => return Err(Error::PhoneTaken),
        }
    };
    if let Some(from) = from
        && app.sms_config.notify_old_number
    {
        app.after_answer(|app| tell(app, from, now));
    }
    Ok(())
}

/// Tells the old number, after the answer. It cannot undo the move, so a failure is only logged.
async fn tell(app: Arc<App>, from: Phone, now: UnixMs) {
    match notify(&app, &from, now).await {
        Ok(()) => metrics::notice_sent(),
        Err(reason) => tracing::warn!(phone = %from, reason, "old number not told"),
    }
}

async fn notify(app: &App, from: &Phone, now: UnixMs) -> Result<(), String> {
    if app.test_numbers.code_of(from, now).is_some() {
        return Err("test number".to_owned());
    }
    let charge = app.budget.charge(from.country(), 0);
    let plan = app.sms_config.plan_moved(from);
    let plan = plan.map_err(|error| format!("{error:?}"))?;
    let shard = budget::any_shard(app, now);
    let shard = budget::reserve(app, shard, &charge, now).await;
    let shard = shard.map_err(|error| format!("{error:?}"))?;
    let Err(not_sent) = app.sms.send_notice(&plan, from).await else {
        return Ok(());
    };
    metrics::send_failed(not_sent.failure);
    if !not_sent.may_have_gone_out {
        budget::release(app, shard, &charge).await;
    }
    Err(not_sent.reason)
}
