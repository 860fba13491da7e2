//! Transactions: several conditional writes, of which all are done or none.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        CancellationReason, TransactWriteItem,
        builders::{PutBuilder, UpdateBuilder},
    },
};

use super::{
    Store,
    failure::{failed, unbuildable},
    item::Item,
    repeat::Pauses,
};
use crate::{
    domain::{error::Error, hex::Hex},
    random,
};

/// How a conditional write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Written, all of it.
    Done,
    /// Another write came first, and nothing is written: read and decide again.
    Raced,
}

/// How a transaction went.
pub(super) enum Transaction {
    /// Written, all of it.
    Done,
    /// Nothing is written. The result of each write, in their order.
    Cancelled(Vec<WriteResult>),
}

/// What became of one write of a cancelled transaction.
pub(super) enum WriteResult {
    /// Its condition held.
    Passed,
    /// Its condition did not hold on this item. The item is there if the write asked for it.
    ConditionFailed(Option<Item>),
    /// Another transaction was writing the item, or the table had no capacity left. Its condition was not
    /// evaluated.
    Busy,
}

impl Transaction {
    /// The outcome where every cancellation is a lost race.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Cancelled(_) => Outcome::Raced,
        }
    }
}

/// A put, as a part of a transaction.
pub(super) fn put_part(put: PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put.build().map_err(unbuildable)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// An update, as a part of a transaction.
pub(super) fn update_part(update: UpdateBuilder) -> Result<TransactWriteItem, Error> {
    let update = update.build().map_err(unbuildable)?;
    Ok(TransactWriteItem::builder().update(update).build())
}

impl Store {
    /// Runs a transaction: again, as long as another one holds an item of it, or a table has no capacity
    /// left. A transaction that was cancelled so has written nothing.
    ///
    /// All repeats, ours and the SDK's, carry one idempotency token, so a transaction whose answer was
    /// lost is not done twice
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
    pub(super) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Transaction, Error> {
        let transaction = self
            .client
            .transact_write_items()
            .client_request_token(Hex(&random::bytes::<16>()?).to_string())
            .set_transact_items(Some(writes));
        let mut pauses = Pauses::default();
        loop {
            // Boxed as a plain write is.
            let Err(error) = Box::pin(transaction.clone().send()).await else {
                return Ok(Transaction::Done);
            };
            match Refusal::of(&error) {
                Refusal::ByCondition(results) => return Ok(Transaction::Cancelled(results)),
                Refusal::ForNow if pauses.before_repeat().await => {}
                Refusal::ForNow | Refusal::ForGood => {
                    return Err(failed("TransactWriteItems", &error));
                }
            }
        }
    }
}

/// What an error means for a transaction.
enum Refusal {
    /// A condition did not hold.
    ByCondition(Vec<WriteResult>),
    /// Nothing is written yet: the same transaction can succeed a moment later. Or it is written, as a
    /// call whose answer was lost may still be under way, and a repeat with its token will say so.
    ForNow,
    /// It failed.
    ForGood,
}

impl Refusal {
    fn of(error: &SdkError<TransactWriteItemsError>) -> Self {
        let cancelled = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
            Some(
                TransactWriteItemsError::TransactionInProgressException(_)
                // All repeats are equal, but AWS's DynamoDB Local now and then takes an equal one for another
                // (<https://github.com/aws/aws-sdk/issues/413>).
                | TransactWriteItemsError::IdempotentParameterMismatchException(_),
            ) => return Self::ForNow,
            _ => return Self::ForGood,
        };
        let reasons = cancelled.cancellation_reasons().iter();
        let results: Option<Vec<WriteResult>> = reasons.map(WriteResult::of).collect();
        let Some(results) = results else {
            return Self::ForGood;
        };
        let has = |kind: fn(&WriteResult) -> bool| results.iter().any(kind);
        if has(|result| matches!(result, WriteResult::ConditionFailed(_))) {
            Self::ByCondition(results)
        } else if has(|result| matches!(result, WriteResult::Busy)) {
            Self::ForNow
        } else {
            Self::ForGood
        }
    }
}

impl WriteResult {
    /// None for a reason that is a failure.
    fn of(reason: &CancellationReason) -> Option<Self> {
        match reason.code.as_deref() {
            None | Some("None") => Some(Self::Passed),
            Some("TransactionConflict" | "ProvisionedThroughputExceeded" | "ThrottlingError") => {
                Some(Self::Busy)
            }
            Some("ConditionalCheckFailed") => {
                let item = reason.item.clone().filter(|item| !item.is_empty());
                Some(Self::ConditionFailed(item))
            }
            Some(_) => None,
        }
    }
}
