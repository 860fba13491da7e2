//! What operators do: support, and what the law asks for. Nobody else's request leads here.

use super::race::Race;
use crate::{
    app::App,
    config::limits::{KEPT_MESSAGES, WRONG_PASSWORDS, WRONG_PASSWORDS_OF_SOURCE},
    domain::{
        client::{Client, KnownAddresses},
        client_address::Source,
        error::Error,
        phone::Phone,
        purpose::Purpose,
        slot::{Slot, Standing},
        slot_key::SlotKey,
        time::UnixMs,
        user::{Name, Uid, User},
        window::{Limit, Window},
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
    slots: Vec<(Purpose, SlotKey)>,
    events: Vec<Counter>,
}

/// An item that counts events.
struct Counter {
    kind: Kind,
    client: Option<Client>,
    key: Key,
}

/// Which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages to the phone.
    Messages,
    /// Where users are hidden: requests of a slot.
    Requests,
    /// Where users are hidden: requests that no message was sent for. They decide nothing.
    Decoys,
    /// Wrong codes for the phone.
    WrongCodes,
    /// Wrong passwords.
    WrongPasswords,
    /// Messages from kept money.
    KeptMessages,
    /// Sends of an address whose codes are unused.
    SendsOfAddress,
    /// Wrong passwords from an address.
    WrongPasswordsOfAddress,
}

impl Kind {
    /// The limits that the events count towards.
    fn limits(self, app: &App) -> Vec<Limit> {
        let limits = &app.config.limits;
        match self {
            Self::Messages | Self::Requests => limits.sends_per_phone(Purpose::Login),
            Self::Decoys => Vec::new(),
            Self::WrongCodes => vec![limits.policy(Purpose::Login).failures],
            Self::WrongPasswords => vec![WRONG_PASSWORDS],
            Self::KeptMessages => vec![KEPT_MESSAGES],
            Self::SendsOfAddress => match &limits.sends_per_source {
                limits if limits.refuse => limits.limits.clone(),
                _ => Vec::new(),
            },
            Self::WrongPasswordsOfAddress => WRONG_PASSWORDS_OF_SOURCE.into(),
        }
    }
}

/// Everybody whose limits an account keeps apart.
pub fn clients_of(account: Option<&Account>) -> Vec<Client> {
    let known = account.into_iter().flat_map(|account| &account.known.0);
    let known = known.map(|known| Client::KnownAddress(known.address));
    let others = [Client::Stranger, Client::KnownSession];
    others.into_iter().chain(known).collect()
}

/// Who somebody at an address is to an account.
pub fn client_at(app: &App, account: Option<&Account>, source: &Source, now: UnixMs) -> Client {
    account.map_or(Client::Stranger, |account| {
        account.known.client(source, &app.config.keys, now)
    })
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
        for client in clients_of(account) {
            counters.add_events_of(client, phone, user.map(|user| user.uid));
            for handle in phone
                .map(Phone::e164)
                .into_iter()
                .chain(name.map(Name::folded))
            {
                for pseudonym in app.config.keys.pseudonyms(&handle) {
                    let attempts = Attempts::by_handle(pseudonym, client);
                    counters.add(Kind::WrongPasswords, Some(client), Key::attempts(attempts));
                    if client == Client::Stranger {
                        let nobody = Key::attempts(Attempts::at_nobody(pseudonym));
                        counters.add(Kind::WrongPasswords, None, nobody);
                    }
                }
            }
        }
        if let Some(user) = user {
            counters.add(Kind::KeptMessages, None, Key::kept(user.uid));
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
            self.add(Kind::Messages, Some(client), Key::sends(phone, client));
            self.add(
                Kind::WrongCodes,
                Some(client),
                Key::wrong_codes(phone, client),
            );
            for (_, slot) in self.slots.clone() {
                let [asked, decoys] = Key::asked(&slot, phone, client);
                self.add(Kind::Requests, Some(client), asked);
                self.add(Kind::Decoys, Some(client), decoys);
            }
        }
        if let Some(uid) = uid {
            let attempts = Key::attempts(Attempts::at(uid, client));
            self.add(Kind::WrongPasswords, Some(client), attempts);
        }
    }

    fn add(&mut self, kind: Kind, client: Option<Client>, key: Key) {
        self.events.push(Counter { kind, client, key });
    }

    /// What counts against an address, too.
    pub fn with_source(mut self, source: &Source) -> Self {
        for key in Key::sends_of(source) {
            self.add(Kind::SendsOfAddress, None, key);
        }
        for key in Key::attempts_from(source) {
            self.add(Kind::WrongPasswordsOfAddress, None, key);
        }
        self
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
            kind: counter.kind,
            client: counter.client,
            window: match counter.kind {
                Kind::SendsOfAddress => seen.sends_of(&counter.key),
                _ => seen.moments(&counter.key),
            },
        });
        Ok(Counted {
            slots: slots.collect::<Result<_, Error>>()?,
            events: events.filter(|it| !it.window.0.is_empty()).collect(),
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
    pub kind: Kind,
    /// Whose; `None` where everybody's count together.
    pub client: Option<Client>,
    /// When they were.
    pub window: Window,
}

/// How near events are to a limit.
#[derive(Debug)]
pub struct Nearness {
    /// Which events.
    pub kind: Kind,
    /// Whose; `None` where everybody's count together.
    pub client: Option<Client>,
    /// The limit.
    pub limit: Limit,
    /// How many count towards it.
    pub count: usize,
    /// Until when it refuses one more, if it does.
    pub refused_until: Option<UnixMs>,
}

/// A slot's standing with a client.
#[derive(Debug)]
pub struct OfSlot {
    /// The slot's purpose.
    pub purpose: Purpose,
    /// The client.
    pub client: Client,
    /// What the slot has in store for it.
    pub standing: Standing,
}

impl Counted {
    /// How near the events are to their limits at `now`.
    pub fn nearness(&self, app: &App, now: UnixMs) -> Vec<Nearness> {
        let of = |events: &Events| {
            let limits = events.kind.limits(app).into_iter();
            let (kind, client, window) = (events.kind, events.client, events.window.clone());
            limits.map(move |limit| Nearness {
                kind,
                client,
                limit,
                count: window.count(now, &limit),
                refused_until: window.wait(now, &limit).map(|wait| now.plus(wait)),
            })
        };
        self.events.iter().flat_map(of).collect()
    }

    /// What the slots have in store for these clients at `now`, where that is more than nothing.
    pub fn standings(&self, app: &App, clients: &[Client], now: UnixMs) -> Vec<OfSlot> {
        let of = |(purpose, slot): &(Purpose, Slot)| {
            let (purpose, slot) = (*purpose, slot.clone());
            let policy = app.config.limits.policy(purpose);
            clients.iter().map(move |client| OfSlot {
                purpose,
                client: *client,
                standing: slot.standing(now, &policy, *client),
            })
        };
        let all = self.slots.iter().flat_map(of);
        all.filter(|of| !of.standing.is_clear()).collect()
    }
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
