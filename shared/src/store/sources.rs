//! Sources: `source#<address>` holds the recent sends that a source asked for and that were not
//! redeemed.
//!
//! Each send is a mark of its moment and of the [`Tag`] of its slot, so that a redeemed code removes
//! the sends of its slot. A send is counted before anything is decided, so refused requests count; and
//! by an update that reads nothing, so that many people behind one address do not wait for each other.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Key, Store, TTL_MARGIN,
    failure::{failed, is_condition},
    item::{Item, count, number, primary_key},
    op::Op,
    recent_events::{RecentEvents, marks},
    repeat::{self, Pauses},
};
use crate::domain::{
    client_address::Source, error::Error, fraud::SourceHistory, slot_key::Tag, time::UnixMs,
    window::Limit,
};

/// How long a redeemed code counts in favour of its source.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most used codes that are counted: they bound how many a busy source may leave unused.
const MOST_USED: u64 = 1000;

/// How counting a send against its source went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SourceOutcome {
    /// Counted; what is known of the source, this send included.
    Done(SourceHistory),
    /// The source has asked for too many sends whose codes are unused.
    TooMany {
        /// When it may ask again.
        retry_after: Duration,
    },
}

impl Store {
    /// Counts a send for the slot that `tag` stands for.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the send may be counted all the same.
    pub async fn count_source(
        &self,
        source: &Source,
        tag: Tag,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<SourceOutcome, Error> {
        let sends = sends(source, limits);
        let op = Op::draw()?;
        let counted = sends.count_tagged(now, tag.number()).once(&op);
        let ttl = now.plus(REMEMBERED).plus(TTL_MARGIN).as_secs();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.pk.clone())))
            .update_expression(format!("{} ADD version :one", counted.update))
            .condition_expression(counted.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(counted.values))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(ttl))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match repeat::update(update).await {
            Ok(updated) => {
                let item = updated.attributes.unwrap_or_default();
                return Ok(SourceOutcome::Done(history(&item, limits, now)));
            }
            Err(error) => error,
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) =
            error.as_service_error()
        else {
            return Err(failed("UpdateItem", &error));
        };
        Ok(match refused.item() {
            Some(item) if op.made(Some(item)) => SourceOutcome::Done(history(item, limits, now)),
            item => SourceOutcome::TooMany {
                retry_after: sends.wait(item, now),
            },
        })
    }

    /// Removes the sends of the slot that `tag` stands for, because a code of theirs was redeemed, and
    /// counts the redeemed code.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn forget_redeemed(
        &self,
        source: &Source,
        tag: Tag,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let is_of_slot = |mark: u64| mark % Tag::COUNT == tag.number();
        self.remove_marks(source, limits, now, 1, is_of_slot).await
    }

    /// Removes the send counted at `counted_at`, of which no message was sent.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_source(
        &self,
        source: &Source,
        tag: Tag,
        counted_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let failed = counted_at.0 * Tag::COUNT + tag.number();
        self.remove_marks(source, limits, counted_at, 0, |mark| mark == failed)
            .await
    }

    /// Removes marks, and counts redeemed codes. The number of marks is not known before the item is
    /// read, so the item is written on condition that its version has not moved.
    async fn remove_marks(
        &self,
        source: &Source,
        limits: &[Limit],
        now: UnixMs,
        redeemed: u64,
        is_removed: impl Fn(u64) -> bool,
    ) -> Result<(), Error> {
        if limits.is_empty() {
            return Ok(());
        }
        let pk = sends(source, limits).pk;
        let (op, mut pauses) = (Op::draw()?, Pauses::default());
        loop {
            let item = self.get(Key::of_codes(pk.clone())).await?;
            let Some(item) = item.filter(|item| !op.made(Some(item))) else {
                return Ok(());
            };
            let before: Vec<u64> = marks(Some(&item)).collect();
            let kept = before.iter().copied().filter(|mark| !is_removed(*mark));
            let after = kept.chain(std::iter::repeat(0));
            let mut set = format!("SET version = :next, {}", Op::SET);
            let mut update = self
                .client
                .update_item()
                .table_name(&self.codes)
                .set_key(Some(primary_key(pk.clone())));
            for (n, (mark, was)) in after.zip(&before).enumerate() {
                if mark != *was {
                    set += &format!(", s{n} = :s{n}");
                    update = update.expression_attribute_values(format!(":s{n}"), number(mark));
                }
            }
            if redeemed > 0 {
                let used = (used(&item, now) + redeemed).min(MOST_USED);
                set += ", verified = :verified, verified_ms = :now";
                update = update
                    .expression_attribute_values(":verified", number(used))
                    .expression_attribute_values(":now", number(now.0));
            }
            let version = count(&item, "version");
            let update = update
                .update_expression(set)
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(version))
                .expression_attribute_values(":next", number(version + 1))
                .expression_attribute_values(Op::VALUE, op.value());
            match repeat::update(update).await {
                Ok(_) => return Ok(()),
                // Another send or redemption came first, or this was done and its answer lost.
                Err(error) if is_condition(&error) => pauses.pause().await,
                Err(error) => return Err(failed("UpdateItem", &error)),
            }
        }
    }
}

fn sends<'a>(source: &Source, limits: &'a [Limit]) -> RecentEvents<'a> {
    RecentEvents {
        pk: format!("source#{}", source.as_str()),
        limits,
        marks_per_ms: Tag::COUNT,
    }
}

/// What an item says of its source.
fn history(item: &Item, limits: &[Limit], now: UnixMs) -> SourceHistory {
    let longest = limits.iter().max_by_key(|limit| limit.span);
    let horizon = longest.map_or(UnixMs(0), |limit| limit.horizon(now));
    let unused = marks(Some(item)).filter(|mark| mark / Tag::COUNT > horizon.0);
    SourceHistory {
        unused: unused.count() as u64,
        used: used(item, now),
    }
}

/// The codes redeemed lately; 0 when the last one is longer ago than [`REMEMBERED`].
fn used(item: &Item, now: UnixMs) -> u64 {
    let last = UnixMs(count(item, "verified_ms"));
    if last.plus(REMEMBERED) > now {
        count(item, "verified")
    } else {
        0
    }
}
