//! What operators do: support, and what the law asks for. Nobody else's request leads here.

use super::race::Race;
use crate::{
    app::App,
    domain::{
        client::{Client, KnownAddresses},
        client_address::Source,
        error::Error,
        phone::Phone,
        purpose::Purpose,
        slot::Slot,
        slot_key::SlotKey,
        time::UnixMs,
        user::{Name, Uid, User},
    },
    store::{Key, attempts::Attempts, deletions::Deleter, users::ChangeOutcome},
};

/// Whom an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The account with this phone, or the phone alone.
    Phone(Phone),
    /// The account with this name, or the name alone.
    Name(Name),
    /// The account with this number.
    Uid(Uid),
}

/// An account, and the addresses that it knows.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub user: User,
    /// The addresses, as pseudonyms.
    pub known: KnownAddresses,
}

/// The account that an operator means, if there is one.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails.
pub async fn find(app: &App, who: &Who) -> Result<Option<Account>, Error> {
    let uid = match who {
        Who::Uid(uid) => Some(*uid),
        Who::Phone(phone) => {
            let seen = app.store.read(&[Key::phone_owner(phone)]).await?;
            seen.owner_by_phone(phone)?.map(|owner| owner.uid)
        }
        Who::Name(name) => {
            let seen = app.store.read(&[Key::name_owner(name)]).await?;
            seen.owner_by_name(name)?.map(|owner| owner.uid)
        }
    };
    let Some(uid) = uid else { return Ok(None) };
    let Some(user) = app.store.user(uid).await? else {
        return Ok(None);
    };
    let seen = app.store.read(&[Key::name_owner(&user.name)]).await?;
    let owner = seen.owner_by_name(&user.name)?;
    let known = owner.map(|owner| owner.known).unwrap_or_default();
    Ok(Some(Account { user, known }))
}

/// All that counts against somebody.
#[derive(Default)]
pub struct Counters {
    /// Slots, by purpose.
    pub slots: Vec<(Purpose, SlotKey)>,
    /// Items that count events.
    pub events: Vec<Counter>,
}

/// An item that counts events.
pub struct Counter {
    /// Which events.
    pub what: &'static str,
    /// Whose; `None` where everybody's count together.
    pub client: Option<Client>,
    /// The item.
    pub key: Key,
}

impl Counters {
    /// What counts against an account, a phone or a name.
    pub fn of(app: &App, who: &Who, account: Option<&Account>) -> Self {
        let mut counters = Self::default();
        let user = account.map(|account| &account.user);
        let phone = match who {
            Who::Phone(phone) => Some(phone),
            Who::Name(_) | Who::Uid(_) => user.and_then(|user| user.phone.as_ref()),
        };
        let name = match who {
            Who::Name(name) => Some(name),
            Who::Phone(_) | Who::Uid(_) => user.map(|user| &user.name),
        };
        counters.add_slots(phone, name, user.map(|user| user.uid));
        if let Some(moving) = user.and_then(|user| user.moving.as_ref()) {
            counters.add_slots(Some(&moving.to), None, user.map(|user| user.uid));
        }
        let known = account.into_iter().flat_map(|account| &account.known.0);
        let known = known.map(|known| Client::KnownAddress(known.address));
        let clients = [Client::Stranger, Client::KnownSession];
        for client in clients.into_iter().chain(known) {
            counters.add_events_of(client, phone, user.map(|user| user.uid));
            for handle in phone
                .map(Phone::e164)
                .into_iter()
                .chain(name.map(Name::folded))
            {
                for pseudonym in app.config.keys.pseudonyms(&handle) {
                    let attempts = Attempts::by_handle(pseudonym, client);
                    counters.add("wrong passwords", Some(client), Key::attempts(attempts));
                    if client == Client::Stranger {
                        let nobody = Key::attempts(Attempts::at_nobody(pseudonym));
                        counters.add("wrong passwords", None, nobody);
                    }
                }
            }
        }
        if let Some(user) = user {
            counters.add("messages from kept money", None, Key::kept(user.uid));
        }
        counters
    }

    fn add_slots(&mut self, phone: Option<&Phone>, name: Option<&Name>, uid: Option<Uid>) {
        if let Some(phone) = phone {
            self.slots.extend([
                (Purpose::Login, SlotKey::login(phone)),
                (Purpose::Register, SlotKey::register(phone)),
                (Purpose::ResetPassword, SlotKey::reset_password(phone)),
                (Purpose::SignIn, SlotKey::sign_in(phone)),
                (Purpose::ChangePhone, SlotKey::move_to(phone)),
            ]);
        }
        if let Some(name) = name {
            self.slots.push((Purpose::Recover, SlotKey::recover(name)));
        }
        if let Some(uid) = uid {
            self.slots.extend([
                (Purpose::ChangePassword, SlotKey::change_password(uid)),
                (Purpose::Delete, SlotKey::delete(uid)),
            ]);
        }
        if let (Some(uid), Some(phone)) = (uid, phone) {
            let key = SlotKey::change_phone(uid, phone);
            self.slots.push((Purpose::ChangePhone, key));
        }
    }

    fn add_events_of(&mut self, client: Client, phone: Option<&Phone>, uid: Option<Uid>) {
        if let Some(phone) = phone {
            self.add("messages", Some(client), Key::sends(phone, client));
            self.add("wrong codes", Some(client), Key::wrong_codes(phone, client));
            for (_, slot) in self.slots.clone() {
                let [asked, decoys] = Key::asked(&slot, phone, client);
                self.add("requests", Some(client), asked);
                self.add("decoys", Some(client), decoys);
            }
        }
        if let Some(uid) = uid {
            let attempts = Key::attempts(Attempts::at(uid, client));
            self.add("wrong passwords", Some(client), attempts);
        }
    }

