//! The JSON of `import-users`: `{"users":[…]}` in, a report out.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::App,
    domain::{
        error::Error,
        password::{BadHash, Password, PasswordHash},
        phone::Phone,
        time::UnixMs,
        user::{AccountId, Name, Uid, User},
    },
    flow::import::{self, Candidate, Imported},
    random,
};

/// `{"users":[…]}`. `Debug` hides the users.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Each is read on its own: an invalid one does not keep the others out.
    users: Vec<Value>,
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Import({} users)", self.users.len())
    }
}

/// One account. Only `name` is required. An unknown field is an error, because it may be a misspelt
/// one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    /// Kept if given, so that what other systems have stored about the account stays right.
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

/// The report of an import.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many accounts were created.
    pub created: usize,
    /// How many exist already, whole or in part. They are unchanged.
    pub exists: usize,
    /// How many entries describe no account.
    pub invalid: usize,
    /// One line for each entry, in the order given.
    pub users: Vec<Line>,
}

/// What one entry came to.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The entry's place in `users`, from 0.
    index: usize,
    outcome: EntryOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum EntryOutcome {
    Created,
    Exists,
    Invalid,
}

/// The largest integer that a JSON number holds exactly in every client.
const MAX_UID: u64 = (1 << 53) - 1;

/// Imports each entry in a transaction of its own. Repeating an import changes nothing.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails. What was created until then stays; repeating the import
/// creates the rest.
pub async fn run(app: &App, import: &Import, now: UnixMs) -> Result<Report, Error> {
    let mut report = Report::default();
    for entry in &import.users {
        let (outcome, uuid, why) = match read(app, entry, now) {
            Ok(candidate) => outcome_of(import::create(app, candidate).await?),
            Err(why) => (EntryOutcome::Invalid, None, Some(why)),
        };
        report.add(outcome, uuid, why);
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

impl Report {
    fn add(&mut self, outcome: EntryOutcome, uuid: Option<u64>, why: Option<String>) {
        match outcome {
            EntryOutcome::Created => self.created += 1,
            EntryOutcome::Exists => self.exists += 1,
            EntryOutcome::Invalid => self.invalid += 1,
        }
        self.users.push(Line {
            index: self.users.len(),
            outcome,
            uuid,
            why,
        });
    }
}

fn outcome_of(imported: Imported) -> (EntryOutcome, Option<u64>, Option<String>) {
    let exists = |why: &str| (EntryOutcome::Exists, None, Some(why.to_owned()));
    match imported {
        Imported::Created(uid) => (EntryOutcome::Created, Some(uid.0), None),
        Imported::UidTaken => exists("uuid taken"),
        Imported::PhoneTaken => exists("phone taken"),
        Imported::NameTaken => exists("name taken"),
    }
}

/// Reads an entry. The error says what is wrong with it and does not quote it.
fn read(app: &App, entry: &Value, now: UnixMs) -> Result<Candidate, String> {
    let entry = Entry::deserialize(entry).map_err(|error| shape_of(&error))?;
    let name = Name::choose(&entry.name).map_err(|error| match error {
        Error::NameTaken => "name: digits alone or an e-mail address",
        _ => "name: 1 to 64 visible characters, of one alphabet",
    })?;
    let phone = phone(app, &entry)?;
    let uid = match entry.uuid {
        None => random::bytes()
            .map(|random| Uid::from_random(random, app.config.draws.largest_uid))
            .map_err(|_| "no randomness")?,
        Some(uid @ 1..=MAX_UID) => Uid(uid),
        Some(_) => return Err("uuid: 1 to 2^53-1".into()),
    };
    let id = random::bytes().map(AccountId::from_random);
    let id = id.map_err(|_| "no randomness")?;
    let created_at = UnixMs(entry.create_time.unwrap_or(now.0));
    let mut user = User::new(uid, id, name, phone, created_at);
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
        has_drawn_uid: entry.uuid.is_none(),
    })
}

fn phone(app: &App, entry: &Entry) -> Result<Option<Phone>, String> {
    let Some(phone) = entry.phone.as_deref() else {
        return Ok(None);
    };
    let country = entry.country_code.as_deref().unwrap_or("86");
    let country = country.trim_start_matches('+');
    match Phone::parse(country, phone, &app.config.served) {
        Ok(phone) => Ok(Some(phone)),
        Err(Error::CountryNotServed) => Err("countryCode: not served".to_owned()),
        Err(_) => Err("phone: not a number of its country".to_owned()),
    }
}

fn password(app: &App, entry: &Entry) -> Result<Option<PasswordHash>, String> {
    let given = (&entry.password, &entry.password_md5, &entry.password_hash);
    let password = match given {
        (None, None, None) => return Ok(None),
        (Some(plain), None, None) => {
            Password::parse(plain).ok_or("password: 6 to 64 characters")?
        }
        (None, Some(md5), None) => {
            let digits = md5.trim();
            let is_md5 = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let password = Password::parse(digits).filter(|_| is_md5);
            password.ok_or("passwordMd5: 32 hex digits")?
        }
        (None, None, Some(hash)) => {
            let hash = PasswordHash::parse(hash).map_err(|bad| match bad {
                BadHash::NotArgon2id => "passwordHash: an Argon2id PHC string",
                BadHash::Excessive => {
                    "passwordHash: at most 64 MiB, 10 passes and 4 lanes; a salt of 8 bytes or more, a hash of 16 or more"
                }
            });
            return Ok(Some(hash?));
        }
        _ => return Err("password, passwordMd5, passwordHash: one of them".into()),
    };
    let hash = random::bytes().and_then(|salt| app.config.password_hasher.hash(&password, salt));
    Ok(Some(hash.map_err(|_| "password: could not be hashed")?))
}

/// Serde's description of a wrong shape, without the values that it quotes.
fn shape_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("invalid type") {
        "a field of the wrong type".to_owned()
    } else {
        text
    }
}
