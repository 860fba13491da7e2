//! Transactions: several conditional writes, of which all are done or none.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError, types::TransactWriteItem,
};

use super::{Store, failure::failed, item::Item};
use crate::domain::error::Error;

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
    /// Another transaction was writing the item.
    Conflict,
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

impl Store {
    /// Runs a transaction. The SDK gives each an idempotency token, so a transaction whose answer was
    /// lost is not done twice when the SDK repeats it.
    pub(super) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Transaction, Error> {
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
        let results = reasons.map(|reason| match reason.code.as_deref() {
            None | Some("None") => Some(WriteResult::Passed),
            Some("TransactionConflict") => Some(WriteResult::Conflict),
            Some("ConditionalCheckFailed") => {
                let item = reason.item.clone().filter(|item| !item.is_empty());
                Some(WriteResult::ConditionFailed(item))
            }
            Some(_) => None,
        });
        let results: Option<Vec<WriteResult>> = results.collect();
        let results = results.ok_or_else(|| failed("TransactWriteItems", &error))?;
        Ok(Transaction::Cancelled(results))
    }
}
