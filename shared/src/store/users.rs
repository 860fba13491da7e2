//! Accounts: `user#<uid>`. A new account, phone or name is written in one transaction with its owner items.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{
        AttributeValue, ConditionCheck, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update, builders::UpdateBuilder,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Key, Seen, Store,
    failure::unbuildable,
    item::{
        Item, attribute, number, parse, parse_json, parse_metadata, parse_phone, primary_key, text,
    },
    repeat,
    start::Start,
    transaction::{Outcome, Transaction, WriteResult, update_part},
    wrong_codes::Spend,
};
use crate::domain::{
    client::KnownAddresses,
    error::Error,
    metadata::Metadata,
    password::PasswordHash,
    phone::Phone,
    session::{SessionId, Sessions},
    time::UnixMs,
    user::{AccountId, Moving, Name, Uid, User},
};

/// How creating an account went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CreateOutcome {
    /// Written, all of it.
    Done,
    /// Another write moved the slot first: read and decide again.
    Raced,
    /// The uid is taken: draw another.
    UidTaken,
    /// The phone is taken.
    PhoneTaken,
    /// The name is taken.
    NameTaken,
}

/// What changes of an account.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Its password. It raises the epoch, and ends sessions and an open change of the phone.
    pub password: Option<&'a PasswordHash>,
    /// What apps keep with it.
    pub metadata: Option<&'a Metadata>,
    /// The change of its phone that it has asked for.
    pub moving: Option<&'a Moving>,
}

/// An update expression in parts.
#[derive(Default)]
struct Parts {
    set: Vec<&'static str>,
    remove: Vec<&'static str>,
    values: Item,
}

impl Change<'_> {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.password.is_none() && self.metadata.is_none() && self.moving.is_none()
    }

    /// Its update expression. `kept` are the sessions that a new password leaves.
    fn parts(&self, kept: &Sessions, now: UnixMs) -> Result<Parts, Error> {
        let mut parts = Parts::default();
        if let Some(hash) = self.password {
            parts.set.extend([
                "password = :password",
                "password_ms = :now",
                "epoch = epoch + :one",
                "sessions = :kept",
            ]);
            parts.values.extend([
                (":now".to_owned(), number(now.0)),
                (":password".to_owned(), text(hash.as_str())),
                (":one".to_owned(), number(1)),
                (":kept".to_owned(), attribute(kept)?),
            ]);
        }
        match self.metadata {
            Some(metadata) if metadata.is_empty() => parts.remove.push("metadata"),
            Some(metadata) => {
                parts.set.push("metadata = :metadata");
                let json = text(metadata.to_json());
                parts.values.insert(":metadata".to_owned(), json);
            }
            None => {}
        }
        match self.moving {
            Some(moving) => {
                parts.set.push("moving = :moving");
                let json = text(moving_json(moving));
                parts.values.insert(":moving".to_owned(), json);
            }
            None if self.password.is_some() => parts.remove.push("moving"),
            None => {}
        }
        Ok(parts)
    }
}

impl Parts {
    fn expression(&self) -> String {
        let clauses = [("SET", &self.set), ("REMOVE", &self.remove)].into_iter();
        let clauses = clauses.filter(|(_, parts)| !parts.is_empty());
        let clauses = clauses.map(|(clause, parts)| format!("{clause} {}", parts.join(", ")));
        clauses.collect::<Vec<_>>().join(" ")
    }
}

/// How changing an account went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ChangeOutcome {
    /// Written, all of it.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// There were too many wrong codes before the one that permits it, and nothing is written.
    TooManyWrongCodes {
        /// When the next one may be presented.
        retry_after: Duration,
    },
}

/// How moving an account to another phone went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum MoveOutcome {
    /// Written, all of it.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// Another account has the phone.
    PhoneTaken,
}

/// How giving an account another name went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RenameOutcome {
    /// Written, all of it.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// Another account has the name.
    NameTaken,
}

