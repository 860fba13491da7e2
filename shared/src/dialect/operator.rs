//! The JSON of the operators' functions: `admin-read`, `admin-support` and `admin-data`.
//!
//! Each invocation does one thing: `{"find":{"phone":"+8613800138001"}}`. The answer says whether it is done, or why
//! not. Each is a log line with its request id, by which CloudTrail's data events say who invoked the function.

use std::{collections::BTreeSet, net::IpAddr};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    domain::{
        client::Client,
        client_address::Source,
        error::Error,
        metadata::Metadata,
        phone::{Phone, ServedRegions},
        region::Region,
        slot::Challenge,
        stop::Stop,
        time::UnixMs,
        user::{Name, Uid, User},
    },
    flow::operator::{self, Account, Counted, Counters, Kind, Who},
};

/// What `admin-read` is asked for. It writes nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Read {
    /// An account in short.
    Find(Named),
    /// What counts against somebody: each limit, its count, and until when it refuses.
    Explain(Asked),
}

/// What `admin-support` is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Support {
    /// Forgets what counts against somebody: codes, cool-downs and counts.
    Unblock(Blocked),
    /// Stops sends.
    Stop(Stopped),
    /// Lets sends go on.
    Resume(Nothing),
    /// Ends all sessions of an account.
    EndSessions(Named),
}

/// What `admin-data` is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// Disables an account, and ends its sessions.
    Disable(Named),
    /// Makes a disabled account active.
    Enable(Named),
    /// Deletes an account.
    Delete(Named),
    /// All that is stored of a person.
    Export(Named),
    /// Ends all sessions that a backup has brought back, and deletes accounts once more.
    AfterRestore(FromBackup),
}

/// Whom an operator means: one of them. `Debug` shows none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// `+8613800138001`.
    phone: Option<String>,
    name: Option<String>,
    uuid: Option<u64>,
}

/// Whom or what an operator means: one of them, or an account and the phone that it is to move to. `Debug` shows
/// none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    phone: Option<String>,
    name: Option<String>,
    uuid: Option<u64>,
    /// An IP address.
    address: Option<IpAddr>,
}

/// Whom an operator means, one of them, and maybe from where he asks. `Debug` shows none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    phone: Option<String>,
    name: Option<String>,
    uuid: Option<u64>,
    /// An IP address.
    address: Option<IpAddr>,
}

/// Which sends stop.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    /// Calling codes, ISO codes, or calling codes with an area code. Without it all sends stop.
    countries: Option<BTreeSet<String>>,
}

/// `{}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Accounts of a backup.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromBackup {
    /// The numbers of those that have been deleted since.
    #[serde(default)]
    deleted: Vec<u64>,
    /// What the invocation before said in `next`.
    next: Option<String>,
    /// How many accounts are gone through.
    most: Option<usize>,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Named(…)")
    }
}

impl std::fmt::Debug for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blocked(…)")
    }
}

/// How many accounts one invocation goes through, if it is not said.
const ACCOUNTS_AT_ONCE: usize = 20_000;

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked(…)")
    }
}

