//! DynamoDB: two tables, one key attribute, and every condition the guarantees rest on.
//!
//! A decision is made by pure code on what was read, and written on condition that what was read
//! still holds. A write says how it went; a lost race ([`Outcome::Raced`]) is the caller's to decide
//! again. Each round of a race is won by somebody, and tries and sends are few, so that ends.
//!
//! - `codes`: a slot under the name its [`SlotKey`] has; `sends#+86…` the latest sends to a phone;
//!   `source#<address>` the latest sends asked for from there; `spend#<day>#<shard>` the money ledger;
//!   `attempts#<uid>` the latest wrong passwords of an account; `reset#<hash>` a reset token. All of
//!   it expires by `ttl`.
//! - `users`: `user#<uid>` an account; `phone#+86…` and `name#<lower case>` say whose they are, and
//!   are what makes both unique.

mod items;
mod ledger;
mod register;
mod sources;

use std::{collections::HashMap, time::Duration};

use aws_lc_rs::rand;
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{
        AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    aws::Dynamodb,
    domain::{
        budget::Shard,
        error::Error,
        password::PasswordHash,
        phone::Phone,
        slot::Slot,
        slot_key::SlotKey,
        time::UnixMs,
        token::{ResetHash, Session},
        user::{Name, Uid, User},
        window::Limit,
    },
};
use items::{OwnerItem, ResetItem, SlotItem, UserItem};
pub use ledger::Reserved;
use register::Register;
pub use sources::Counted;

type Item = HashMap<String, AttributeValue>;

/// The key attribute of both tables.
const PK: &str = "pk";

/// How long after an item has become useless DynamoDB may start deleting it: clocks differ.
const TTL_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Dynamodb,
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
    /// Whose name this is.
    NameOwner(&'a Name),
    /// An account.
    User(Uid),
    /// A reset token.
    Reset(&'a ResetHash),
    /// A shard of the ledger.
    Shard(Shard),
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

/// A slot's step from what was seen to what comes next.
#[derive(Debug, Clone)]
pub struct SlotMove<'a> {
    /// The slot's name.
    pub key: &'a SlotKey,
    /// The slot as it was read.
    pub seen: StoredSlot,
    /// The slot as it shall be.
    pub next: Slot,
    /// When `next` will be useless.
    pub useless_from: UnixMs,
}

/// A reset token, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Whose password it lets change.
    pub uid: Uid,
    /// Where its code was sent; the token dies when the account moves away from there.
    pub phone: Phone,
    /// It is refused from this moment on.
    pub expires_at: UnixMs,
    /// Used once, never again.
    pub spent: bool,
}

/// How a conditional write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Written, all of it.
    Done,
    /// Somebody else was first, and nothing is written: read and decide again.
    Raced,
}

/// How recording a send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SendOutcome {
    /// Written: the message may go out.
    Done,
    /// Somebody else was first: read and decide again.
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
    /// Somebody else moved the slot first: read and decide again.
    Raced,
    /// The number is taken; draw another.
    UidTaken,
    /// The phone is taken.
    PhoneTaken,
    /// The name is taken.
    NameTaken,
}

/// How moving an account to another phone went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Moved {
    /// It is there now.
    Done,
    /// Somebody else was first: read and decide again.
    Raced,
    /// Another account has the phone.
    PhoneTaken,
}

/// How counting a password attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Attempt {
    /// Counted: the password may be looked at.
    Counted,
    /// There were too many.
    TooMany {
        /// When the next one may be made.
        retry_after: Duration,
    },
}

/// What must hold of an account when something is written for it.
#[derive(Debug, Clone, Copy)]
enum Still<'a> {
    /// It is active.
    Active,
    /// It is active and at this session epoch.
    At { epoch: u64 },
    /// It is active and has this phone.
    Reachable { phone: &'a Phone },
}

impl Store {
    /// The store in these tables.
    pub fn new(client: Dynamodb, users: String, codes: String) -> Self {
        Self {
            client,
            users,
            codes,
        }
    }

