//! DynamoDB: two tables, one key attribute, and every condition the guarantees rest on.
//!
//! A decision is made by pure code on what was read, and written on condition that what was read
//! still holds. A write says how it went ([`Put`], [`SendOutcome`]); a lost race is the caller's to
//! decide again. Each round of a race is won by somebody, and tries and sends are few, so that ends.
//!
//! - `codes`: `login#+86…` a slot; `sends#+86…` the latest sends to a phone. Expires by `ttl`.
//! - `users`: `user#<uid>` an account; `phone#+86…` and `name#<lower case>` say whose they are, and
//!   are what makes both unique.

mod items;
mod sends;

use std::{collections::HashMap, time::Duration};

use aws_lc_rs::rand;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, ConditionCheck, KeysAndAttributes, Put as TransactPut,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::SendLimits,
    error::Error,
    phone::Phone,
    purpose::SlotKey,
    slot::Slot,
    time::UnixMs,
    user::{Uid, User},
};
use items::{OwnerItem, SlotItem, UserItem};

type Item = HashMap<String, AttributeValue>;

/// The key attribute of both tables.
const PK: &str = "pk";

/// How long after an item has become useless DynamoDB may start deleting it: clocks differ.
const TTL_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    users: String,
    codes: String,
}

/// Something to read.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// A slot.
    Slot(&'a SlotKey),
    /// Whose phone this is.
    PhoneOwner(&'a Phone),
    /// An account.
    User(Uid),
}

/// What was read: consistently, at one moment per item.
#[derive(Debug)]
pub struct Seen {
    items: HashMap<String, Item>,
}

/// A slot and the version it was read at.
#[derive(Debug, Clone, Default)]
pub struct StoredSlot {
    /// The slot; empty when there is none yet.
    pub slot: Slot,
    version: u64,
}

/// How a conditional write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// Written.
    Done,
    /// Somebody else moved the slot first: read and decide again.
    Raced,
}

/// How recording a send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SendOutcome {
    /// Written: the message may go out.
    Done,
    /// Somebody else moved the slot first: read and decide again.
    Raced,
    /// The phone has had all the messages it may have for now.
    TooFrequent {
        /// When it may have the next one.
        retry_after: Duration,
    },
    /// The account is gone.
    UserGone,
    /// The account is disabled.
    UserDisabled,
}

/// How making an account went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It is there now.
    Done,
    /// The number is taken; draw another.
    UidTaken,
    /// The phone is taken.
    PhoneTaken,
    /// The name is taken.
    NameTaken,
}

/// A send to be recorded: the slot after it, the phone it counts for, the account it is for.
#[derive(Debug)]
pub struct SendRecord<'a> {
    /// The slot's name.
    pub key: &'a SlotKey,
    /// The slot as it was read.
    pub seen: &'a StoredSlot,
    /// The slot after the send.
    pub next: &'a Slot,
    /// When `next` will be useless.
    pub useless_from: UnixMs,
    /// The phone the message goes to.
    pub phone: &'a Phone,
    /// The account that must be there and active.
    pub uid: Uid,
    /// When the message is sent.
    pub now: UnixMs,
}

impl Store {
    /// The store in these tables.
    pub fn new(client: Client, users: String, codes: String) -> Self {
        Self {
            client,
            users,
            codes,
        }
    }

