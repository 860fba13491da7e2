//! Logging in, by SMS or by password.

use std::sync::Arc;

use futures_util::future::join;

use super::{
    redeem::{self, HashOnce, Redemption, no_check},
    send, session,
};
use crate::{
    app::App,
    config::limits::WRONG_PASSWORDS,
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
    store::{Key, attempts::AttemptOutcome},
};

/// Sends a login code to the account with this phone. Returns the ticket that goes with the code.
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

/// Redeems a login code and starts a session.
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
    let keys = &app.config.keys;
    let info = token::read_phone_info(keys, phone_info, Purpose::Login, now)?;
    let uid = info.uid.ok_or(Error::PhoneInfoInvalid)?;
    let redemption = &Redemption {
        purpose: Purpose::Login,
        key: &SlotKey::login(&info.phone),
        challenge: Some(info.challenge),
        guess,
        hash: HashOnce::default(),
    };
    let (keys, info) = ([Key::user(uid)], &info);
    let user = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        no_check,
        |right, ()| async move {
            let user = right.account(uid, info)?;
            Ok(app.store.move_slot(&right.spend).await?.round(|| user))
        },
    );
    session::start(app, user.await?, now)
}

/// Logs in with a phone or a name, and a password.
///
/// A login to an account that does not exist costs as much as any other: the same reads, a count, a
/// hash.
///
/// # Errors
/// [`Error::LoginRefused`], whatever was wrong; [`Error::Internal`].
pub async fn by_password(
    app: &App,
    phone: Option<&Phone>,
    name: Option<&Name>,
    password: &Password,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let uid = owner(app, phone, name).await?;
    let owner = match uid {
        Some(uid) => uid.0.to_string(),
        None => stand_in(app, phone, name),
    };
    // Counted before the password is verified: of a hundred attempts at once ten are verified.
    let count = app.store.count_attempt(&owner, now, WRONG_PASSWORDS);
    // No account has the uid 0.
    let user = app.store.user(uid.unwrap_or(Uid(0)));
    let (counted, user) = join(count, user).await;
    if let AttemptOutcome::TooMany { retry_after } = counted? {
        let retry_after = Some(retry_after);
        return Err(Error::LoginRefused { retry_after });
    }
    let user = user?;
    let hash = user.as_ref().and_then(|user| user.password.as_ref());
    let is_right = app.config.password_hasher.verify(password, hash);
    let user = user.filter(|user| is_right && user.is_active());
    let user = user.ok_or(Error::LoginRefused { retry_after: None })?;
    let released = app.store.release_attempt(&owner, now, WRONG_PASSWORDS);
    released.await?;
    upgrade_hash(app, &user, password).await;
    session::start(app, user, now)
}

/// The account with this phone, or else with this name.
async fn owner(
    app: &App,
    phone: Option<&Phone>,
    name: Option<&Name>,
) -> Result<Option<Uid>, Error> {
    let phone_key = phone.map(Key::phone_owner);
    let keys: Vec<Key> = phone_key
        .into_iter()
        .chain(name.map(Key::name_owner))
        .collect();
    let seen = app.store.read(&keys).await?;
    let by_phone = phone.map(|phone| seen.phone_owner(phone)).transpose()?;
    let by_name = name.map(|name| seen.name_owner(name)).transpose()?;
    Ok(by_phone.flatten().or(by_name.flatten()))
}

/// The owner that attempts count under when no account matches: one per phone or name, never a uid.
fn stand_in(app: &App, phone: Option<&Phone>, name: Option<&Name>) -> String {
    let asked_for = match (phone, name) {
        (Some(phone), _) => phone.e164(),
        (None, Some(name)) => name.folded(),
        (None, None) => String::new(),
    };
    format!("nobody-{}", app.config.keys.pseudonym(&asked_for))
}

/// Replaces an outdated hash, now that the password is known. A failure is logged: it is no reason to
/// refuse the login.
async fn upgrade_hash(app: &App, user: &User, password: &Password) {
    let Some(old) = &user.password else { return };
    if !app.config.password_hasher.is_outdated(old) {
        return;
    }
    let upgraded = async {
        let new = app
            .config
            .password_hasher
            .hash(password, random::bytes()?)?;
        app.store.upgrade_hash(user.uid, old, &new).await
    };
    if let Err(failure) = upgraded.await {
        tracing::warn!(?failure, "an outdated password hash stays");
    }
}