/// Why an invocation does nothing.
enum Refused {
    /// What is wrong with it, or that there is no such account.
    Here(&'static str),
    /// DynamoDB failed.
    Core(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

const NO_ACCOUNT: Refused = Refused::Here("no such account");

impl Named {
    fn who(&self) -> Result<Who, Refused> {
        match (&self.phone, &self.name, self.uuid) {
            (Some(phone), None, None) => Ok(Who::Phone(read_phone(phone)?)),
            (None, Some(name), None) => {
                let name = Name::parse(name);
                Ok(Who::Name(name.ok_or(Refused::Here("name: not a name"))?))
            }
            (None, None, Some(uid)) => Ok(Who::Uid(Uid(uid))),
            _ => Err(Refused::Here("phone, name, uuid: one of them")),
        }
    }

    async fn account(&self, app: &App) -> Result<Account, Refused> {
        let found = operator::find(app, &self.who()?).await?;
        found.ok_or(NO_ACCOUNT)
    }
}

/// Of any country: an account can have a phone of one that is served no longer.
fn read_phone(text: &str) -> Result<Phone, Refused> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let phone = Phone::parse_e164(digits, &ServedRegions::new(Region::all().collect()));
    phone.map_err(|_| Refused::Here("phone: a mobile number with its country code"))
}

/// Does what `admin-read` is asked for.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails.
pub async fn read(app: &App, request: Read, now: UnixMs) -> Result<Value, Error> {
    match request {
        Read::Find(named) => {
            let found = async { Ok(found(&named.account(app).await?)) };
            answer("find", found.await)
        }
        Read::Explain(asked) => answer("explain", explain(app, asked, now).await),
    }
}

async fn explain(app: &App, asked: Asked, now: UnixMs) -> Result<Value, Refused> {
    let Asked {
        phone,
        name,
        uuid,
        address,
    } = asked;
    let who = Named { phone, name, uuid }.who()?;
    let account = operator::find(app, &who).await?;
    if account.is_none() && matches!(who, Who::Uid(_)) {
        return Err(NO_ACCOUNT);
    }
    let (account, source) = (account.as_ref(), address.map(Source::of));
    let mut counters = Counters::of(app, &who, account);
    if let Some(source) = &source {
        counters = counters.with_source(source);
    }
    let counted = counters.read(app).await?;
    let client = source.map(|source| operator::client_at(app, account, &source, now));
    let clients = operator::clients_of(account);
    let codes = counted.standings(app, &clients, now).into_iter().map(|of| {
        json!({
            "purpose": of.purpose.name(),
            "by": who_asked(of.client),
            "coolingUntil": of.standing.cooling_until,
            "validUntil": of.standing.valid_until,
            "triesLeft": of.standing.tries_left,
            "refusedUntil": of.standing.refused_until,
        })
    });
    let limits = counted.nearness(app, now).into_iter().map(|of| {
        json!({
            "what": what(of.kind),
            "by": of.client.map(who_asked),
            "count": of.count,
            "of": of.limit.events,
            "in": of.limit.span.as_secs(),
            "refusedUntil": of.refused_until,
        })
    });
    Ok(json!({
        "uuid": account.map(|account| account.user.uid),
        "asks": client.map(who_asked),
        "codes": codes.collect::<Vec<_>>(),
        "limits": limits.collect::<Vec<_>>(),
    }))
}

/// Does what `admin-support` is asked for.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails. Repeating it does the rest.
pub async fn support(app: &App, request: Support, now: UnixMs) -> Result<Value, Error> {
    match request {
        Support::Unblock(blocked) => answer("unblock", unblock(app, blocked, now).await),
        Support::Stop(Stopped { countries }) => answer("stop", stop(app, countries).await),
        Support::Resume(Nothing {}) => {
            let resumed = operator::resume_sends(app).await;
            let resumed = resumed.map(|were_stopped| json!({"wereStopped": were_stopped}));
            answer("resume", resumed.map_err(Refused::Core))
        }
        Support::EndSessions(named) => {
            let ended = async {
                let user = named.account(app).await?.user;
                operator::end_sessions(app, user.uid).await?;
                Ok(json!({"uuid": user.uid}))
            };
            answer("end-sessions", ended.await)
        }
    }
}

/// Stops sends, in place of a stop that there is.
async fn stop(app: &App, countries: Option<BTreeSet<String>>) -> Result<Value, Refused> {
    if let Some(names) = &countries {
        let no_country = "countries: a name that means no country, or none";
        if Stop::named(names.iter().map(String::as_str)) == Stop::All {
            return Err(Refused::Here(no_country));
        }
    }
    let stopped = json!({ "stopped": countries });
    let names = countries.into_iter().flatten().collect();
    operator::stop_sends(app, names).await?;
    Ok(stopped)
}

async fn unblock(app: &App, blocked: Blocked, now: UnixMs) -> Result<Value, Refused> {
    let Blocked {
        phone,
        name,
        uuid,
        address,
    } = blocked;
    let named = match (phone, name, uuid, address) {
        (Some(phone), None, Some(uuid), None) => {
            return unblock_move(app, &phone, Uid(uuid)).await;
        }
        (None, None, None, Some(address)) => {
            operator::unblock_source(app, &Source::of(address), now).await?;
            return Ok(json!({}));
        }
        (phone, name, uuid, None) => Named { phone, name, uuid },
        _ => return Err(Refused::Here("phone, name, uuid, address: one of them")),
    };
    let who = named.who()?;
    let account = operator::find(app, &who).await?;
    if account.is_none() && matches!(who, Who::Uid(_)) {
        return Err(NO_ACCOUNT);
    }
    let counters = Counters::of(app, &who, account.as_ref());
    let uid = account.map(|account| account.user.uid);
    Ok(json!({"uuid": uid, "forgotten": counters.forget(app).await?}))
}

/// Forgets what counts against an account at a phone that is not its own yet.
async fn unblock_move(app: &App, phone: &str, uid: Uid) -> Result<Value, Refused> {
    let account = operator::find(app, &Who::Uid(uid)).await?;
    let account = account.ok_or(NO_ACCOUNT)?;
    let who = Who::Phone(read_phone(phone)?);
    let forgotten = Counters::of(app, &who, Some(&account)).forget(app).await?;
    Ok(json!({"uuid": uid, "forgotten": forgotten}))
}

/// Does what `admin-data` is asked for.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails. Repeating it does the rest.
pub async fn data(app: &App, request: Data, now: UnixMs) -> Result<Value, Error> {
    match request {
        Data::Disable(named) => answer("disable", set_active(app, &named, false).await),
        Data::Enable(named) => answer("enable", set_active(app, &named, true).await),
        Data::Delete(named) => {
            let deleted = async {
                let uid = named.account(app).await?.user.uid;
                match operator::delete(app, uid, now).await? {
                    true => Ok(json!({"uuid": uid})),
                    false => Err(NO_ACCOUNT),
                }
            };
            answer("delete", deleted.await)
        }
        Data::Export(named) => answer("export", export(app, &named).await),
        Data::AfterRestore(FromBackup {
            deleted,
            next,
            most,
        }) => {
            let deleted: Vec<Uid> = deleted.into_iter().map(Uid).collect();
            let most = most.unwrap_or(ACCOUNTS_AT_ONCE);
            let restored = operator::after_restore(app, &deleted, next, most, now).await;
            let restored = restored.map_err(Refused::Core).map(|of| {
                json!({
                    "sessionsEnded": of.sessions_ended,
                    "deleted": of.deleted,
                    "failed": of.failed,
                    "next": of.next,
                })
            });
            answer("after-restore", restored)
        }
    }
}

async fn set_active(app: &App, named: &Named, is_active: bool) -> Result<Value, Refused> {
    let uid = named.account(app).await?.user.uid;
    match operator::set_active(app, uid, is_active).await? {
        true => Ok(json!({"uuid": uid})),
        false => Err(NO_ACCOUNT),
    }
}

/// Notes the invocation in the log, and says what came of it.
fn answer(action: &'static str, result: Result<Value, Refused>) -> Result<Value, Error> {
    let (done, mut said) = match result {
        Ok(said) => (true, said),
        Err(Refused::Here(why)) => (false, json!({ "why": why })),
        Err(Refused::Core(failure)) => {
            tracing::error!(action, ?failure, "operator: it may be done in part");
            return Err(failure);
        }
    };
    let uid = said["uuid"].as_u64();
    tracing::info!(action, done, uid, "operator");
    if let Value::Object(said) = &mut said {
        said.insert("done".to_owned(), json!(done));
    }
    Ok(said)
}

fn found(account: &Account) -> Value {
    let user = &account.user;
    json!({
        "uuid": user.uid,
        "id": user.id,
        "name": user.name.as_str(),
        "phone": user.phone.as_ref().map(Phone::masked),
        "status": user.status,
        "createdAt": user.created_at,
        "hasPassword": user.password.is_some(),
        "passwordSetAt": user.password_set_at,
        "movedAt": user.moved_at,
        "sessions": user.sessions.len(),
        "knownAddresses": account.known.0.len(),
    })
}

async fn export(app: &App, named: &Named) -> Result<Value, Refused> {
    let who = named.who()?;
    let account = operator::find(app, &who).await?;
    if account.is_none() && !matches!(who, Who::Phone(_)) {
        return Err(NO_ACCOUNT);
    }
    let counted = Counters::of(app, &who, account.as_ref()).read(app).await?;
    let known = account.iter().flat_map(|account| &account.known.0);
    let known = known.map(|it| json!({"lastRight": it.last}));
    Ok(json!({
        "uuid": account.as_ref().map(|account| account.user.uid),
        "account": account.as_ref().map(|account| exported(&account.user)),
        "knownAddresses": known.collect::<Vec<_>>(),
        "codes": codes(&counted),
        "counts": counts(&counted),
    }))
}

/// An account, without its password's hash.
fn exported(user: &User) -> Value {
    let sessions = user.sessions.iter().map(|(id, held)| {
        json!({
            "id": id,
            "began": held.began,
            "method": held.method,
            "lastUsedDay": held.used_day,
            "lastRenewed": held.renewal.map(|renewal| renewal.at),
        })
    });
    json!({
        "uuid": user.uid,
        "id": user.id,
        "name": user.name.as_str(),
        "email": user.email,
        "phone": user.phone.as_ref().map(Phone::e164),
        "createdAt": user.created_at,
        "createdFrom": user.created_ip,
        "icon": user.icon,
        "spaceUsed": user.space_used,
        "spaceCapacity": user.space_capacity,
        "type": user.kind,
        "status": user.status,
        "hasPassword": user.password.is_some(),
        "passwordSetAt": user.password_set_at,
        "movedAt": user.moved_at,
        "movingTo": user.moving.as_ref().map(|moving| moving.to.e164()),
        "movingSince": user.moving.as_ref().map(|moving| moving.sent),
        "metadata": metadata(&user.metadata),
        "sessions": sessions.collect::<Vec<_>>(),
    })
}

fn metadata(metadata: &Metadata) -> Value {
    serde_json::from_str(&metadata.to_json()).unwrap_or_default()
}

/// The codes that were sent, without what they are derived from, and the counts of their slots.
fn codes(counted: &Counted) -> Vec<Value> {
    let mut codes = Vec::new();
    for (purpose, slot) in &counted.slots {
        let code = slot.challenge.as_ref().map(code);
        let sent: Vec<&UnixMs> = slot.cooling_since.values().collect();
        let wrong = slot.failures.values().flat_map(|window| &window.0);
        let wrong: Vec<&UnixMs> = wrong.collect();
        if code.is_some() || !sent.is_empty() || !wrong.is_empty() {
            codes.push(json!({
                "purpose": purpose.name(), "code": code, "coolingSince": sent, "wrongCodes": wrong,
            }));
        }
    }
    codes
}

fn code(challenge: &Challenge) -> Value {
    let newcomer = challenge.newcomer.as_ref().map(metadata);
    json!({
        "phone": challenge.phone.e164(),
        "firstSent": challenge.first_send,
        "lastSent": challenge.last_send,
        "validUntil": challenge.valid_until,
        "used": challenge.spent,
        "metadata": newcomer,
    })
}

fn counts(counted: &Counted) -> Vec<Value> {
    let counts = counted.events.iter().map(|events| {
        let by = events.client.map(who_asked);
        json!({"what": what(events.kind), "by": by, "at": events.window})
    });
    counts.collect()
}

/// What is counted, in words.
fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Messages => "messages",
        Kind::Requests => "requests",
        Kind::Decoys => "decoys",
        Kind::WrongCodes => "wrong codes",
        Kind::WrongPasswords => "wrong passwords",
        Kind::KeptMessages => "messages from kept money",
        Kind::SendsOfAddress => "unused sends of the address",
        Kind::WrongPasswordsOfAddress => "wrong passwords of the address",
    }
}

/// A client in one word.
fn who_asked(client: Client) -> &'static str {
    match client {
        Client::Stranger => "strangers",
        Client::KnownAddress(_) => "a known address",
        Client::KnownSession => "sessions",
    }
}