/// What must hold of an account when something is written for it.
#[derive(Debug, Clone, Copy)]
pub(super) enum AccountCondition<'a> {
    /// It is there, active or not.
    Exists,
    /// It is active.
    Active,
    /// It is active and at this epoch.
    ActiveAtEpoch { epoch: u64 },
    /// The same, and this is a session of it.
    ActiveInSession { epoch: u64, session: SessionId },
    /// It is active and has this phone.
    ActiveAtPhone { phone: &'a Phone },
    /// The same, and its password has not been set since then.
    ActiveAtPhoneUnchanged { phone: &'a Phone, since: UnixMs },
}

#[derive(Serialize, Deserialize)]
struct UserItem {
    pk: String,
    uid: Uid,
    id: AccountId,
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
    sessions: Sessions,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_ms: Option<UnixMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_ms: Option<UnixMs>,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moving: Option<String>,
}

fn moving_json(moving: &Moving) -> String {
    let fields = json!({
        "country": moving.to.country().to_string(),
        "phone": moving.to.national(),
        "session": moving.session.to_string(),
        "sent_ms": moving.sent.0,
        "until_ms": moving.until.0,
    });
    fields.to_string()
}

fn parse_moving(json: &str) -> Result<Moving, Error> {
    let fields = parse_json(json)?;
    let text = |name: &str| fields[name].as_str().unwrap_or_default();
    let moment = |name: &str| UnixMs(fields[name].as_u64().unwrap_or_default());
    let session = SessionId::from_stored(text("session"));
    Ok(Moving {
        to: parse_phone(text("country"), text("phone"))?,
        session: session.ok_or_else(|| Error::internal("item: not a session"))?,
        sent: moment("sent_ms"),
        until: moment("until_ms"),
    })
}

impl UserItem {
    fn new(user: &User) -> Self {
        let phone = user.phone.as_ref();
        Self {
            pk: user_pk(user.uid),
            uid: user.uid,
            id: user.id,
            name: user.name.as_str().to_owned(),
            email: user.email.clone(),
            country: phone.map(|phone| phone.country().to_string()),
            phone: phone.map(|phone| phone.national().to_owned()),
            password: user.password.as_ref().map(|hash| hash.as_str().to_owned()),
            created_ms: user.created_at,
            created_ip: user.created_ip.clone(),
            icon: user.icon.clone(),
            space_used: user.space_used,
            space_capacity: user.space_capacity,
            kind: user.kind,
            status: user.status,
            epoch: user.epoch,
            sessions: user.sessions.clone(),
            metadata: (!user.metadata.is_empty()).then(|| user.metadata.to_json()),
            password_ms: user.password_set_at,
            moved_ms: user.moved_at,
            moving: user.moving.as_ref().map(moving_json),
        }
    }

    fn into_user(self) -> Result<User, Error> {
        let phone = match (&self.country, &self.phone) {
            (Some(country), Some(national)) => Some(parse_phone(country, national)?),
            _ => None,
        };
        Ok(User {
            uid: self.uid,
            id: self.id,
            name: Name::from_stored(self.name),
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
            sessions: self.sessions,
            metadata: self
                .metadata
                .as_deref()
                .map_or_else(|| Ok(Metadata::default()), parse_metadata)?,
            password_set_at: self.password_ms,
            moved_at: self.moved_ms,
            moving: self.moving.as_deref().map(parse_moving).transpose()?,
        })
    }
}

/// Whether an item of `user#` is what is left of an account that was deleted.
pub(super) fn is_tombstone(item: &Item) -> bool {
    item.contains_key("deleted_ms")
}

/// The account in an item of `user#`. In a tombstone there is none.
pub(super) fn parse_user(item: Option<Item>) -> Result<Option<User>, Error> {
    let item = item.filter(|item| !is_tombstone(item));
    item.map(|item| parse::<UserItem>(item)?.into_user())
        .transpose()
}

impl Key {
    /// An account.
    pub fn user(uid: Uid) -> Self {
        Self::of_users(user_pk(uid))
    }
}

impl Seen {
    /// An account.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn user(&self, uid: Uid) -> Result<Option<User>, Error> {
        parse_user(self.item(&Key::user(uid)).cloned())
    }
}

