//! Who asks, to the account that a request is about.

use std::sync::Arc;

use crate::{
    app::App,
    config::limits::KEPT_FOR_ACCOUNTS_OLDER_THAN,
    domain::{
        client::{Client, KnownAddresses},
        error::Error,
        phone::Phone,
        requester::Requester,
        time::UnixMs,
        user::{Name, Uid},
    },
    store::{Key, Seen, owners::Owner},
};

/// What has to be read to recognise a session, beside what the flow reads.
pub(super) fn session_key(requester: &Requester) -> Option<Key> {
    requester.session.map(|session| Key::user(session.uid))
}

/// The strongest client that a request proves to be, to this account.
///
/// # Errors
/// [`Error::Internal`] when an item is not one of ours.
pub(super) fn recognise(
    app: &App,
    requester: &Requester,
    seen: &Seen,
    owner: Option<&Owner>,
    now: UnixMs,
) -> Result<Client, Error> {
    let Some(owner) = owner else {
        return Ok(Client::Stranger);
    };
    if let Some(session) = requester.session.filter(|it| it.uid == owner.uid) {
        let user = seen.user(session.uid)?;
        let life = &app.config.session_life;
        if user.is_some_and(|user| session.is_known_to(&user, life, now)) {
            return Ok(Client::KnownSession);
        }
    }
    let (source, keys) = (&requester.source, &app.config.keys);
    Ok(owner.known.client(source, keys, now))
}

/// Whatever a request may turn out to be.
pub(super) fn candidates(app: &App, requester: &Requester) -> Vec<Client> {
    let has_session = requester.session.is_some();
    Client::candidates(&requester.source, has_session, &app.config.keys)
}

/// What has to be read to recognise a client of the account `uid`, which has this phone: the account among
/// it.
pub(super) fn keys_at(uid: Uid, phone: &Phone, requester: &Requester) -> Vec<Key> {
    let session = requester.session.filter(|session| session.uid != uid);
    let session = session.map(|session| Key::user(session.uid));
    [Key::user(uid), Key::phone_owner(phone)]
        .into_iter()
        .chain(session)
        .collect()
}

/// The client that a request proves to be to the account `uid` with this phone, and the addresses that the
/// account knows.
///
/// # Errors
/// [`Error::Internal`] when an item is not one of ours.
pub(super) fn at_phone(
    app: &App,
    requester: &Requester,
    seen: &Seen,
    uid: Uid,
    phone: &Phone,
    now: UnixMs,
) -> Result<(Client, KnownAddresses), Error> {
    let owner = seen.owner_by_phone(phone)?;
    let owner = owner.filter(|owner| owner.uid == uid);
    let client = recognise(app, requester, seen, owner.as_ref(), now)?;
    Ok((client, owner.map(|owner| owner.known).unwrap_or_default()))
}

/// The account that money is kept for, to get its code although strangers have spent the rest: the account
/// `uid`, at its own phone, if it knows who asks and was created over a week ago.
pub(super) fn kept_for(
    uid: Option<Uid>,
    client: Client,
    created_at: Option<UnixMs>,
    now: UnixMs,
) -> Option<Uid> {
    let is_old = created_at.is_some_and(|at| at.plus(KEPT_FOR_ACCOUNTS_OLDER_THAN) <= now);
    uid.filter(|_| client.is_known() && is_old)
}

/// Defers noting that a code or a password was right where the request comes from. If this is lost, the
/// client is a stranger there for longer.
pub(super) fn was_right(
    app: &Arc<App>,
    requester: &Requester,
    (uid, phone, name): (Uid, Option<&Phone>, &Name),
    known: &KnownAddresses,
    now: UnixMs,
) {
    let Some(known) = known.noting(&requester.source, &app.config.keys, now) else {
        return;
    };
    let (phone, name) = (phone.cloned(), name.clone());
    app.defer(async move |app| {
        let noted = app.store.know_addresses(uid, phone.as_ref(), &name, &known);
        if let Err(failure) = noted.await {
            tracing::warn!(?failure, "an address stays a stranger's");
        }
    });
}