    /// Builds the client that the first request needs, if what runs beside this is still waiting for
    /// something.
    pub async fn prepare(&self) {
        self.client.prepare().await;
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
                Key::Reset(hash) => (&self.codes, items::reset_key(hash)),
                Key::Shard(shard) => (&self.codes, ledger::key(shard)),
                Key::PhoneOwner(phone) => (&self.users, items::phone_key(phone)),
                Key::NameOwner(name) => (&self.users, items::name_key(name)),
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
    pub async fn move_slot(&self, step: &SlotMove<'_>) -> Result<Outcome, Error> {
        let (item, op) = step.item()?;
        let (condition, values) = step.condition();
        let put = self
            .client
            .put_item()
            .table_name(&self.codes)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values);
        match put.send().await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if error.code() == Some(CONDITION_FAILED) => {
                // The SDK repeats a write whose answer was lost. If what stands there now is what we
                // wrote, the first attempt had gone through and we raced nobody but ourselves.
                let now_there = self.get(&self.codes, step.key.as_str().to_owned()).await?;
                let now_there = now_there.map(parse::<SlotItem>).transpose()?;
                let ours = now_there.is_some_and(|there| there.op == op);
                Ok(if ours { Outcome::Done } else { Outcome::Raced })
            }
            Err(error) => Err(failed("PutItem", &error)),
        }
    }

    /// Records a send: the slot moves, the message counts against its phone, and the account, where
    /// there is one, is there and active; all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn record_send(
        &self,
        step: &SlotMove<'_>,
        phone: &Phone,
        uid: Option<Uid>,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<SendOutcome, Error> {
        let sends = sends(phone, limits);
        let count = sends.count(now);
        let count = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.key.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut writes = vec![
            self.put_slot(step)?,
            TransactWriteItem::builder()
                .update(count.build().map_err(unbuildable)?)
                .build(),
        ];
        if let Some(uid) = uid {
            writes.push(self.check_user(uid, Still::Active)?);
        }
        let reasons = match self.transact(writes).await? {
            Transaction::Done => return Ok(SendOutcome::Done),
            Transaction::Cancelled(reasons) => reasons,
        };
        // The account first: whoever is disabled is told so, throttled or not.
        if let Some(Reason::Refused(user)) = reasons.get(2) {
            return Ok(match user {
                Some(_) => SendOutcome::UserDisabled,
                None => SendOutcome::UserGone,
            });
        }
        Ok(match (&reasons[0], &reasons[1]) {
            (Reason::Held, Reason::Refused(item)) => SendOutcome::TooFrequent {
                retry_after: sends.wait(item.as_ref(), now),
            },
            _ => SendOutcome::Raced,
        })
    }

    /// Takes the send at `sent_at` off the phone's count.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn uncount_send(
        &self,
        phone: &Phone,
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        self.uncount(&sends(phone, limits), sent_at).await
    }

    /// Leaves the send at `sent_at` in the phone's count but takes it out of the shortest limit's way,
    /// if no later one has been counted.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn age_send(
        &self,
        phone: &Phone,
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let sends = sends(phone, limits);
        let change = sends.age(sent_at);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.key.clone())))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_values(Some(change.values));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// Counts an attempt at the password of `whose`, before the password is looked at: of many at
    /// once, no more than the limit are.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn count_attempt(
        &self,
        whose: &str,
        now: UnixMs,
        limit: &Limit,
    ) -> Result<Attempt, Error> {
        let limits = [*limit];
        let attempts = attempts(whose, &limits);
        let count = attempts.count(now);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(attempts.key.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values));
        match update.send().await {
            Ok(_) => Ok(Attempt::Counted),
            Err(error) if error.code() == Some(CONDITION_FAILED) => {
                let item = self.get(&self.codes, attempts.key.clone()).await?;
                let retry_after = attempts.wait(item.as_ref(), now);
                Ok(Attempt::TooMany { retry_after })
            }
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// Takes the attempt at `counted_at` off again: the password was right.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn uncount_attempt(
        &self,
        whose: &str,
        counted_at: UnixMs,
        limit: &Limit,
    ) -> Result<(), Error> {
        self.uncount(&attempts(whose, &[*limit]), counted_at).await
    }

    async fn uncount(&self, register: &Register<'_>, counted_at: UnixMs) -> Result<(), Error> {
        let mut place = Some(0);
        while let Some(n) = place {
            let change = register.uncount(n, counted_at);
            let update = self
                .client
                .update_item()
                .table_name(&self.codes)
                .set_key(Some(primary_key(register.key.clone())))
                .update_expression(change.update)
                .condition_expression(change.condition)
                .set_expression_attribute_values(Some(change.values))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            let Err(error) = update.send().await else {
                return Ok(());
            };
            // Others have been counted or taken off meanwhile, so it has moved.
            place = match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    // Older DynamoDBs do not return the item.
                    let item = match refused.item() {
                        Some(item) => Some(item.clone()),
                        None => self.get(&self.codes, register.key.clone()).await?,
                    };
                    Register::place_of(item.as_ref(), counted_at)
                }
                _ => return Err(failed("UpdateItem", &error)),
            };
        }
        Ok(())
    }

    /// Makes an account, with its phone and its name, and spends the code it was asked for with;
    /// all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn create_user(
        &self,
        user: &User,
        spend: Option<&SlotMove<'_>>,
    ) -> Result<Created, Error> {
        let mut names = vec![Created::UidTaken, Created::NameTaken];
        let mut writes = vec![
            self.put_new(&UserItem::new(user))?,
            self.put_new(&OwnerItem::new(items::name_key(&user.name), user.uid))?,
        ];
        if let Some(phone) = &user.phone {
            names.push(Created::PhoneTaken);
            writes.push(self.put_new(&OwnerItem::new(items::phone_key(phone), user.uid))?);
        }
        if let Some(spend) = spend {
            names.push(Created::Raced);
            writes.push(self.put_slot(spend)?);
        }
        match self.transact(writes).await? {
            Transaction::Done => Ok(Created::Done),
            Transaction::Cancelled(reasons) => {
                // A moved slot decides first: what it says of the code comes before names.
                let mut refused = names.iter().zip(&reasons).rev();
                let refused = refused.find(|(_, reason)| matches!(reason, Reason::Refused(_)));
                Ok(refused.map_or(Created::Raced, |(name, _)| *name))
            }
        }
    }

    /// Changes the password of a logged-in account and raises its session epoch, spending the code;
    /// all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn change_password(
        &self,
        session: Session,
        hash: &PasswordHash,
        spend: &SlotMove<'_>,
    ) -> Result<Outcome, Error> {
        let still = Still::At {
            epoch: session.epoch,
        };
        let writes = vec![
            self.put_slot(spend)?,
            self.set_password(session.uid, hash, still)?,
        ];
        self.transact(writes).await.map(Transaction::outcome)
    }

    /// Changes a forgotten password and raises the session epoch, spending the code that was sent to
    /// `phone`, which must still be the account's; all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn reset_password(
        &self,
        uid: Uid,
        phone: &Phone,
        hash: &PasswordHash,
        spend: &SlotMove<'_>,
    ) -> Result<Outcome, Error> {
        let still = Still::Reachable { phone };
        let writes = vec![self.put_slot(spend)?, self.set_password(uid, hash, still)?];
        self.transact(writes).await.map(Transaction::outcome)
    }

    /// Keeps a reset token, spending the code that was sent to its phone, which must still be the
    /// account's; all of it or nothing. `None` when it no longer is, or the account is not active.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn issue_reset(
        &self,
        token: &ResetHash,
        reset: &Reset,
        spend: &SlotMove<'_>,
    ) -> Result<Option<Outcome>, Error> {
        let put = Put::builder()
            .table_name(&self.codes)
            .set_item(Some(serialize(&ResetItem::new(token, reset))?));
        let writes = vec![
            self.put_slot(spend)?,
            TransactWriteItem::builder()
                .put(put.build().map_err(unbuildable)?)
                .build(),
            self.check_user(
                reset.uid,
                Still::Reachable {
                    phone: &reset.phone,
                },
            )?,
        ];
        Ok(match self.transact(writes).await? {
            Transaction::Done => Some(Outcome::Done),
            Transaction::Cancelled(reasons) => match reasons.get(2) {
                Some(Reason::Refused(_)) => None,
                _ => Some(Outcome::Raced),
            },
        })
    }

    /// Changes a forgotten password and raises the session epoch, spending a reset token; all of it
    /// or nothing. `None` when the account is no longer at the token's phone, or not active.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn redeem_reset(
        &self,
        token: &ResetHash,
        reset: &Reset,
        hash: &PasswordHash,
    ) -> Result<Option<Outcome>, Error> {
        let spend = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(items::reset_key(token))))
            .update_expression("SET spent = :spent")
            .condition_expression("spent = :unspent")
            .expression_attribute_values(":spent", AttributeValue::Bool(true))
            .expression_attribute_values(":unspent", AttributeValue::Bool(false));
        let still = Still::Reachable {
            phone: &reset.phone,
        };
        let writes = vec![
            TransactWriteItem::builder()
                .update(spend.build().map_err(unbuildable)?)
                .build(),
            self.set_password(reset.uid, hash, still)?,
        ];
        Ok(match self.transact(writes).await? {
            Transaction::Done => Some(Outcome::Done),
            Transaction::Cancelled(reasons) => match reasons[..] {
                [Reason::Held, Reason::Refused(_)] => None,
                _ => Some(Outcome::Raced),
            },
        })
    }

    /// Moves an account to another phone, which must be free, spending the code that was sent there;
    /// all of it or nothing. Sessions go on.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn move_user(
        &self,
        user: &User,
        to: &Phone,
        spend: &SlotMove<'_>,
    ) -> Result<Moved, Error> {
        let still = Still::At { epoch: user.epoch };
        let (condition, mut values) = still.condition();
        values.insert(
            ":country".to_owned(),
            AttributeValue::S(to.country().to_string()),
        );
        values.insert(
            ":phone".to_owned(),
            AttributeValue::S(to.national().to_owned()),
        );
        let update = Update::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(items::user_key(user.uid))))
            .update_expression("SET country = :country, phone = :phone")
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .set_expression_attribute_values(Some(values));
        let mut writes = vec![
            self.put_new(&OwnerItem::new(items::phone_key(to), user.uid))?,
            self.put_slot(spend)?,
            TransactWriteItem::builder()
                .update(update.build().map_err(unbuildable)?)
                .build(),
        ];
        if let Some(from) = &user.phone {
            let delete = Delete::builder()
                .table_name(&self.users)
                .set_key(Some(primary_key(items::phone_key(from))))
                .condition_expression("uid = :uid")
                .expression_attribute_values(":uid", number(user.uid.0));
            let delete = delete.build().map_err(unbuildable)?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(match self.transact(writes).await? {
            Transaction::Done => Moved::Done,
            Transaction::Cancelled(reasons) => match reasons[..] {
                [Reason::Refused(_), Reason::Held, ..] => Moved::PhoneTaken,
                _ => Moved::Raced,
            },
        })
    }

    /// Replaces a password's hash by one of the same password at today's cost, if it is still there.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn upgrade_hash(
        &self,
        uid: Uid,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.users)
            .set_key(Some(primary_key(items::user_key(uid))))
            .update_expression("SET password = :to")
            .condition_expression("password = :from")
            .expression_attribute_values(":to", AttributeValue::S(to.as_str().to_owned()))
            .expression_attribute_values(":from", AttributeValue::S(from.as_str().to_owned()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    fn put_slot(&self, step: &SlotMove<'_>) -> Result<TransactWriteItem, Error> {
        let (item, _) = step.item()?;
        let (condition, values) = step.condition();
        let put = Put::builder()
            .table_name(&self.codes)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values);
        let put = put.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn put_new(&self, item: &impl Serialize) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.users)
            .set_item(Some(serialize(item)?))
            .condition_expression("attribute_not_exists(pk)");
        let put = put.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn check_user(&self, uid: Uid, still: Still<'_>) -> Result<TransactWriteItem, Error> {
        let (condition, values) = still.condition();
        let check = ConditionCheck::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(items::user_key(uid))))
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let check = check.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    fn set_password(
        &self,
        uid: Uid,
        hash: &PasswordHash,
        still: Still<'_>,
    ) -> Result<TransactWriteItem, Error> {
        let (condition, mut values) = still.condition();
        values.insert(
            ":password".to_owned(),
            AttributeValue::S(hash.as_str().to_owned()),
        );
        values.insert(":one".to_owned(), number(1));
        let update = Update::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(items::user_key(uid))))
            .update_expression("SET password = :password, epoch = epoch + :one")
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .set_expression_attribute_values(Some(values));
        let update = update.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// All of it or nothing. The SDK gives each transaction a token, so that one whose answer is lost
    /// is not done twice when it is asked for again.
    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Transaction, Error> {
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes));
        let Err(error) = transaction.send().await else {
            return Ok(Transaction::Done);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(failed("TransactWriteItems", &error));
        };
        let reasons = cancelled.cancellation_reasons().iter();
        let reasons = reasons.map(|reason| match reason.code.as_deref() {
            None | Some("None") => Some(Reason::Held),
            Some("TransactionConflict") => Some(Reason::Conflict),
            Some("ConditionalCheckFailed") => {
                let item = reason.item.clone().filter(|item| !item.is_empty());
                Some(Reason::Refused(item))
            }
            Some(_) => None,
        });
        let reasons: Option<Vec<Reason>> = reasons.collect();
        let reasons = reasons.ok_or_else(|| failed("TransactWriteItems", &error))?;
        Ok(Transaction::Cancelled(reasons))
    }
}

