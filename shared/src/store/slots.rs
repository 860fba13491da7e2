//! Slots: all of one purpose and one phone, under the name of their [`SlotKey`].
//!
//! A slot is written on condition that its version has not moved since it was read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    Key, Seen, Store, TTL_MARGIN,
    failure::{failed, is_condition},
    item::{Item, number, parse, parse_metadata, parse_phone, serialize},
    op::Op,
    repeat,
    transaction::{Outcome, put_part},
};
use crate::domain::{
    budget::Shard,
    client::{Client, PerClient},
    client_address::Source,
    error::Error,
    metadata::Metadata,
    slot::{Attribution, Challenge, ChallengeId, Mover, Nonce, Slot},
    slot_key::SlotKey,
    time::UnixMs,
    user::Uid,
    window::Window,
};

/// A slot, and the version it was read at.
#[derive(Debug, Clone, Default)]
pub struct StoredSlot {
    /// The slot; empty when there is none yet.
    pub slot: Slot,
    /// 0 when there is none yet.
    version: u64,
}

/// A slot's step from the state that was read to the next.
#[derive(Debug, Clone)]
pub struct SlotMove<'a> {
    /// The slot's name.
    pub key: &'a SlotKey,
    /// The slot as it was read.
    pub seen: StoredSlot,
    /// The slot as it will be.
    pub next: Slot,
    /// When `next` can no longer decide a request.
    pub useless_from: UnixMs,
}

#[derive(Serialize, Deserialize)]
struct SlotItem {
    pk: String,
    /// Raised by every write; the condition of the next.
    version: u64,
    /// The [`Op`] of the write that made the item.
    op: String,
    /// Unix time in seconds. DynamoDB deletes the item some time later.
    ttl: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<ChallengeItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoy: Option<ChallengeItem>,
    /// The decoy once more, where no challenge is beside it. It says nothing, and makes both slots take as long to
    /// write and to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_in: Option<ChallengeItem>,
    cooling_since: PerClient<UnixMs>,
    failures: PerClient<Window>,
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
    wrong_tries: PerClient<u32>,
    taken_names: u32,
    spent: bool,
    attributions: Vec<AttributionItem>,
    decoy: bool,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newcomer: Option<String>,
    /// The account's number, `@`, and the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mover: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AttributionItem {
    client: Client,
    source: String,
    day: u64,
    shard: u16,
}

impl Key {
    /// A slot.
    pub fn slot(key: &SlotKey) -> Self {
        Self::of_codes(key.as_str().to_owned())
    }
}

impl Seen {
    /// A slot; an empty one when there is none yet.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn slot(&self, key: &SlotKey) -> Result<StoredSlot, Error> {
        match self.item(&Key::slot(key)) {
            Some(item) => parse::<SlotItem>(item.clone())?.into_stored(),
            None => Ok(StoredSlot::default()),
        }
    }
}

impl Store {
    /// Writes a slot if it is still as it was read.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn move_slot(&self, step: &SlotMove<'_>) -> Result<Outcome, Error> {
        let op = Op::draw()?;
        let item = step.item(&op)?;
        let (condition, values) = step.condition();
        let put = self
            .client
            .put_item()
            .table_name(&self.codes)
            .set_item(Some(serialize(&item)?))
            .condition_expression(condition)
            .set_expression_attribute_values(values);
        match repeat::put(put).await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if is_condition(&error) => {
                // The SDK repeats a write whose answer was lost. If the item there carries our `op`, the
                // first attempt went through, and the repeat lost to that attempt.
                let there = self.get(Key::slot(step.key)).await?;
                Ok(if op.made(there.as_ref()) {
                    Outcome::Done
                } else {
                    Outcome::Raced
                })
            }
            Err(error) => Err(failed("PutItem", &error)),
        }
    }

    /// The same write, as a part of a transaction.
    pub(super) fn put_slot(&self, step: &SlotMove<'_>) -> Result<TransactWriteItem, Error> {
        let (condition, values) = step.condition();
        let put = Put::builder()
            .table_name(&self.codes)
            .set_item(Some(serialize(&step.item(&Op::draw()?)?)?))
            .condition_expression(condition)
            .set_expression_attribute_values(values);
        put_part(put)
    }
}

