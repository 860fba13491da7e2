//! Logging in, by SMS or by password.

use std::sync::Arc;

use futures_util::future::{join, join3};

use super::{
    client,
    redeem::{self, HashOnce, Redemption},
    send, session,
};
use crate::{
    app::App,
    config::limits::{WRONG_PASSWORDS, WRONG_PASSWORDS_OF_SOURCE},
    domain::{
        client::{Client, KnownAddresses},
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
        user::{Name, Uid, User},
    },
    random,
    store::{
        Key,
        attempts::{AttemptOutcome, Attempts, AttemptsFrom},
    },
};

/// Sends a login code to the account with this phone. Returns the ticket that goes with the code.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneUnknown`], [`Error::UserNotFound`],
/// [`Error::UserDisabled`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    requester: &Requester,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::login(phone);
    let target = |owner: Option<Uid>| owner.map(Some).ok_or(Error::PhoneUnknown);
    send::to_named(app, Purpose::Login, &key, phone, requester, target, now).await
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
    requester: &Requester,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let keys = &app.config.keys;
    let info = token::read_phone_info(keys, phone_info, Purpose::Login, now)?;
    let uid = info.uid.ok_or(Error::PhoneInfoInvalid)?;
    let redemption = &Redemption {
        purpose: Purpose::Login,
        key: &SlotKey::login(&info.phone),
        challenge: Some(info.challenge),
        phone: Some(&info.phone),
        clients: client::candidates(app, requester),
        guess,
        hash: HashOnce::default(),
    };
    let (keys, info) = (client::keys_at(uid, &info.phone, requester), &info);
    let user = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        |seen| client::at_phone(app, requester, seen, uid, &info.phone, now),
        |right, known| async move {
            let user = right.account(uid, info)?;
            let spent = app.store.spend(&right.spend).await?;
            Ok(spent.round(|| {
                let account = (uid, Some(&info.phone), &user.name);
                client::was_right(app, requester, account, &known, now);
                user
            }))
        },
    );
    session::start(app, user.await?, now)
}

/// Who logs in with a password: by the phone, or else by the name.
#[derive(Clone, Copy)]
pub struct Handle<'a> {
    /// What was presented, read as a phone.
    pub phone: Option<&'a Phone>,
    /// What was presented, read as a name.
    pub name: Option<&'a Name>,
}

/// Logs in with a phone or a name, and a password.
///
/// A login to an account that does not exist costs as much as any other: the same reads, the same counts,
/// a hash.
///
/// # Errors
/// [`Error::LoginRefused`], whatever was wrong; [`Error::Internal`].
pub async fn by_password(
    app: &Arc<App>,
    handle: Handle<'_>,
    password: &Password,
    requester: &Requester,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    // Counted before the password is verified: of a hundred attempts at once ten are verified.
    let pseudonym = app.config.keys.pseudonym(&handle.text());
    let from = AttemptsFrom::of(&requester.source, pseudonym);
    let count = app
        .store
        .count_attempt_from(&from, now, &WRONG_PASSWORDS_OF_SOURCE);
    let (counted, found) = join(count, handle.find(app, requester, now)).await;
    let (of_source, found) = (counted?, found?);
    if !found.client.is_known() {
        must_be_admitted(of_source)?;
    }
    let at = match found.uid {
        Some(uid) => Attempts::at(uid, found.client),
        None => Attempts::at_nobody(pseudonym),
    };
    // An account has a phone and a name. If a lock-out by one of them showed at the other, it would show
    // that both are one account's. So where users are hidden only the handle's own count shows.
    let hides = app.config.hide_unknown_users;
    let by_handle = hides.then(|| Attempts::by_handle(pseudonym, found.client));
    let count = app.store.count_attempt(&at, now, &[WRONG_PASSWORDS]);
    let count_handle = async {
        match &by_handle {
            Some(handle) => {
                let counted = app.store.count_attempt(handle, now, &[WRONG_PASSWORDS]);
                counted.await.map(Some)
            }
            None => Ok(None),
        }
    };
    // No account has the uid 0.
    let user = app.store.user(found.uid.unwrap_or(Uid(0)));
    let (counted, of_handle, user) = join3(count, count_handle, user).await;
    let (counted, of_handle) = (counted?, of_handle?);
    must_be_admitted(of_handle.unwrap_or(counted))?;
    let user = user?;
    let hash = user.as_ref().and_then(|user| user.password.as_ref());
    let is_right =
        app.config.password_hasher.verify(password, hash) && counted == AttemptOutcome::Done;
    let user = user.filter(|user| is_right && user.is_active());
    let user = user.ok_or(Error::LoginRefused { retry_after: None })?;
    let at = app.store.release_attempt(&at, now, &[WRONG_PASSWORDS]);
    let from = app
        .store
        .release_attempt_from(&from, now, &WRONG_PASSWORDS_OF_SOURCE);
    let by_handle = async {
        match &by_handle {
            Some(handle) => {
                let released = app.store.release_attempt(handle, now, &[WRONG_PASSWORDS]);
                released.await
            }
            None => Ok(()),
        }
    };
    let (at, from, by_handle) = join3(at, from, by_handle).await;
    at.and(from).and(by_handle)?;
    upgrade_hash(app, &user, password).await;
    let account = (user.uid, user.phone.as_ref(), &user.name);
    client::was_right(app, requester, account, &found.known, now);
    session::start(app, user, now)
}

fn must_be_admitted(counted: AttemptOutcome) -> Result<(), Error> {
    match counted {
        AttemptOutcome::Done => Ok(()),
        AttemptOutcome::TooMany { retry_after } => Err(Error::LoginRefused {
            retry_after: Some(retry_after),
        }),
    }
}

/// The account that a handle names, as far as its owner items tell.
struct Found {
    uid: Option<Uid>,
    known: KnownAddresses,
    client: Client,
}

impl Handle<'_> {
    async fn find(&self, app: &App, requester: &Requester, now: UnixMs) -> Result<Found, Error> {
        let phone = self.phone.map(Key::phone_owner);
        let name = self.name.map(Key::name_owner);
        let keys: Vec<Key> = [phone, name, client::keys(requester)]
            .into_iter()
            .flatten()
            .collect();
        let seen = &app.store.read(&keys).await?;
        let by_phone = match self.phone {
            Some(phone) => (seen.phone_owner(phone)?, seen.known_by_phone(phone)?),
            None => Default::default(),
        };
        let by_name = match self.name {
            Some(name) => (seen.name_owner(name)?, seen.known_by_name(name)?),
            None => Default::default(),
        };
        let (uid, known) = if by_phone.0.is_some() {
            by_phone
        } else {
            by_name
        };
        Ok(Found {
            uid,
            client: client::recognise(app, requester, seen, uid, &known, now)?,
            known,
        })
    }

    /// What attempts count under when no account matches.
    fn text(&self) -> String {
        match (self.phone, self.name) {
            (Some(phone), _) => phone.e164(),
            (None, Some(name)) => name.folded().to_owned(),
            (None, None) => String::new(),
        }
    }
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
