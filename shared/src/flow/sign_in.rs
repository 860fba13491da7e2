//! Signing in by SMS: logging in, or creating an account if the phone has none (dialect D).

use std::sync::Arc;

use super::{
    access_token::{self, Grant},
    client,
    race::Round,
    redeem::{self, HashOnce, Redemption, Right},
    send::{self, Sending, Target},
    session,
};
use crate::{
    app::App,
    domain::{
        client::KnownAddresses,
        code::Guess,
        error::Error,
        metadata::Metadata,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        session::{Method, Sessions},
        slot_key::SlotKey,
        time::UnixMs,
        user::{AccountId, Name, Uid, User},
    },
    random,
    store::{Key, Seen, owners::Owner, users::CreateOutcome},
};

/// Sends a code to a phone. If no account has the phone, the code makes one that begins with `newcomer`, or
/// there is no code without it.
///
/// # Errors
/// [`Error::CountryNotServed`], [`Error::LoginOff`], [`Error::Sms`], [`Error::PhoneUnknown`],
/// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::TooFrequent`], [`Error::Internal`].
pub async fn send(
    app: &Arc<App>,
    phone: &Phone,
    newcomer: Option<&Metadata>,
    requester: &Requester,
    now: UnixMs,
) -> Result<(), Error> {
    let newcomer = |_: &Seen| Ok(newcomer.cloned());
    send_with(app, phone, newcomer, requester, now).await
}

/// Sends a code again, if one is open. An account that it makes begins with what the open one says.
///
/// # Errors
/// [`Error::CodeExpired`] if none is open; those of [`send`].
pub async fn resend(
    app: &Arc<App>,
    phone: &Phone,
    requester: &Requester,
    now: UnixMs,
) -> Result<(), Error> {
    let key = SlotKey::sign_in(phone);
    let newcomer = |seen: &Seen| {
        let slot = seen.slot(&key)?.slot;
        let mut current = [slot.challenge, slot.decoy].into_iter().flatten();
        let open = current.find(|challenge| challenge.is_open(now));
        let open = open.ok_or(Error::CodeExpired { retry_after: None })?;
        Ok(open.newcomer)
    };
    send_with(app, phone, newcomer, requester, now).await
}

/// Sends a code. `newcomer` says what an account begins with that the code makes, or that it makes none.
async fn send_with(
    app: &Arc<App>,
    phone: &Phone,
    newcomer: impl Fn(&Seen) -> Result<Option<Metadata>, Error>,
    requester: &Requester,
    now: UnixMs,
) -> Result<(), Error> {
    let sending = Sending {
        purpose: Purpose::SignIn,
        key: &SlotKey::sign_in(phone),
        keys: &keys(phone, requester),
        source: &requester.source,
        clients: client::candidates(app, requester),
        named: Some(phone),
        mover: None,
        plan: Some(send::plan(app, Purpose::SignIn, phone)?),
    };
    let target = |seen: &Seen| {
        let owner = seen.owner_by_phone(phone)?;
        let newcomer = newcomer(seen)?.filter(|_| owner.is_none());
        if owner.is_none() && newcomer.is_none() {
            return Err(Error::PhoneUnknown);
        }
        let target = Target::of_owner(app, requester, seen, phone, owner.as_ref(), now)?;
        Ok(Target { newcomer, ..target })
    };
    send::send(app, &sending, target, now).await.map(drop)
}

