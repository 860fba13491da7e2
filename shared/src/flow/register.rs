//! Registering: creating an account by SMS.

use std::{fmt, sync::Arc};

use super::{
    hiding::Hiding,
    race::Round,
    redeem::{self, HashOnce, Redemption, Right},
    send, session,
};
use crate::{
    app::App,
    domain::{
        client::{Client, KnownAddresses},
        code::Guess,
        error::Error,
        password::Password,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        session::{Method, Sessions},
        slot_key::SlotKey,
        time::UnixMs,
        token::{self, Token},
        user::{AccountId, Name, Uid, User},
    },
    random,
    store::{Key, transaction::Outcome, users::CreateOutcome},
};

/// Sends a code to a phone that no account has yet.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneTaken`], [`Error::TooFrequent`],
/// [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    requester: &Requester,
    now: UnixMs,
) -> Result<Token, Error> {
    let key = SlotKey::register(phone);
    let target = |owner| match owner {
        Some(_) => Err(Error::PhoneTaken),
        None => Ok(None),
    };
    send::to_named(app, Purpose::Register, &key, phone, requester, target, now).await
}

/// What an account is created from. `Debug` hides it.
#[derive(Clone)]
pub struct Registration {
    /// Its name; `None` to draw one.
    pub name: Option<Name>,
    /// Its password.
    pub password: Password,
    /// The address that asked for it.
    pub ip: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration(…)")
    }
}

/// Redeems a code, creates the account and starts a session. A taken name does not spend the code:
/// the client can pick another, up to ten times. A name or number that was drawn and is taken is drawn
/// again.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`], [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::PhoneTaken`],
/// [`Error::NameTaken`], [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    phone_info: &str,
    guess: &Guess,
    registration: &Registration,
    requester: &Requester,
    now: UnixMs,
) -> Result<(User, Token), Error> {
    let info = token::read_phone_info(&app.config.keys, phone_info, Purpose::Register, now)?;
    let Registration { name, password, ip } = registration;
    let phone = &info.phone;
    let redemption = &Redemption {
        purpose: Purpose::Register,
        key: &SlotKey::register(phone),
        challenge: Some(info.challenge),
        phone: Some(phone),
        clients: vec![Client::Stranger],
        guess,
        hash: HashOnce::default(),
    };
    let name = name.as_ref();
    let keys: Vec<Key> = [Key::phone_owner(phone)]
        .into_iter()
        .chain(name.map(Key::name_owner))
        .collect();
    let draws = &app.config.draws;
    let created = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        // No account knows anybody yet.
        |_| Ok((Client::Stranger, ())),
        |right, ()| async move {
            if right.seen.owner_by_phone(phone)?.is_some() {
                return Err(Error::PhoneTaken);
            }
            let owner = name.map(|name| right.seen.owner_by_name(name));
            if owner.transpose()?.flatten().is_some() {
                return name_taken(app, &right).await;
            }
            let mut user = User::new(
                Uid::from_random(random::bytes()?, draws.largest_uid),
                AccountId::from_random(random::bytes()?),
                match name {
                    Some(name) => name.clone(),
                    None => Name::drawn(random::bytes()?, draws.name_length),
                },
                Some(phone.clone()),
                now,
            );
            user.created_ip.clone_from(ip);
            user.password = Some(redemption.hash.of(app, password)?.clone());
            let known = KnownAddresses::from_here(&requester.source, &app.config.keys, now);
            let mut start = session::beginning(&user, Method::Otp, now)?;
            user.sessions = Sessions::only(start.id, start.held);
            loop {
                let created = app.store.create_user(&user, Some((&right.spend, &known)));
                match created.await? {
                    CreateOutcome::Done => {
                        let token = session::token(app, &start, &user.name, now)?;
                        return Ok(Round::Won((user, token)));
                    }
                    CreateOutcome::Raced => return Ok(Round::Lost),
                    CreateOutcome::PhoneTaken => return Err(Error::PhoneTaken),
                    CreateOutcome::NameTaken if name.is_some() => {
                        return name_taken(app, &right).await;
                    }
                    // What was drawn and is taken is drawn again. All else still holds.
                    CreateOutcome::NameTaken => {
                        user.name = Name::drawn(random::bytes()?, draws.name_length);
                    }
                    CreateOutcome::UidTaken => {
                        user.uid = Uid::from_random(random::bytes()?, draws.largest_uid);
                        start.uid = user.uid;
                    }
                }
            }
        },
    );
    let hiding = Hiding::new(app.config.hide_unknown_users, Purpose::Register);
    match created.await {
        Err(expired @ Error::CodeExpired { .. }) if !hiding.is_on() => {
            Err(why_expired(app, phone, expired).await?)
        }
        created => created,
    }
}

/// Refuses a taken name. The answer says that the code is right, so it is written as a spent code is: of
/// many guesses at once no more are told than there are tries. Whoever has a code could also ask for one
/// name after the other, and learn which ones there are: the last one that it may ask for spends it.
async fn name_taken<T>(app: &App, right: &Right<'_>) -> Result<Round<T>, Error> {
    match app.store.spend(&right.asks_for_taken_name()).await? {
        Outcome::Done => Err(Error::NameTaken),
        Outcome::Raced => Ok(Round::Lost),
    }
}

/// The error for an expired code. A code that created an account is spent by that, and the account
/// exists by the time its code is seen spent: then the phone is taken.
async fn why_expired(app: &App, phone: &Phone, expired: Error) -> Result<Error, Error> {
    let seen = app.store.read(&[Key::phone_owner(phone)]).await?;
    Ok(match seen.owner_by_phone(phone)? {
        Some(_) => Error::PhoneTaken,
        None => expired,
    })
}
