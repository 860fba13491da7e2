//! Wrong codes: `wrong-codes#<e164>` holds the recent wrong codes of one client for a phone, over all
//! purposes.
//!
//! A refused code is counted by the write that refuses it, and each code is spent on condition that there
//! are not too many. So of many guesses at once, for whatever purposes, no more than the limit count.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    ConditionCheck, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use super::{
    Key, Seen, Store,
    failure::unbuildable,
    item::{Item, primary_key},
    recent_events::RecentEvents,
    slots::SlotMove,
    transaction::{Outcome, Transaction, WriteResult},
};
use crate::domain::{client::Client, error::Error, phone::Phone, time::UnixMs, window::Limit};

/// The wrong codes of one client for one phone, and their limit.
#[derive(Debug, Clone)]
pub struct WrongCodes {
    /// Where the codes were sent.
    pub phone: Phone,
    /// Who presents them.
    pub client: Client,
    /// How many it may present.
    pub limit: Limit,
}

/// What spends a code.
#[derive(Debug, Clone)]
pub struct Spend<'a> {
    /// The slot's step.
    pub step: SlotMove<'a>,
    /// Of these there must not be too many.
    pub wrong: WrongCodes,
    /// When it is spent.
    pub now: UnixMs,
}

/// How refusing a wrong code went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RefuseOutcome {
    /// Written: the code counts.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// There were too many already, and nothing is written.
    TooMany {
        /// When the next one may be presented.
        retry_after: Duration,
    },
}

impl Key {
    /// The wrong codes of a client for a phone.
    pub fn wrong_codes(phone: &Phone, client: Client) -> Self {
        Self::of_codes(pk(phone, client))
    }
}

impl Seen {
    /// How long codes of this client for this phone are refused; `None` when the next one is evaluated.
    pub fn too_many(&self, wrong: &WrongCodes, now: UnixMs) -> Option<Duration> {
        let item = self.item(&Key::wrong_codes(&wrong.phone, wrong.client));
        let wait = wrong.events().wait(item, now);
        Some(wait).filter(|wait| !wait.is_zero())
    }
}

impl Store {
    /// Refuses a wrong code in one transaction: the slot moves, and the code counts for its phone.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn refuse_code(
        &self,
        step: &SlotMove<'_>,
        wrong: &WrongCodes,
        now: UnixMs,
    ) -> Result<RefuseOutcome, Error> {
        let writes = vec![self.put_slot(step)?, self.count_part(&wrong.events(), now)?];
        Ok(match self.transact(writes).await? {
            Transaction::Done => RefuseOutcome::Done,
            Transaction::Cancelled(results) => match &results[..] {
                [WriteResult::Passed, WriteResult::ConditionFailed(item)] => {
                    let retry_after = wrong.wait(item.as_ref(), now);
                    RefuseOutcome::TooMany { retry_after }
                }
                _ => RefuseOutcome::Raced,
            },
        })
    }

    /// Spends a code that nothing else is written for.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn spend(&self, spend: &Spend<'_>) -> Result<Outcome, Error> {
        let writes = self.spending(spend)?.into();
        self.transact(writes).await.map(Transaction::outcome)
    }

    /// What spends a code, as the parts of a transaction: the slot's step, and the check of the wrong codes.
    pub(super) fn spending(&self, spend: &Spend<'_>) -> Result<[TransactWriteItem; 2], Error> {
        Ok([
            self.put_slot(&spend.step)?,
            self.check_wrong_codes(&spend.wrong, spend.now)?,
        ])
    }

    /// Checks that there are not too many wrong codes, as a part of a transaction.
    pub(super) fn check_wrong_codes(
        &self,
        wrong: &WrongCodes,
        now: UnixMs,
    ) -> Result<TransactWriteItem, Error> {
        let events = wrong.events();
        let (condition, values) = events.admits(now);
        let check = ConditionCheck::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(events.pk)))
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let check = check.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

impl WrongCodes {
    /// How long the item, which was there when a condition failed at `now`, refuses codes.
    pub(super) fn wait(&self, item: Option<&Item>, now: UnixMs) -> Duration {
        self.events().wait(item, now)
    }

    fn events(&self) -> RecentEvents<'_> {
        RecentEvents {
            pk: pk(&self.phone, self.client),
            limits: std::slice::from_ref(&self.limit),
            marks_per_ms: 1,
        }
    }
}

fn pk(phone: &Phone, client: Client) -> String {
    format!("wrong-codes#{}{}", phone.e164(), client.suffix())
}
