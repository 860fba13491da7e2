//! Logging in, by SMS or by password.

use std::sync::Arc;

use futures_util::future::{join, join_all, join3};

use super::{
    client,
    redeem::{self, HashOnce, Redemption},
    send, session,
};
use crate::{
    app::App,
    config::limits::{WRONG_PASSWORDS, WRONG_PASSWORDS_OF_SOURCE},
    domain::{
        client::Client,
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        session::Method,
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
        user::{Name, Uid, User},
    },
    random,
    store::{
        Key,
        attempts::{AttemptOutcome, Attempts, AttemptsFrom},
        owners::Owner,
        start::Start,
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
    let target = |owner: Option<Owner>| owner.map(Some).ok_or(Error::PhoneUnknown);
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
    let logged_in = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        |seen| client::at_phone(app, requester, seen, uid, &info.phone, now),
        |right, known| async move {
            let user = right.account(uid, info)?;
            let start = session::beginning(&user, Method::Otp, now)?;
            let token = session::token(app, &start, &user.name, now)?;
            let logged_in = app.store.log_in(&start, &right.spend).await?;
            Ok(logged_in.round(|| {
                let account = (uid, Some(&info.phone), &user.name);
                client::was_right(app, requester, account, &known, now);
                (user, token)
            }))
        },
    );
    logged_in.await
}

/// Who logs in with a password: by the phone, or else by the name.
#[derive(Clone, Copy)]
pub struct Handle<'a> {
    /// What was presented, read as a phone.
    pub phone: Option<&'a Phone>,
    /// What was presented, read as a name.
    pub name: Option<&'a Name>,
}

/// Logs in with a phone or a name, and a password. Returns the session that it starts.
///
/// A login to an account that does not exist costs as much as any other: the same reads, the same counts,
/// a hash.
///
/// # Errors
/// [`Error::LoginRefused`], whatever was wrong; [`Error::UserDisabled`], if nothing was; [`Error::Internal`].
pub async fn by_password(
    app: &Arc<App>,
    handle: Handle<'_>,
    password: &Password,
    requester: &Requester,
    now: UnixMs,
) -> Result<(User, Start), Error> {
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
    let mut counts = vec![match &found.owner {
        Some(owner) => Attempts::at(owner.uid, found.client),
        None => Attempts::at_nobody(pseudonym),
    }];
    if app.config.hide_unknown_users {
        counts.push(Attempts::by_handle(pseudonym, found.client));
    }
    let counted = counts.iter().map(|attempts| {
        let limits = &[WRONG_PASSWORDS];
        app.store.count_attempt(attempts, now, limits)
    });
    // No account has the uid 0.
    let uid = found.owner.as_ref().map_or(Uid(0), |owner| owner.uid);
    let user = app.store.user(uid);
    let (counted, user) = join(join_all(counted), user).await;
    let counted: Vec<AttemptOutcome> = counted.into_iter().collect::<Result<_, _>>()?;
    // An account has a phone and a name. If a lock-out by one of them showed at the other, it would show
    // that both are one account's. So where users are hidden only the handle's own count shows: the last.
    if let Some(shown) = counted.last() {
        must_be_admitted(*shown)?;
    }
    let is_admitted = counted.iter().all(|of| *of == AttemptOutcome::Done);
    let user = user?;
    let hash = user.as_ref().and_then(|user| user.password.as_ref());
    let is_right = app.config.password_hasher.verify(password, hash) && is_admitted;
    let refused = Error::LoginRefused { retry_after: None };
    let user = user.filter(|_| is_right).ok_or(refused.clone())?;
    if !user.is_active() {
        return Err(Error::UserDisabled);
    }
    let released = counts.iter().map(|attempts| {
        let limits = &[WRONG_PASSWORDS];
        app.store.release_attempt(attempts, now, limits)
    });
    let from = app
        .store
        .release_attempt_from(&from, now, &WRONG_PASSWORDS_OF_SOURCE);
    let started = session::start(app, &user, now);
    let (released, from, started) = join3(join_all(released), from, started).await;
    released
        .into_iter()
        .chain([from])
        .collect::<Result<(), _>>()?;
    upgrade_hash(app, &user, password).await;
    let account = (user.uid, user.phone.as_ref(), &user.name);
    let known = found.owner.map(|owner| owner.known).unwrap_or_default();
    client::was_right(app, requester, account, &known, now);
    Ok((user, started?.ok_or(refused)?))
}

fn must_be_admitted(counted: AttemptOutcome) -> Result<(), Error> {
    match counted {
        AttemptOutcome::Done => Ok(()),
        AttemptOutcome::TooMany { retry_after } => Err(Error::LoginRefused {
            retry_after: Some(retry_after),
        }),
    }
}

/// The account that a handle names, and who asks for it.
struct Found {
    owner: Option<Owner>,
    client: Client,
}

impl Handle<'_> {
    async fn find(&self, app: &App, requester: &Requester, now: UnixMs) -> Result<Found, Error> {
        let phone = self.phone.map(Key::phone_owner);
        let name = self.name.map(Key::name_owner);
        let keys: Vec<Key> = [phone, name, client::session_key(requester)]
            .into_iter()
            .flatten()
            .collect();
        let seen = &app.store.read(&keys).await?;
        let by_phone = self.phone.map(|phone| seen.owner_by_phone(phone));
        let by_name = self.name.map(|name| seen.owner_by_name(name));
        let (by_phone, by_name) = (by_phone.transpose()?, by_name.transpose()?);
        let owner = by_phone.flatten().or(by_name.flatten());
        let client = client::recognise(app, requester, seen, owner.as_ref(), now)?;
        Ok(Found { owner, client })
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
