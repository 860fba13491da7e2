//! What the items look like, and their way into the domain and back.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Reset, StoredSlot, TTL_MARGIN};
use crate::domain::{
    budget::Shard,
    client_address::Source,
    error::Error,
    password::PasswordHash,
    phone::Phone,
    slot::{Attribution, Challenge, ChallengeId, Nonce, Slot},
    slot_key::SlotKey,
    time::UnixMs,
    token::ResetHash,
    user::{Name, Uid, User},
    window::Window,
};

pub(super) fn user_key(uid: Uid) -> String {
    format!("user#{}", uid.0)
}

pub(super) fn phone_key(phone: &Phone) -> String {
    format!("phone#{}", phone.e164())
}

pub(super) fn name_key(name: &Name) -> String {
    format!("name#{}", name.folded())
}

/// A reset token's item: named by its hash, so that the table does not hold the token.
pub(super) fn reset_key(hash: &ResetHash) -> String {
    format!("reset#{}", hash.as_str())
}

/// A reset token in the codes table.
#[derive(Serialize, Deserialize)]
pub(super) struct ResetItem {
    pk: String,
    uid: Uid,
    country: String,
    phone: String,
    expires_ms: UnixMs,
    spent: bool,
    ttl: u64,
}

impl ResetItem {
    pub(super) fn new(hash: &ResetHash, reset: &Reset) -> Self {
        Self {
            pk: reset_key(hash),
            uid: reset.uid,
            country: reset.phone.country().to_string(),
            phone: reset.phone.national().to_owned(),
            expires_ms: reset.expires_at,
            spent: reset.spent,
            ttl: reset.expires_at.plus(TTL_MARGIN).as_secs(),
        }
    }

    pub(super) fn into_reset(self) -> Result<Reset, Error> {
        Ok(Reset {
            uid: self.uid,
            phone: phone(&self.country, &self.phone)?,
            expires_at: self.expires_ms,
            spent: self.spent,
        })
    }
}

/// A slot in the codes table.
#[derive(Serialize, Deserialize)]
pub(super) struct SlotItem {
    pk: String,
    /// Raised by every write; the condition of the next.
    version: u64,
    /// Names the write that made it.
    pub(super) op: String,
    /// Seconds; DynamoDB deletes the item some time later.
    ttl: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<ChallengeItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooling_since: Option<UnixMs>,
    failures: Window,
}

#[derive(Serialize, Deserialize)]
struct ChallengeItem {
    id: String,
    nonce: String,
    kid: String,
    country: String,
    phone: String,
    first_send: UnixMs,
    last_send: UnixMs,
    valid_until: UnixMs,
    wrong_tries: u32,
    spent: bool,
    #[serde(default)]
    origins: Vec<OriginItem>,
    #[serde(default)]
    decoy: bool,
}

#[derive(Serialize, Deserialize)]
struct OriginItem {
    source: String,
    day: u64,
    shard: u16,
}

impl SlotItem {
    pub(super) fn new(
        key: &SlotKey,
        version: u64,
        slot: &Slot,
        useless_from: UnixMs,
        op: String,
    ) -> Self {
        let challenge = slot.challenge.as_ref().map(|challenge| ChallengeItem {
            id: BASE64_STANDARD_NO_PAD.encode(challenge.id.0),
            nonce: BASE64_STANDARD_NO_PAD.encode(challenge.nonce.0),
            kid: challenge.kid.clone(),
            country: challenge.phone.country().to_string(),
            phone: challenge.phone.national().to_owned(),
            first_send: challenge.first_send,
            last_send: challenge.last_send,
            valid_until: challenge.valid_until,
            wrong_tries: challenge.wrong_tries,
            spent: challenge.spent,
            origins: challenge.attributions.iter().map(OriginItem::new).collect(),
            decoy: challenge.decoy,
        });
        Self {
            pk: key.as_str().to_owned(),
            version,
            op,
            ttl: useless_from.plus(TTL_MARGIN).as_secs(),
            challenge,
            cooling_since: slot.cooling_since,
            failures: slot.failures.clone(),
        }
    }