/// Redeems a code and starts a session, of the phone's account or of one that is created. `ip` is the address
/// that a new account keeps.
///
/// The tokens are made before the code is spent: where they can't be, it is still good.
///
/// # Errors
/// [`Error::CodeExpired`], [`Error::CodeWrong`], [`Error::UserDisabled`], [`Error::Internal`].
pub async fn redeem(
    app: &Arc<App>,
    issuer: &str,
    phone: &Phone,
    guess: &Guess,
    ip: &str,
    requester: &Requester,
    now: UnixMs,
) -> Result<Grant, Error> {
    let redemption = &Redemption {
        purpose: Purpose::SignIn,
        key: &SlotKey::sign_in(phone),
        challenge: None,
        phone: Some(phone),
        clients: client::candidates(app, requester),
        guess,
        hash: HashOnce::default(),
    };
    let allow = |seen: &Seen| {
        let owner = seen.owner_by_phone(phone)?;
        let client = client::recognise(app, requester, seen, owner.as_ref(), now)?;
        Ok((client, owner))
    };
    let keys = keys(phone, requester);
    let signed_in = redeem::redeem(
        app,
        redemption,
        &keys,
        now,
        allow,
        |right, owner| async move {
            let presented = Presented {
                issuer,
                phone,
                requester,
                right: &right,
                now,
            };
            match owner {
                Some(owner) => log_in(app, &presented, owner).await,
                None => sign_up(app, &presented, ip).await,
            }
        },
    );
    signed_in.await
}

/// What is read beside the slot.
fn keys(phone: &Phone, requester: &Requester) -> Vec<Key> {
    [Key::phone_owner(phone)]
        .into_iter()
        .chain(client::session_key(requester))
        .collect()
}

/// A right code, and what it is presented with.
struct Presented<'a> {
    issuer: &'a str,
    phone: &'a Phone,
    requester: &'a Requester,
    right: &'a Right<'a>,
    now: UnixMs,
}

async fn log_in(
    app: &Arc<App>,
    presented: &Presented<'_>,
    owner: Owner,
) -> Result<Round<Grant>, Error> {
    let Presented {
        issuer,
        phone,
        requester,
        right,
        now,
    } = *presented;
    let user = app.store.user(owner.uid).await?;
    // Without its phone it has moved since the owner was read.
    let Some(user) = user.filter(|user| user.phone.as_ref() == Some(phone)) else {
        return Ok(Round::Lost);
    };
    if !user.is_active() {
        return Err(Error::UserDisabled);
    }
    if right.is_ended_by_password_of(&user) {
        return Err(Error::CodeExpired { retry_after: None });
    }
    let start = session::beginning(&user, Method::Otp, now)?;
    let granted = access_token::grant(app, issuer, user, (start.id, &start.held), now).await?;
    let logged_in = app.store.log_in(&start, &right.spend).await?;
    Ok(logged_in.round(|| {
        let account = (start.uid, Some(phone), &granted.user.name);
        client::was_right(app, requester, account, &owner.known, now);
        granted
    }))
}

async fn sign_up(
    app: &Arc<App>,
    presented: &Presented<'_>,
    ip: &str,
) -> Result<Round<Grant>, Error> {
    let Presented {
        issuer,
        phone,
        requester,
        right,
        now,
    } = *presented;
    let challenge = &right.spend.step.next.challenge;
    let newcomer = challenge.as_ref().and_then(|it| it.newcomer.clone());
    // The code was sent to an account that has left the phone since.
    let metadata = newcomer.ok_or(Error::CodeExpired { retry_after: None })?;
    let draws = &app.config.draws;
    let mut user = User::new(
        Uid::from_random(random::bytes()?, draws.largest_uid),
        AccountId::from_random(random::bytes()?),
        Name::drawn(random::bytes()?, draws.name_length),
        Some(phone.clone()),
        now,
    );
    user.created_ip = ip.to_owned();
    user.metadata = metadata;
    let start = session::beginning(&user, Method::Otp, now)?;
    user.sessions = Sessions::only(start.id, start.held);
    let granted = access_token::grant(app, issuer, user, (start.id, &start.held), now).await?;
    let known = KnownAddresses::from_here(&requester.source, &app.config.keys, now);
    let created = app
        .store
        .create_user(&granted.user, Some((&right.spend, &known)));
    Ok(match created.await? {
        CreateOutcome::Done => Round::Won(granted),
        // The next round finds the account that has the phone by now, or draws another number and name.
        CreateOutcome::Raced
        | CreateOutcome::PhoneTaken
        | CreateOutcome::UidTaken
        | CreateOutcome::NameTaken => Round::Lost,
    })
}
