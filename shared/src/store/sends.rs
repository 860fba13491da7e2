//! Sends: `sends#<e164>` holds the recent messages to a phone that one client asked for, over all
//! purposes.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};

use super::{
    Store,
    failure::{failed, is_condition, unbuildable},
    item::primary_key,
    recent_events::RecentEvents,
    repeat,
    slots::SlotMove,
    transaction::{Transaction, WriteResult},
    users::AccountCondition,
    wrong_codes::WrongCodes,
};
use crate::domain::{
    client::Client, error::Error, phone::Phone, time::UnixMs, user::Uid, window::Limit,
};

/// How recording a send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SendOutcome {
    /// Written: the message may be sent.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// The phone has had as many messages as it may.
    TooFrequent {
        /// When it may get the next one.
        retry_after: Duration,
    },
    /// The client has presented too many wrong codes: it could not use this one.
    TooManyWrongCodes {
        /// When it may present the next one.
        retry_after: Duration,
    },
    /// The account does not exist.
    UserGone,
    /// The account is disabled.
    UserDisabled,
}

impl Store {
    /// Records a send in one transaction: the slot moves, the message counts against its phone and its
    /// client, the client's wrong codes for the phone are not too many, and the account, where there is one,
    /// exists and is active.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn record_send(
        &self,
        step: &SlotMove<'_>,
        wrong: &WrongCodes,
        uid: Option<Uid>,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<SendOutcome, Error> {
        let sends = sends((&wrong.phone, wrong.client), limits);
        let count = sends.count(now);
        let count = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.pk.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let count = count.build().map_err(unbuildable)?;
        let mut writes = vec![
            self.put_slot(step)?,
            TransactWriteItem::builder().update(count).build(),
            self.check_wrong_codes(wrong, now)?,
        ];
        if let Some(uid) = uid {
            writes.push(self.check_account(uid, AccountCondition::Active)?);
        }
        let results = match self.transact(writes).await? {
            Transaction::Done => return Ok(SendOutcome::Done),
            Transaction::Cancelled(results) => results,
        };
        // The account comes first: a disabled one is reported as such, throttled or not.
        if let Some(WriteResult::ConditionFailed(user)) = results.get(3) {
            return Ok(if user.is_some() {
                SendOutcome::UserDisabled
            } else {
                SendOutcome::UserGone
            });
        }
        Ok(match &results[..] {
            [
                WriteResult::Passed,
                _,
                WriteResult::ConditionFailed(item),
                ..,
            ] => {
                let retry_after = wrong.wait(item.as_ref(), now);
                SendOutcome::TooManyWrongCodes { retry_after }
            }
            [WriteResult::Passed, WriteResult::ConditionFailed(item), ..] => {
                let retry_after = sends.wait(item.as_ref(), now);
                SendOutcome::TooFrequent { retry_after }
            }
            _ => SendOutcome::Raced,
        })
    }

    /// Removes the send at `sent_at` from the phone's count.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_send(
        &self,
        at: (&Phone, Client),
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        self.remove_event(&sends(at, limits), sent_at).await
    }

    /// Back-dates the send at `sent_at` by the shortest limit, if it is the newest: it keeps counting
    /// for the hour and the day, and no longer blocks a retry.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn back_date_send(
        &self,
        at: (&Phone, Client),
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let sends = sends(at, limits);
        let change = sends.back_date(sent_at);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.pk.clone())))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_values(Some(change.values));
        match repeat::update(update).await {
            Ok(_) => Ok(()),
            Err(error) if is_condition(&error) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }
}

fn sends<'a>((phone, client): (&Phone, Client), limits: &'a [Limit]) -> RecentEvents<'a> {
    RecentEvents {
        pk: format!("sends#{}{}", phone.e164(), client.suffix()),
        limits,
        marks_per_ms: 1,
    }
}
