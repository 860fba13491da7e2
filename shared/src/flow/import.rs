//! Bringing accounts over from elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::App,
    domain::{
        error::Error,
        password::{Password, PasswordHash},
        phone::Phone,
        time::UnixMs,
        user::{Name, Uid, User},
    },
    random,
    store::Created,
};

/// `{"users":[…]}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Each judged on its own: one that is invalid does not keep the others out.
    users: Vec<Value>,
}

/// One account. Only `name` is required; a misspelt field is an error, not a loss.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    /// Kept if given, so that what other systems have stored of an account goes on being right.
    uuid: Option<u64>,
    country_code: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    /// The password itself.
    password: Option<String>,
    /// Its MD5, in hex.
    password_md5: Option<String>,
    /// An Argon2id PHC string over the MD5 in lower-case hex.
    password_hash: Option<String>,
    create_time: Option<u64>,
    create_ip: Option<String>,
    icon: Option<String>,
    space_used: Option<u64>,
    space_capacity: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<i64>,
    status: Option<i64>,
}

/// What became of an import.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many accounts have been made.
    pub created: usize,
    /// How many were there already, whole or in part; they are as they were.
    pub exists: usize,
    /// How many can be no accounts.
    pub invalid: usize,
    /// Each of them, in the order given.
    pub users: Vec<Line>,
}

/// What became of one account.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its place in `users`, from 0.
    index: usize,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Created,
    Exists,
    Invalid,
}

/// The largest number a JSON number holds exactly in every client.
const MAX_UID: u64 = (1 << 53) - 1;

/// Makes what is not there yet, one transaction each. Doing it twice changes nothing.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails: what has been made until then stays, and doing it again
/// goes on from there.
pub async fn import(app: &App, import: &Import, now: UnixMs) -> Result<Report, Error> {
    let mut report = Report::default();
    for (index, entry) in import.users.iter().enumerate() {
        let (outcome, uuid, why) = match account(app, entry, now) {
            Ok(user) => create(app, user).await?,
            Err(why) => (Outcome::Invalid, None, Some(why)),
        };
        match outcome {
            Outcome::Created => report.created += 1,
            Outcome::Exists => report.exists += 1,
            Outcome::Invalid => report.invalid += 1,
        }
        report.users.push(Line {
            index,
            outcome,
            uuid,
            why,
        });
    }
    let Report {
        created,
        exists,
        invalid,
        ..
    } = report;
    tracing::info!(created, exists, invalid, "users imported");
    Ok(report)
}

/// An account, and whether its number was given or drawn.
struct Candidate {
    user: User,
    is_drawn: bool,
}

async fn create(
    app: &App,
    mut candidate: Candidate,
) -> Result<(Outcome, Option<u64>, Option<String>), Error> {
    loop {
        let exists = |what: &str| Ok((Outcome::Exists, None, Some(format!("{what} taken"))));
        match app.store.create_user(&candidate.user, None).await? {
            Created::Done => return Ok((Outcome::Created, Some(candidate.user.uid.0), None)),
            Created::NameTaken => return exists("name"),
            Created::PhoneTaken => return exists("phone"),
            Created::UidTaken if candidate.is_drawn => {
                candidate.user.uid = Uid::from_random(random::bytes()?)
            }
            Created::UidTaken => return exists("uuid"),
            Created::Raced => {}
        }
    }
}

/// Reads an account, or says why it is none, without quoting it.
fn account(app: &App, entry: &Value, now: UnixMs) -> Result<Candidate, String> {
    let entry = Entry::deserialize(entry).map_err(|error| shape_of(&error))?;
    let name = Name::parse(&entry.name).ok_or("name: 1 to 64 characters, no control characters")?;
    let country = entry
        .country_code
        .as_deref()
        .unwrap_or("86")
        .trim_start_matches('+');
    let phone = match entry.phone.as_deref() {
        None => None,
        Some(phone) => Some(Phone::parse(country, phone, &app.served).map_err(
            |error| match error {
                Error::CountryNotServed => "countryCode: not served",
                _ => "phone: not a number of its country",
            },
        )?),
    };
    let uid = match entry.uuid {
        None => random::bytes()
            .map(Uid::from_random)
            .map_err(|_| "no randomness")?,
        Some(uid @ 1..=MAX_UID) => Uid(uid),
        Some(_) => return Err("uuid: 1 to 2^53-1".into()),
    };
    let mut user = User::new(uid, name, phone, UnixMs(entry.create_time.unwrap_or(now.0)));
    user.password = password(app, &entry)?;
    user.email = entry.email.unwrap_or_default();
    user.created_ip = entry.create_ip.unwrap_or_default();
    user.icon = entry.icon.unwrap_or(user.icon);
    user.space_used = entry.space_used.unwrap_or(user.space_used);
    user.space_capacity = entry.space_capacity.unwrap_or(user.space_capacity);
    user.kind = entry.kind.unwrap_or(user.kind);
    user.status = entry.status.unwrap_or(user.status);
    Ok(Candidate {
        user,
        is_drawn: entry.uuid.is_none(),
    })
}

fn password(app: &App, entry: &Entry) -> Result<Option<PasswordHash>, String> {
    let given = (&entry.password, &entry.password_md5, &entry.password_hash);
    let password = match given {
        (None, None, None) => return Ok(None),
        (Some(plain), None, None) => {
            Password::parse(plain).ok_or("password: 6 to 64 characters")?
        }
        (None, Some(md5), None) => {
            let is_md5 = md5.len() == 32;
            let md5 = Password::parse(md5).filter(|_| is_md5);
            md5.ok_or("passwordMd5: 32 hex digits")?
        }
        (None, None, Some(hash)) => {
            let hash = PasswordHash::parse(hash);
            return Ok(Some(hash.ok_or("passwordHash: an Argon2id PHC string")?));
        }
        _ => return Err("password, passwordMd5, passwordHash: one of them".into()),
    };
    let hash = app
        .password_hasher
        .hash(&password, random::bytes().map_err(|_| "no randomness")?);
    Ok(Some(hash.map_err(|_| "password: could not be hashed")?))
}

/// What serde says of the shape, without the values it quotes.
fn shape_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once("invalid type") {
        Some(_) => "a field of the wrong type".to_owned(),
        None => text,
    }
}
