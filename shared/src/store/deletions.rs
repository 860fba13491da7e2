//! Deletions. Of an account's item a tombstone is left, without anything personal: so its number is never drawn
//! again, and no old token can mean somebody else.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::Serialize;

use super::{
    Key, Store,
    failure::{failed, is_condition},
    item::{Item, serialize, text},
    repeat,
    transaction::{Transaction, WriteResult, put_part},
    users::{AccountCondition, ChangeOutcome, in_session, phone_values},
    wrong_codes::Spend,
};
use crate::domain::{
    error::Error,
    session::SessionId,
    time::UnixMs,
    user::{Uid, User},
};

#[derive(Serialize)]
struct Tombstone {
    pk: String,
    /// As [`users::is_tombstone`](super::users::is_tombstone) looks for it.
    deleted_ms: UnixMs,
}

impl Tombstone {
    fn of(uid: Uid, now: UnixMs) -> Result<Item, Error> {
        serialize(&Self {
            pk: Key::user(uid).pk,
            deleted_ms: now,
        })
    }
}

/// Who deletes an account.
#[derive(Debug, Clone, Copy)]
pub enum Deleter<'a> {
    /// Its owner, in this session, with a code, which the same transaction spends.
    Owner(SessionId, &'a Spend<'a>),
    /// An operator.
    Operator,
}

impl Store {
    /// Deletes an account, as it was read, in one transaction: its phone and its name are free, and its sessions
    /// over.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn delete_user(
        &self,
        user: &User,
        by: Deleter<'_>,
        now: UnixMs,
    ) -> Result<ChangeOutcome, Error> {
        let (mut writes, condition) = match by {
            Deleter::Owner(session, spend) => {
                (Vec::from(self.spending(spend)?), in_session(user, session))
            }
            Deleter::Operator => (Vec::new(), AccountCondition::Exists),
        };
        writes.push(self.put_tombstone(user, condition, now)?);
        writes.push(self.delete_owner(Key::name_owner(&user.name), user.uid)?);
        if let Some(phone) = &user.phone {
            writes.push(self.delete_owner(Key::phone_owner(phone), user.uid)?);
        }
        Ok(match (self.transact(writes).await?, by) {
            (Transaction::Done, _) => {
                // Where backups are restored and the tombstone is lost, this line is what says it.
                tracing::info!(uid = user.uid.0, "account deleted");
                ChangeOutcome::Done
            }
            (Transaction::Cancelled(results), Deleter::Owner(_, spend)) => match &results[..] {
                [WriteResult::Passed, WriteResult::ConditionFailed(item), ..] => {
                    let retry_after = spend.wrong.wait(item.as_ref(), spend.now);
                    ChangeOutcome::TooManyWrongCodes { retry_after }
                }
                _ => ChangeOutcome::Raced,
            },
            (Transaction::Cancelled(_), Deleter::Operator) => ChangeOutcome::Raced,
        })
    }

    /// Puts a tombstone where no account is, so that its number is never drawn.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn bury(&self, uid: Uid, now: UnixMs) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&self.users);
        let put = put
            .set_item(Some(Tombstone::of(uid, now)?))
            .condition_expression("attribute_not_exists(pk)");
        match repeat::put(put).await {
            Ok(_) => Ok(()),
            Err(error) if is_condition(&error) => Ok(()),
            Err(error) => Err(failed("PutItem", &error)),
        }
    }

    /// Puts a tombstone in the place of an account that still has this name and this phone.
    fn put_tombstone(
        &self,
        user: &User,
        condition: AccountCondition<'_>,
        now: UnixMs,
    ) -> Result<TransactWriteItem, Error> {
        let mut condition = condition.expression();
        let at_phone = match &user.phone {
            Some(phone) => {
                condition.values.extend(phone_values(phone));
                "country = :country AND phone = :phone"
            }
            None => "attribute_not_exists(phone)",
        };
        condition
            .names
            .insert("#name".to_owned(), "name".to_owned());
        let name = text(user.name.as_str());
        condition.values.insert(":name".to_owned(), name);
        let put = Put::builder()
            .table_name(&self.users)
            .set_item(Some(Tombstone::of(user.uid, now)?))
            .condition_expression(format!(
                "{} AND #name = :name AND {at_phone}",
                condition.text
            ))
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values));
        put_part(put)
    }
}