    pub(super) fn into_stored(self) -> Result<StoredSlot, Error> {
        let challenge = self.challenge.map(ChallengeItem::into_challenge);
        let challenge = challenge.transpose()?;
        Ok(StoredSlot {
            version: self.version,
            slot: Slot {
                challenge,
                cooling_since: self.cooling_since,
                failures: self.failures,
            },
        })
    }
}

impl ChallengeItem {
    fn into_challenge(self) -> Result<Challenge, Error> {
        Ok(Challenge {
            id: ChallengeId(sixteen_bytes(&self.id)?),
            nonce: Nonce(sixteen_bytes(&self.nonce)?),
            kid: self.kid,
            phone: phone(&self.country, &self.phone)?,
            first_send: self.first_send,
            last_send: self.last_send,
            valid_until: self.valid_until,
            wrong_tries: self.wrong_tries,
            spent: self.spent,
            attributions: self
                .origins
                .into_iter()
                .map(OriginItem::into_origin)
                .collect(),
            decoy: self.decoy,
        })
    }
}

impl OriginItem {
    fn new(origin: &Attribution) -> Self {
        Self {
            source: origin.source.as_str().to_owned(),
            day: origin.shard.day,
            shard: origin.shard.number,
        }
    }

    fn into_origin(self) -> Attribution {
        Attribution {
            source: Source::from_stored(self.source),
            shard: Shard {
                day: self.day,
                number: self.shard,
            },
        }
    }
}

fn phone(country: &str, national: &str) -> Result<Phone, Error> {
    let phone = Phone::from_parts(country, national);
    phone.ok_or_else(|| Error::Internal("item: not a phone".into()))
}

fn sixteen_bytes(encoded: &str) -> Result<[u8; 16], Error> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(encoded).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::Internal("item: not sixteen bytes".into()))
}

/// Whose a phone or a name is.
#[derive(Serialize, Deserialize)]
pub(super) struct OwnerItem {
    pk: String,
    pub(super) uid: Uid,
}

impl OwnerItem {
    pub(super) fn new(pk: String, uid: Uid) -> Self {
        Self { pk, uid }
    }
}

/// An account in the users table.
#[derive(Serialize, Deserialize)]
pub(super) struct UserItem {
    pk: String,
    uid: Uid,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    created_ms: UnixMs,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    created_ip: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    icon: String,
    space_used: u64,
    space_capacity: u64,
    #[serde(rename = "type")]
    kind: i64,
    status: i64,
    epoch: u64,
}

impl UserItem {
    pub(super) fn new(user: &User) -> Self {
        Self {
            pk: user_key(user.uid),
            uid: user.uid,
            name: user.name.as_str().to_owned(),
            email: user.email.clone(),
            country: user.phone.as_ref().map(|phone| phone.country().to_string()),
            phone: user.phone.as_ref().map(|phone| phone.national().to_owned()),
            password: user.password.as_ref().map(|hash| hash.as_str().to_owned()),
            created_ms: user.created_at,
            created_ip: user.created_ip.clone(),
            icon: user.icon.clone(),
            space_used: user.space_used,
            space_capacity: user.space_capacity,
            kind: user.kind,
            status: user.status,
            epoch: user.epoch,
        }
    }

    pub(super) fn into_user(self) -> Result<User, Error> {
        let phone = match (&self.country, &self.phone) {
            (Some(country), Some(national)) => Some(phone(country, national)?),
            _ => None,
        };
        let name = Name::parse(&self.name);
        Ok(User {
            uid: self.uid,
            name: name.ok_or_else(|| Error::Internal("item: not a name".into()))?,
            password: self.password.map(PasswordHash::from_stored),
            email: self.email,
            phone,
            created_at: self.created_ms,
            created_ip: self.created_ip,
            icon: self.icon,
            space_used: self.space_used,
            space_capacity: self.space_capacity,
            kind: self.kind,
            status: self.status,
            epoch: self.epoch,
        })
    }
}
