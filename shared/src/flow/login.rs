//! Logging in, by SMS or by password.

use std::{sync::Arc, time::Duration};

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
        token::{self, Session, Token},
        user::{Name, Uid, User},
        window::Limit,
    },
    random,
    store::{Attempt, Key, Outcome},
};

use super::{
    race::Race,
    redeem::{self, Redemption},
    send,
};

/// Sends a login code to the account with this phone, and gives the ticket that goes with it.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneUnknown`], [`Error::UserNotFound`],
/// [`Error::UserDisabled`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    from: &Source,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::login(phone);
    let target = |owner: Option<Uid>| owner.map(Some).ok_or(Error::PhoneUnknown);
    send::to_named(app, Purpose::Login, &key, phone, from, target, now).await
}

/// Takes a login code and starts a session.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`],
/// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::PhoneMismatch`], [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    phone_info: &str,
    guess: &Guess,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let info = token::read_phone_info(&app.keys, phone_info, Purpose::Login, now)?;
    let uid = info.uid.ok_or(Error::PhoneInfoInvalid)?;
    let key = SlotKey::login(&info.phone);
    let redemption = Redemption {
        purpose: Purpose::Login,
        key: &key,
        id: Some(info.challenge),
        guess,
    };
    let mut race = Race::default();
    loop {
        let seen = app.store.read(&[Key::User(uid), Key::Slot(&key)]).await?;
        let Some(right) = redeem::judge(app, &redemption, &seen, &mut race, now).await? else {
            continue;
        };
        let user = seen.user(uid)?.ok_or(Error::UserNotFound)?;
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        if user.phone.as_ref() != Some(&info.phone) {
            return Err(Error::PhoneMismatch);
        }
        match app.store.move_slot(&right.spend).await? {
            Outcome::Done => {
                right.was_used(app, now);
                return start_session(app, user, now);
            }
            Outcome::Raced => race.lost().await,
        }
    }
}

/// Starts a session.
///
/// # Errors
/// [`Error::Internal`] when the ring cannot sign, which its construction rules out.
pub(super) fn start_session(app: &App, user: User, now: UnixMs) -> Result<(User, Token), Error> {
    let session = Session {
        uid: user.uid,
        epoch: user.epoch,
    };
    let token = token::session(&app.keys, session, now)?;
    Ok((user, token))
}

/// Wrong passwords per account: then passwords are not even looked at, and SMS is the way in.
pub const PASSWORD_FAILURES: Limit = Limit {
    events: 10,
    span: Duration::from_secs(24 * 60 * 60),
};

/// Logs in with a phone or a name, and a password.
///
/// An account that is not there costs what one that is there costs: the same reads, a count of its
/// own, a hash.
///
/// # Errors
/// [`Error::LoginRefused`], whichever of the two was wrong; [`Error::Internal`].
pub async fn by_password(
    app: &App,
    phone: Option<&Phone>,
    name: Option<&Name>,
    password: &Password,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let keys = phone
        .map(Key::PhoneOwner)
        .into_iter()
        .chain(name.map(Key::NameOwner));
    let keys: Vec<Key<'_>> = keys.collect();
    let seen = app.store.read(&keys).await?;
    let by_phone = phone
        .map(|phone| seen.phone_owner(phone))
        .transpose()?
        .flatten();
    let by_name = name
        .map(|name| seen.name_owner(name))
        .transpose()?
        .flatten();
    let uid = by_phone.or(by_name);
    // No account has the number 0, so what is asked for by a name nobody has is counted under a
    // stand-in that is just as stable.
    let whose = match (uid, phone, name) {
        (Some(uid), ..) => uid.0.to_string(),
        (None, Some(phone), _) => format!("nobody-{}", app.keys.pseudonym(&phone.e164())),
        (None, None, name) => {
            let name = name.map(Name::folded).unwrap_or_default();
            format!("nobody-{}", app.keys.pseudonym(&name))
        }
    };
    // Counted before the password is looked at: a hundred at once get ten looks.
    let count = app.store.count_attempt(&whose, now, &PASSWORD_FAILURES);
    let user = app.store.user(uid.unwrap_or(Uid(0)));
    let (count, user) = futures_util::future::join(count, user).await;
    if let Attempt::TooMany { retry_after } = count? {
        let retry_after = Some(retry_after);
        return Err(Error::LoginRefused { retry_after });
    }
    let user = user?;
    let hash = user.as_ref().and_then(|user| user.password.as_ref());
    let is_right = app.password_hasher.verify(password, hash);
    let user = user.filter(|user| is_right && user.is_active());
    let user = user.ok_or(Error::LoginRefused { retry_after: None })?;
    app.store
        .uncount_attempt(&whose, now, &PASSWORD_FAILURES)
        .await?;
    upgrade_hash(app, &user, password).await;
    start_session(app, user, now)
}

/// Makes an outdated hash anew, now that the password is at hand. It is no reason to refuse a login.
async fn upgrade_hash(app: &App, user: &User, password: &Password) {
    let Some(old) = &user.password else { return };
    if !app.password_hasher.is_outdated(old) {
        return;
    }
    let hash = random::bytes().and_then(|salt| app.password_hasher.hash(password, salt));
    let upgraded = match hash {
        Ok(new) => app.store.upgrade_hash(user.uid, old, &new).await,
        Err(error) => Err(error),
    };
    if let Err(failure) = upgraded {
        tracing::warn!(?failure, "an outdated password hash stays");
    }
}