impl Store {
    /// Reads one account.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn user(&self, uid: Uid) -> Result<Option<User>, Error> {
        parse_user(self.get(Key::user(uid)).await?)
    }

    /// Creates an account, its phone and its name in one transaction. `registered` is what spends
    /// the code, and the address that the account then knows. Imports have neither.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn create_user(
        &self,
        user: &User,
        registered: Option<(&Spend<'_>, &KnownAddresses)>,
    ) -> Result<CreateOutcome, Error> {
        let nowhere = &KnownAddresses::default();
        let known = registered.map_or(nowhere, |(_, known)| known);
        // What a failed condition of each write means.
        let mut meanings = vec![CreateOutcome::UidTaken, CreateOutcome::NameTaken];
        let mut writes = vec![
            self.put_new(&UserItem::new(user))?,
            self.put_owner(Key::name_owner(&user.name), user, known)?,
        ];
        if let Some(phone) = &user.phone {
            meanings.push(CreateOutcome::PhoneTaken);
            writes.push(self.put_owner(Key::phone_owner(phone), user, known)?);
        }
        if let Some((spend, _)) = registered {
            meanings.extend([CreateOutcome::Raced; 2]);
            writes.extend(self.spending(spend)?);
        }
        match self.transact(writes).await? {
            Transaction::Done => Ok(CreateOutcome::Done),
            Transaction::Cancelled(results) => {
                // The slot decides before the names: it says whether the code was good.
                let mut last_first = meanings.iter().zip(&results).rev();
                let failed = last_first
                    .find(|(_, result)| matches!(result, WriteResult::ConditionFailed(_)));
                Ok(failed.map_or(CreateOutcome::Raced, |(meaning, _)| *meaning))
            }
        }
    }

    /// Changes an account, as it was read, in one of its sessions, which goes on: a new password ends the others.
    /// Where a code permits it, the same transaction spends the code.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn change_user(
        &self,
        user: &User,
        session: SessionId,
        change: &Change<'_>,
        spend: Option<&Spend<'_>>,
        now: UnixMs,
    ) -> Result<ChangeOutcome, Error> {
        let mut parts = change.parts(&user.sessions.alone(session, now), now)?;
        let mut unchanged = Vec::new();
        if change.password.is_some() {
            // A renewal of its refresh token since would be lost.
            unchanged.push("sessions.#session = :held");
            let held = user.sessions.get(session);
            parts.values.insert(":held".to_owned(), attribute(&held)?);
        }
        if change.metadata.is_some() {
            if user.metadata.is_empty() {
                unchanged.push("attribute_not_exists(metadata)");
            } else {
                unchanged.push("metadata = :from_metadata");
                let from = text(user.metadata.to_json());
                parts.values.insert(":from_metadata".to_owned(), from);
            }
        }
        let unchanged = (!unchanged.is_empty()).then(|| unchanged.join(" AND "));
        let (expression, values) = (parts.expression(), parts.values);
        let condition = in_session(user, session);
        let update = self.update_user(
            user.uid,
            &expression,
            condition,
            unchanged.as_deref(),
            values,
        );
        let mut writes = match spend {
            Some(spend) => self.spending(spend)?.into(),
            None => Vec::new(),
        };
        writes.push(update_part(update)?);
        Ok(match (self.transact(writes).await?, spend) {
            (Transaction::Done, _) => ChangeOutcome::Done,
            (Transaction::Cancelled(results), Some(spend)) => match &results[..] {
                [WriteResult::Passed, WriteResult::ConditionFailed(item), ..] => {
                    let retry_after = spend.wrong.wait(item.as_ref(), spend.now);
                    ChangeOutcome::TooManyWrongCodes { retry_after }
                }
                _ => ChangeOutcome::Raced,
            },
            (Transaction::Cancelled(_), None) => ChangeOutcome::Raced,
        })
    }

    /// Notes that the code of a change of an account's phone, as it was read, was sent again.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn note_resent(&self, uid: Uid, read: &Moving, resent: &Moving) -> Result<(), Error> {
        let update = self
            .update_of(uid)
            .update_expression("SET moving = :resent")
            .condition_expression("moving = :read")
            .expression_attribute_values(":resent", text(moving_json(resent)))
            .expression_attribute_values(":read", text(moving_json(read)));
        repeat::update(update).await.map(drop)
    }

    /// Changes a forgotten password and ends all sessions, in one transaction that spends the code. The
    /// account must still be at `phone`, where the code was sent.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn reset_password(
        &self,
        uid: Uid,
        phone: &Phone,
        hash: &PasswordHash,
        spend: &Spend<'_>,
    ) -> Result<Outcome, Error> {
        let condition = AccountCondition::ActiveAtPhone { phone };
        let mut writes = Vec::from(self.spending(spend)?);
        writes.push(self.set_password(uid, hash, condition, spend.now)?);
        self.transact(writes).await.map(Transaction::outcome)
    }

    /// Moves an account, in one of its sessions, from the phone it was read with to another, which must be
    /// free, in one transaction that spends the code. Sessions go on, and `start` begins. `known` are the
    /// addresses that the account knows by its new phone.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn move_user(
        &self,
        user: &User,
        session: SessionId,
        to: &Phone,
        known: &KnownAddresses,
        spend: &Spend<'_>,
        start: Option<&Start>,
    ) -> Result<MoveOutcome, Error> {
        let mut values = HashMap::from([(":now".to_owned(), number(spend.now.0))]);
        let at_phone = match &user.phone {
            Some(from) => {
                values.insert(":from_country".to_owned(), text(from.country().to_string()));
                values.insert(":from_phone".to_owned(), text(from.national()));
                "country = :from_country AND phone = :from_phone"
            }
            None => "attribute_not_exists(phone)",
        };
        values.extend(phone_values(to));
        let mut set = "SET country = :country, phone = :phone, moved_ms = :now".to_owned();
        let mut remove = " REMOVE moving".to_owned();
        let (mut conditions, mut names) = (at_phone.to_owned(), Vec::new());
        if let Some(start) = start {
            let start = start.part()?;
            set.push_str(", ");
            set.push_str(start.set);
            if let Some(ending) = start.remove {
                remove.push_str(", ");
                remove.push_str(ending);
            }
            conditions.push_str(" AND ");
            conditions.push_str(start.there_is_room);
            values.extend(start.values);
            names = start.names;
        }
        let (change, condition) = (set + &remove, in_session(user, session));
        let update = self.update_user(user.uid, &change, condition, Some(&conditions), values);
        let update = names.into_iter().fold(update, |update, (name, id)| {
            update.expression_attribute_names(name, id)
        });
        let mut writes = vec![self.put_owner(Key::phone_owner(to), user, known)?];
        writes.extend(self.spending(spend)?);
        writes.push(update_part(update)?);
        if let Some(from) = &user.phone {
            writes.push(self.delete_owner(Key::phone_owner(from), user.uid)?);
        }
        Ok(match self.transact(writes).await? {
            Transaction::Done => MoveOutcome::Done,
            Transaction::Cancelled(results) => match results[..] {
                [
                    WriteResult::ConditionFailed(_),
                    WriteResult::Passed,
                    WriteResult::Passed,
                    ..,
                ] => MoveOutcome::PhoneTaken,
                _ => MoveOutcome::Raced,
            },
        })
    }

    /// Gives an account, as it was read, in one of its sessions, another name, which must be free or its own in
    /// another form, in one transaction. Its old name is free then. Sessions go on. `known` are the addresses
    /// that the account knows by its new name.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn rename_user(
        &self,
        user: &User,
        session: SessionId,
        to: &Name,
        known: &KnownAddresses,
    ) -> Result<RenameOutcome, Error> {
        let values = HashMap::from([
            (":from".to_owned(), text(user.name.as_str())),
            (":to".to_owned(), text(to.as_str())),
        ]);
        let (set, unchanged) = ("SET #name = :to", Some("#name = :from"));
        let condition = in_session(user, session);
        let update = self
            .update_user(user.uid, set, condition, unchanged, values)
            .expression_attribute_names("#name", "name");
        let mut writes = vec![update_part(update)?];
        if to.folded() != user.name.folded() {
            writes.push(self.put_owner(Key::name_owner(to), user, known)?);
            writes.push(self.delete_owner(Key::name_owner(&user.name), user.uid)?);
        }
        Ok(match self.transact(writes).await? {
            Transaction::Done => RenameOutcome::Done,
            Transaction::Cancelled(results) => match results[..] {
                [WriteResult::Passed, WriteResult::ConditionFailed(_), ..] => {
                    RenameOutcome::NameTaken
                }
                _ => RenameOutcome::Raced,
            },
        })
    }

    /// Replaces a password hash by one of the same password at today's cost, if it is still there.
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
            .update_of(uid)
            .update_expression("SET password = :to")
            .condition_expression("password = :from")
            .expression_attribute_values(":to", text(to.as_str()))
            .expression_attribute_values(":from", text(from.as_str()));
        repeat::update(update).await.map(drop)
    }

    /// An update of an account, by itself.
    pub(super) fn update_of(&self, uid: Uid) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.users);
        update.set_key(Some(primary_key(user_pk(uid))))
    }

    /// Checks an account, as a part of a transaction.
    pub(super) fn check_account(
        &self,
        uid: Uid,
        condition: AccountCondition<'_>,
    ) -> Result<TransactWriteItem, Error> {
        let condition = condition.expression();
        let check = ConditionCheck::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(user_pk(uid))))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let check = check.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Sets an account's password at `now` and ends its sessions, as a part of a transaction.
    pub(super) fn set_password(
        &self,
        uid: Uid,
        hash: &PasswordHash,
        condition: AccountCondition<'_>,
        now: UnixMs,
    ) -> Result<TransactWriteItem, Error> {
        let change = Change {
            password: Some(hash),
            ..Change::default()
        };
        let parts = change.parts(&Sessions::default(), now)?;
        let (expression, values) = (parts.expression(), parts.values);
        update_part(self.update_user(uid, &expression, condition, None, values))
    }

    /// An update of an account, on this condition and another.
    pub(super) fn update_user(
        &self,
        uid: Uid,
        set: &str,
        condition: AccountCondition<'_>,
        another: Option<&str>,
        values: Item,
    ) -> UpdateBuilder {
        let mut condition = condition.expression();
        condition.values.extend(values);
        let text = [condition.text].into_iter().chain(another);
        Update::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(user_pk(uid))))
            .update_expression(set)
            .condition_expression(text.collect::<Vec<_>>().join(" AND "))
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
    }
}