    /// Reads everything a decision needs in one round trip, strongly consistent.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn read(&self, keys: &[Key<'_>]) -> Result<Seen, Error> {
        let mut by_table: HashMap<&str, Vec<Item>> = HashMap::new();
        for key in keys {
            let (table, pk) = match *key {
                Key::Slot(slot) => (&self.codes, slot.as_str().to_owned()),
                Key::PhoneOwner(phone) => (&self.users, items::phone_key(phone)),
                Key::User(uid) => (&self.users, items::user_key(uid)),
            };
            by_table.entry(table).or_default().push(primary_key(pk));
        }
        let mut wanted = HashMap::new();
        for (table, keys) in by_table {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true);
            wanted.insert(table.to_owned(), keys.build().map_err(unbuildable)?);
        }
        let mut items = HashMap::new();
        // DynamoDB may answer for some keys and leave the rest to be asked for again.
        while !wanted.is_empty() {
            let batch = self.client.batch_get_item().set_request_items(Some(wanted));
            let batch = batch
                .send()
                .await
                .map_err(|error| failed("BatchGetItem", &error))?;
            for item in batch
                .responses
                .into_iter()
                .flatten()
                .flat_map(|(_, items)| items)
            {
                if let Some(AttributeValue::S(pk)) = item.get(PK) {
                    items.insert(pk.clone(), item);
                }
            }
            wanted = batch.unprocessed_keys.unwrap_or_default();
        }
        Ok(Seen { items })
    }

    /// Reads one account.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn user(&self, uid: Uid) -> Result<Option<User>, Error> {
        let pk = items::user_key(uid);
        match self.get(&self.users, pk).await? {
            Some(item) => Ok(Some(parse::<UserItem>(item)?.into_user()?)),
            None => Ok(None),
        }
    }

    async fn get(&self, table: &str, pk: String) -> Result<Option<Item>, Error> {
        let get = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(primary_key(pk)));
        let got = get.consistent_read(true).send().await;
        Ok(got.map_err(|error| failed("GetItem", &error))?.item)
    }

    /// Writes a slot if it is still as it was seen.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn put_slot(
        &self,
        key: &SlotKey,
        seen: &StoredSlot,
        next: &Slot,
        useless_from: UnixMs,
    ) -> Result<Put, Error> {
        let item = SlotItem::new(key, seen.version + 1, next, useless_from, random_op()?);
        let (condition, values) = still_at(seen.version);
        let put = self
            .client
            .put_item()
            .table_name(&self.codes)
            .set_item(Some(serialize(&item)?))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Put::Done),
            Err(error) if is_condition_failure(&error) => {
                // The SDK repeats a write whose answer was lost. If what stands there now is what we
                // wrote, the first attempt had gone through and we raced nobody but ourselves.
                let now_there = self.get(&self.codes, key.as_str().to_owned()).await?;
                let now_there = now_there.map(parse::<SlotItem>).transpose()?;
                let ours = now_there.is_some_and(|there| there.op == item.op);
                Ok(if ours { Put::Done } else { Put::Raced })
            }
            Err(error) => Err(failed("PutItem", &error)),
        }
    }

    /// Records a send: the slot moves, the message counts against its phone, and the account is
    /// there and active; all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn record_send(
        &self,
        send: &SendRecord<'_>,
        limits: &SendLimits,
    ) -> Result<SendOutcome, Error> {
        let version = send.seen.version;
        let item = SlotItem::new(
            send.key,
            version + 1,
            send.next,
            send.useless_from,
            random_op()?,
        );
        let (condition, values) = still_at(version);
        let slot = TransactPut::builder()
            .table_name(&self.codes)
            .set_item(Some(serialize(&item)?))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .build()
            .map_err(unbuildable)?;
        let count = sends::count(send.phone, send.now, limits).table_name(&self.codes);
        let count = count.build().map_err(unbuildable)?;
        let active = ConditionCheck::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(items::user_key(send.uid))))
            .condition_expression("#status = :active")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":active", number(0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(unbuildable)?;
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(vec![
                TransactWriteItem::builder().put(slot).build(),
                TransactWriteItem::builder().update(count).build(),
                TransactWriteItem::builder().condition_check(active).build(),
            ]));
        let Err(error) = transaction.send().await else {
            return Ok(SendOutcome::Done);
        };
        let Some([slot, count, user]) = cancellation(&error) else {
            return Err(failed("TransactWriteItems", &error));
        };
        // The account first: whoever is disabled is told so, throttled or not.
        if is_refused(user) {
            return Ok(match &user.item {
                Some(there) if !there.is_empty() => SendOutcome::UserDisabled,
                _ => SendOutcome::UserGone,
            });
        }
        if is_refused(count) && !is_refused(slot) {
            let window = sends::window(count.item.as_ref());
            let waits = [limits.hour, limits.day].map(|limit| window.wait(send.now, &limit));
            let retry_after = waits.into_iter().flatten().max().unwrap_or_default();
            return Ok(SendOutcome::TooFrequent { retry_after });
        }
        let lost = [slot, count, user].iter().all(|reason| {
            matches!(
                reason.code.as_deref(),
                None | Some("None" | "ConditionalCheckFailed" | "TransactionConflict")
            )
        });
        match lost {
            true => Ok(SendOutcome::Raced),
            false => Err(failed("TransactWriteItems", &error)),
        }
    }

    /// Takes the send at `sent_at` off the phone's count, unless a later one has been counted since.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn uncount_send(
        &self,
        phone: &Phone,
        sent_at: UnixMs,
        limits: &SendLimits,
    ) -> Result<(), Error> {
        let (update, condition, values) = sends::uncount(sent_at, limits);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends::key(phone))))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// Makes an account, with its phone and its name, or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn create_user(&self, user: &User) -> Result<Created, Error> {
        let mut names = vec![Created::UidTaken];
        let mut puts = vec![serialize(&UserItem::new(user))?];
        if let Some(phone) = &user.phone {
            names.push(Created::PhoneTaken);
            puts.push(serialize(&OwnerItem::new(
                items::phone_key(phone),
                user.uid,
            ))?);
        }
        names.push(Created::NameTaken);
        puts.push(serialize(&OwnerItem::new(
            items::name_key(&user.name),
            user.uid,
        ))?);
        let mut writes = Vec::new();
        for item in puts {
            let put = TransactPut::builder()
                .table_name(&self.users)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(unbuildable)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes));
        let Err(error) = transaction.send().await else {
            return Ok(Created::Done);
        };
        let reasons = match &error {
            SdkError::ServiceError(answer) => match answer.err() {
                TransactWriteItemsError::TransactionCanceledException(canceled) => {
                    canceled.cancellation_reasons()
                }
                _ => &[],
            },
            _ => &[],
        };
        let taken = names
            .iter()
            .zip(reasons)
            .find(|(_, reason)| is_refused(reason));
        taken
            .map(|(name, _)| *name)
            .ok_or_else(|| failed("TransactWriteItems", &error))
    }
}