/// How a transaction went.
enum Transaction {
    Done,
    /// Nothing is written; a reason for each of its writes.
    Cancelled(Vec<Reason>),
}

impl Transaction {
    fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Cancelled(_) => Outcome::Raced,
        }
    }
}

/// What one write of a cancelled transaction had to do with it.
enum Reason {
    /// Nothing: its condition held.
    Held,
    /// Its condition did not hold on this item, as far as the write asked for it.
    Refused(Option<Item>),
    /// Another transaction was at the item.
    Conflict,
}

impl Still<'_> {
    fn condition(self) -> (&'static str, Item) {
        let mut values = HashMap::from([(":active".to_owned(), number(0))]);
        let condition = match self {
            Self::Active => "#status = :active",
            Self::At { epoch } => {
                values.insert(":epoch".to_owned(), number(epoch));
                "#status = :active AND epoch = :epoch"
            }
            Self::Reachable { phone } => {
                let (country, national) =
                    (phone.country().to_string(), phone.national().to_owned());
                values.insert(":country".to_owned(), AttributeValue::S(country));
                values.insert(":phone".to_owned(), AttributeValue::S(national));
                "#status = :active AND country = :country AND phone = :phone"
            }
        };
        (condition, values)
    }
}

impl SlotMove<'_> {
    /// The item to write, and the name of this write, by which it is recognised when its answer was
    /// lost.
    fn item(&self) -> Result<(Item, String), Error> {
        let op = random_op()?;
        let version = self.seen.version + 1;
        let item = SlotItem::new(self.key, version, &self.next, self.useless_from, op.clone());
        Ok((serialize(&item)?, op))
    }

    /// That the slot has not moved since it was seen; version 0 means it was not there.
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

