//! Where sends are asked for from: `source#<address>`.
//!
//! A [`Register`] of marks, each a moment and a tag of the slot the send was for, so that a code that
//! is used takes what was asked for it off again. Counted before anything is decided, so a refused
//! request counts like any other; and counted by an update that reads nothing, so that thousands of
//! people behind one address don't wait for each other.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    CONDITION_FAILED, Item, Store, TTL_MARGIN, count, failed, number, primary_key,
    register::{self, Register},
};
use crate::domain::{
    client_address::Source, error::Error, fraud::SourceHistory, slot_key::Tag, time::UnixMs,
    window::Limit,
};

/// How long a used code speaks for its source.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most used codes that are counted: what a busy source may leave unanswered is bounded anyway.
const MOST_VERIFIED: u64 = 1000;

/// How counting a send against its source went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Counted {
    /// It is counted; what is known of the source, this send included.
    Done(SourceHistory),
    /// The source has asked for too many that were not used.
    TooMany {
        /// When it may ask again.
        retry_after: Duration,
    },
}

impl Store {
    /// Counts a send for the slot that `tag` stands for.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; it may be counted all the same.
    pub async fn count_source(
        &self,
        source: &Source,
        tag: Tag,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<Counted, Error> {
        let sends = sends(source, limits);
        let count = sends.count_marked(now, tag.number());
        let ttl = now.plus(REMEMBERED).plus(TTL_MARGIN).as_secs();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.key.clone())))
            .update_expression(format!("{} ADD version :one", count.update))
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":ttl", number(ttl))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match update.send().await {
            Ok(updated) => {
                let item = updated.attributes.unwrap_or_default();
                return Ok(Counted::Done(answers(&item, limits, now)));
            }
            Err(error) => error,
        };
        let refused = match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item(),
            _ => return Err(failed("UpdateItem", &error)),
        };
        // Older DynamoDBs do not return the item.
        let item = match refused {
            Some(item) => Some(item.clone()),
            None => self.get(&self.codes, sends.key.clone()).await?,
        };
        let retry_after = sends.wait(item.as_ref(), now);
        Ok(Counted::TooMany { retry_after })
    }

    /// Takes off a source what was asked for the slot that `tag` stands for: its code was used. And
    /// remembers that somebody there answers.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn answered(
        &self,
        source: &Source,
        tag: Tag,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let taken_off = |mark: u64| mark % Tag::COUNT == tag.number();
        self.take_off(source, limits, now, 1, taken_off).await
    }

    /// Takes the send counted at `counted_at` off again: it failed on our side.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn uncount_source(
        &self,
        source: &Source,
        tag: Tag,
        counted_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let mark = counted_at.0 * Tag::COUNT + tag.number();
        self.take_off(source, limits, counted_at, 0, |other| other == mark)
            .await
    }

    async fn take_off(
        &self,
        source: &Source,
        limits: &[Limit],
        now: UnixMs,
        answered: u64,
        is_taken_off: impl Fn(u64) -> bool,
    ) -> Result<(), Error> {
        if limits.is_empty() {
            return Ok(());
        }
        let sends = sends(source, limits);
        loop {
            let item = self.get(&self.codes, sends.key.clone()).await?;
            let Some(item) = item else { return Ok(()) };
            let marks: Vec<u64> = register::marks(Some(&item)).collect();
            let left = marks.iter().copied().filter(|mark| !is_taken_off(*mark));
            let left = left.chain(std::iter::repeat(0));
            let mut set = "SET version = :next".to_owned();
            let mut update = self
                .client
                .update_item()
                .table_name(&self.codes)
                .set_key(Some(primary_key(sends.key.clone())));
            for (n, (mark, was)) in left.zip(&marks).enumerate() {
                if mark != *was {
                    set += &format!(", s{n} = :s{n}");
                    update = update.expression_attribute_values(format!(":s{n}"), number(mark));
                }
            }
            if answered > 0 {
                let verified = (verified(&item, now) + answered).min(MOST_VERIFIED);
                set += ", verified = :verified, verified_ms = :now";
                update = update
                    .expression_attribute_values(":verified", number(verified))
                    .expression_attribute_values(":now", number(now.0));
            }
            let version = count(&item, "version");
            let update = update
                .update_expression(set)
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(version))
                .expression_attribute_values(":next", number(version + 1));
            match update.send().await {
                Ok(_) => return Ok(()),
                // Somebody else's send or answer came between; each such round one of them is done.
                Err(error) if error.code() == Some(CONDITION_FAILED) => {}
                Err(error) => return Err(failed("UpdateItem", &error)),
            }
        }
    }
}

fn sends<'a>(source: &Source, limits: &'a [Limit]) -> Register<'a> {
    Register {
        key: format!("source#{}", source.as_str()),
        limits,
        grain: Tag::COUNT,
    }
}

/// What an item says of its source.
fn answers(item: &Item, limits: &[Limit], now: UnixMs) -> SourceHistory {
    let longest = limits.iter().max_by_key(|limit| limit.span);
    let horizon = longest.map_or(UnixMs(0), |limit| limit.horizon(now));
    let marks = register::marks(Some(item));
    let unused = marks.filter(|mark| mark / Tag::COUNT > horizon.0).count();
    SourceHistory {
        unused: unused as u64,
        used: verified(item, now),
    }
}

/// The codes used lately; those of long ago are forgotten.
fn verified(item: &Item, now: UnixMs) -> u64 {
    let last = UnixMs(count(item, "verified_ms"));
    match last.plus(REMEMBERED) > now {
        true => count(item, "verified"),
        false => 0,
    }
}