impl Seen {
    /// A slot; a fresh one when there is none.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn slot(&self, key: &SlotKey) -> Result<StoredSlot, Error> {
        match self.items.get(key.as_str()) {
            Some(item) => parse::<SlotItem>(item.clone())?.into_stored(),
            None => Ok(StoredSlot::default()),
        }
    }

    /// Whose phone this is.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn phone_owner(&self, phone: &Phone) -> Result<Option<Uid>, Error> {
        let item = self.items.get(&items::phone_key(phone));
        let owner = item
            .map(|item| parse::<OwnerItem>(item.clone()))
            .transpose()?;
        Ok(owner.map(|owner| owner.uid))
    }

    /// An account.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn user(&self, uid: Uid) -> Result<Option<User>, Error> {
        let item = self.items.get(&items::user_key(uid));
        item.map(|item| parse::<UserItem>(item.clone())?.into_user())
            .transpose()
    }
}

fn primary_key(pk: String) -> Item {
    HashMap::from([(PK.to_owned(), AttributeValue::S(pk))])
}

fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

/// The condition that a slot has not moved since it was read at `version`; 0 means it was not there.
fn still_at(version: u64) -> (&'static str, Option<Item>) {
    match version {
        0 => ("attribute_not_exists(pk)", None),
        _ => {
            let values = HashMap::from([(":seen".to_owned(), number(version))]);
            ("version = :seen", Some(values))
        }
    }
}

/// Names one write, so that it can be recognised when its answer was lost.
fn random_op() -> Result<String, Error> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| Error::Internal("no randomness".into()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

fn is_condition_failure(error: &SdkError<PutItemError>) -> bool {
    error.code() == Some(CONDITION_FAILED)
}

/// The reasons of a transaction of `N` writes that was cancelled.
fn cancellation<const N: usize>(
    error: &SdkError<TransactWriteItemsError>,
) -> Option<&[CancellationReason; N]> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(canceled) => {
            canceled.cancellation_reasons().try_into().ok()
        }
        _ => None,
    }
}

fn is_refused(reason: &CancellationReason) -> bool {
    reason.code.as_deref() == Some("ConditionalCheckFailed")
}

fn serialize(item: &impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(item).map_err(|error| Error::Internal(format!("item: {error}")))
}

fn parse<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|error| Error::Internal(format!("item: {error}")))
}

fn unbuildable(error: impl std::error::Error) -> Error {
    Error::Internal(format!("request: {error}"))
}

/// An SDK failure as the log may have it: the call, and the error's code or kind. Messages and items
/// stay out: they can quote keys, and keys hold phone numbers.
fn failed<E: ProvideErrorMetadata>(call: &str, error: &SdkError<E>) -> Error {
    let kind = match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("error without a code"),
        SdkError::TimeoutError(_) => "time-out",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "time-out",
        SdkError::DispatchFailure(_) => "connection failure",
        SdkError::ConstructionFailure(_) => "construction failure",
        _ => "unreadable answer",
    };
    Error::Internal(format!("DynamoDB {call}: {kind}"))
}