/// The account is as it was read, and this is still a session of it.
pub(super) fn in_session(user: &User, session: SessionId) -> AccountCondition<'static> {
    AccountCondition::ActiveInSession {
        epoch: user.epoch,
        session,
    }
}

/// A condition expression.
pub(super) struct Expression {
    pub text: &'static str,
    pub names: HashMap<String, String>,
    pub values: Item,
}

impl AccountCondition<'_> {
    /// The condition expression. `#status` stands for the attribute `status`, which is a reserved word.
    pub(super) fn expression(self) -> Expression {
        let mut names = HashMap::from([("#status".to_owned(), "status".to_owned())]);
        let mut values = HashMap::from([(":active".to_owned(), number(0))]);
        let text = match self {
            Self::Exists => {
                values.clear();
                "attribute_exists(#status)"
            }
            Self::Active => "#status = :active",
            Self::ActiveAtEpoch { epoch } => {
                values.insert(":epoch".to_owned(), number(epoch));
                "#status = :active AND epoch = :epoch"
            }
            Self::ActiveInSession { epoch, session } => {
                names.insert("#session".to_owned(), session.to_string());
                values.insert(":epoch".to_owned(), number(epoch));
                "#status = :active AND epoch = :epoch AND attribute_exists(sessions.#session)"
            }
            Self::ActiveAtPhone { phone } => {
                values.extend(phone_values(phone));
                "#status = :active AND country = :country AND phone = :phone"
            }
            Self::ActiveAtPhoneUnchanged { phone, since } => {
                values.extend(phone_values(phone));
                values.insert(":since".to_owned(), number(since.0));
                "#status = :active AND country = :country AND phone = :phone AND \
                 (attribute_not_exists(password_ms) OR password_ms < :since)"
            }
        };
        Expression {
            text,
            names,
            values,
        }
    }
}

/// `:country` and `:phone` of an expression.
pub(super) fn phone_values(phone: &Phone) -> [(String, AttributeValue); 2] {
    [
        (":country".to_owned(), text(phone.country().to_string())),
        (":phone".to_owned(), text(phone.national())),
    ]
}

fn user_pk(uid: Uid) -> String {
    format!("user#{}", uid.0)
}