impl SlotMove<'_> {
    fn item(&self, op: &Op) -> Result<SlotItem, Error> {
        let Slot {
            challenge,
            decoy,
            cooling_since,
            failures,
        } = &self.next;
        let stands_in = decoy.as_ref().filter(|_| challenge.is_none());
        Ok(SlotItem {
            pk: self.key.as_str().to_owned(),
            version: self.seen.version + 1,
            op: op.name().to_owned(),
            ttl: self.useless_from.plus(TTL_MARGIN).as_secs(),
            challenge: challenge.as_ref().map(ChallengeItem::new),
            decoy: decoy.as_ref().map(ChallengeItem::new),
            stands_in: stands_in.map(ChallengeItem::new),
            cooling_since: cooling_since.clone(),
            failures: failures.clone(),
        })
    }

    /// That the slot has not moved since it was read.
    fn condition(&self) -> (&'static str, Option<Item>) {
        match self.seen.version {
            0 => ("attribute_not_exists(pk)", None),
            version => {
                let values = HashMap::from([(":seen".to_owned(), number(version))]);
                ("version = :seen", Some(values))
            }
        }
    }
}

impl SlotItem {
    fn into_stored(self) -> Result<StoredSlot, Error> {
        let challenge = self.challenge.map(ChallengeItem::into_challenge);
        let decoy = self.decoy.map(ChallengeItem::into_challenge);
        self.stands_in
            .map(ChallengeItem::into_challenge)
            .transpose()?;
        Ok(StoredSlot {
            version: self.version,
            slot: Slot {
                challenge: challenge.transpose()?,
                decoy: decoy.transpose()?,
                cooling_since: self.cooling_since,
                failures: self.failures,
            },
        })
    }
}

impl ChallengeItem {
    fn new(challenge: &Challenge) -> Self {
        let attributions = challenge.attributions.iter();
        Self {
            id: BASE64_STANDARD_NO_PAD.encode(challenge.id.0),
            nonce: BASE64_STANDARD_NO_PAD.encode(challenge.nonce.0),
            kid: challenge.kid.clone(),
            country: challenge.phone.country().to_string(),
            phone: challenge.phone.national().to_owned(),
            first_send: challenge.first_send,
            last_send: challenge.last_send,
            valid_until: challenge.valid_until,
            wrong_tries: challenge.wrong_tries.clone(),
            taken_names: challenge.taken_names,
            spent: challenge.spent,
            attributions: attributions.map(AttributionItem::new).collect(),
            decoy: challenge.decoy,
            newcomer: challenge.newcomer.as_ref().map(Metadata::to_json),
            mover: challenge.mover.as_ref().map(mover_text),
        }
    }

    fn into_challenge(self) -> Result<Challenge, Error> {
        let attributions = self.attributions.into_iter();
        Ok(Challenge {
            id: ChallengeId(sixteen_bytes(&self.id)?),
            nonce: Nonce(sixteen_bytes(&self.nonce)?),
            kid: self.kid,
            phone: parse_phone(&self.country, &self.phone)?,
            first_send: self.first_send,
            last_send: self.last_send,
            valid_until: self.valid_until,
            wrong_tries: self.wrong_tries,
            taken_names: self.taken_names,
            spent: self.spent,
            attributions: attributions
                .map(AttributionItem::into_attribution)
                .collect(),
            decoy: self.decoy,
            newcomer: self.newcomer.as_deref().map(parse_metadata).transpose()?,
            mover: self.mover.as_deref().map(parse_mover).transpose()?,
        })
    }
}

fn mover_text(mover: &Mover) -> String {
    format!("{}@{}", mover.uid.0, mover.source.as_str())
}

fn parse_mover(text: &str) -> Result<Mover, Error> {
    let mover = text.split_once('@').and_then(|(uid, source)| {
        Some(Mover {
            uid: Uid(uid.parse().ok()?),
            source: Source::from_stored(source.to_owned()),
        })
    });
    mover.ok_or_else(|| Error::internal("item: not a mover"))
}

impl AttributionItem {
    fn new(attribution: &Attribution) -> Self {
        Self {
            client: attribution.client,
            source: attribution.source.as_str().to_owned(),
            day: attribution.shard.day,
            shard: attribution.shard.number,
        }
    }

    fn into_attribution(self) -> Attribution {
        Attribution {
            client: self.client,
            source: Source::from_stored(self.source),
            shard: Shard {
                day: self.day,
                number: self.shard,
            },
        }
    }
}

fn sixteen_bytes(encoded: &str) -> Result<[u8; 16], Error> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(encoded).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::internal("item: not sixteen bytes"))
}