fn sends<'a>(phone: &Phone, limits: &'a [Limit]) -> Register<'a> {
    Register {
        key: format!("sends#{}", phone.e164()),
        limits,
        grain: 1,
    }
}

fn attempts<'a>(whose: &str, limits: &'a [Limit]) -> Register<'a> {
    Register {
        key: format!("attempts#{whose}"),
        limits,
        grain: 1,
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
        self.owner(&items::phone_key(phone))
    }

    /// Whose name this is.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn name_owner(&self, name: &Name) -> Result<Option<Uid>, Error> {
        self.owner(&items::name_key(name))
    }

    fn owner(&self, pk: &str) -> Result<Option<Uid>, Error> {
        let item = self.items.get(pk);
        let owner = item
            .map(|item| parse::<OwnerItem>(item.clone()))
            .transpose()?;
        Ok(owner.map(|owner| owner.uid))
    }

    /// A reset token.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn reset(&self, hash: &ResetHash) -> Result<Option<Reset>, Error> {
        let item = self.items.get(&items::reset_key(hash));
        item.map(|item| parse::<ResetItem>(item.clone())?.into_reset())
            .transpose()
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

/// A count that an item holds; 0 if it holds none.
fn count(item: &Item, name: &str) -> u64 {
    match item.get(name) {
        Some(AttributeValue::N(n)) => n.parse().unwrap_or(0),
        _ => 0,
    }
}

fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

/// Names one write, so that it can be recognised when its answer was lost.
fn random_op() -> Result<String, Error> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| Error::Internal("no randomness".into()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

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