    fn add(&mut self, what: &'static str, client: Option<Client>, key: Key) {
        self.events.push(Counter { what, client, key });
    }

    fn keys(&self) -> Vec<Key> {
        let slots = self.slots.iter().map(|(_, slot)| Key::slot(slot));
        slots
            .chain(self.events.iter().map(|it| it.key.clone()))
            .collect()
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails or an item is not one of ours.
    pub async fn read(&self, app: &App) -> Result<Counted, Error> {
        let seen = app.store.read_all(&self.keys()).await?;
        let slots = self.slots.iter().map(|(purpose, key)| {
            let slot = seen.slot(key)?.slot;
            Ok((*purpose, slot))
        });
        let events = self.events.iter().map(|counter| Events {
            what: counter.what,
            client: counter.client,
            moments: seen.moments(&counter.key),
        });
        Ok(Counted {
            slots: slots.collect::<Result<_, Error>>()?,
            events: events.filter(|events| !events.moments.is_empty()).collect(),
        })
    }

    /// Forgets them: codes, cool-downs and counts. How many items there were.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails. Repeating it forgets the rest.
    pub async fn forget(&self, app: &App) -> Result<usize, Error> {
        app.store.forget(&self.keys()).await
    }
}

/// What was counted.
#[derive(Debug)]
pub struct Counted {
    /// Slots, by purpose; empty ones too.
    pub slots: Vec<(Purpose, Slot)>,
    /// Events, where there were some.
    pub events: Vec<Events>,
}

/// Events of one kind.
#[derive(Debug)]
pub struct Events {
    /// Which.
    pub what: &'static str,
    /// Whose; `None` where everybody's count together.
    pub client: Option<Client>,
    /// When they were, newest first.
    pub moments: Vec<UnixMs>,
}

/// Stops the sends to the regions that these names mean, or all where there are none.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails.
pub async fn stop_sends(app: &App, names: Vec<String>) -> Result<(), Error> {
    app.store.stop_sends(names).await
}

/// Lets sends go on; whether they were stopped.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails.
pub async fn resume_sends(app: &App) -> Result<bool, Error> {
    Ok(app.store.forget(&[Key::stop()]).await? > 0)
}

/// Ends all sessions of an account.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails; the write may have happened.
pub async fn end_sessions(app: &App, uid: Uid) -> Result<(), Error> {
    app.store.end_all_sessions(uid).await
}

/// Disables an account, which ends its sessions, or makes it active; whether it is there.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails; the write may have happened.
pub async fn set_active(app: &App, uid: Uid, is_active: bool) -> Result<bool, Error> {
    app.store.set_status(uid, u64::from(!is_active)).await
}

/// Forgets what counts against an address, and not the codes that it has used, which speak for it.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails. Repeating it forgets the rest.
pub async fn unblock_source(app: &App, source: &Source, now: UnixMs) -> Result<(), Error> {
    let limits = &app.config.limits.sends_per_source;
    app.store.forget_sends_of(source, limits, now).await?;
    let attempts = Key::attempts_from(source);
    app.store.forget(&attempts).await.map(drop)
}

/// How often a deletion is decided again: no request's deadline ends it.
const ROUNDS: usize = 30;

/// Deletes an account, if it is there.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails; the account may be gone.
pub async fn delete(app: &App, uid: Uid, now: UnixMs) -> Result<bool, Error> {
    let mut race = Race::default();
    for _ in 0..ROUNDS {
        let Some(user) = app.store.user(uid).await? else {
            return Ok(false);
        };
        match app.store.delete_user(&user, Deleter::Operator, now).await? {
            ChangeOutcome::Done => return Ok(true),
            ChangeOutcome::Raced | ChangeOutcome::TooManyWrongCodes { .. } => race.lost().await,
        }
    }
    Err(Error::internal("an account is written to all the time"))
}

/// What was done with accounts that come from a backup.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Of how many the sessions were ended.
    pub sessions_ended: usize,
    /// How many were deleted once more.
    pub deleted: usize,
    /// Those that could not be deleted.
    pub failed: Vec<Uid>,
    /// Where to go on, if there are more.
    pub next: Option<String>,
}

/// Ends the sessions of all accounts after `after`, as those that had ended since the backup are there again. Then
/// deletes those whose numbers are `deleted`. After some `most` accounts it stops, and says where to go on.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails. Repeating it does the rest.
pub async fn after_restore(
    app: &App,
    deleted: &[Uid],
    after: Option<String>,
    most: usize,
    now: UnixMs,
) -> Result<Restored, Error> {
    let (mut restored, mut seen) = (Restored::default(), 0);
    let mut after = after;
    loop {
        let page = app.store.accounts(after, most).await?;
        seen += page.accounts.len();
        for user in page.accounts {
            if !user.sessions.is_empty() {
                app.store.end_all_sessions(user.uid).await?;
                restored.sessions_ended += 1;
            }
        }
        match page.next {
            None => break,
            next if seen >= most => {
                restored.next = next;
                return Ok(restored);
            }
            next => after = next,
        }
    }
    for uid in deleted {
        match delete(app, *uid, now).await {
            Ok(was_there) => restored.deleted += usize::from(was_there),
            Err(failure) => {
                tracing::error!(uid = uid.0, ?failure, "not deleted");
                restored.failed.push(*uid);
                continue;
            }
        }
        app.store.bury(*uid, now).await?;
    }
    Ok(restored)
}
