//! Sources: `source#<address>` holds the recent sends that a source asked for and that were not
//! redeemed. An IPv6 /64 is a source, and its /56 is another, with four times the limits: since an update
//! has no room for four times the marks, it has four items, `source#<network>#<quarter>`, and a slot's sends
//! count in the quarter of its tag.
//!
//! Each send is a mark of its moment and of the [`Tag`] of its slot, so that a redeemed code removes
//! the sends of its slot. A send is counted before anything is decided, so refused requests count; and
//! by an update that reads nothing, so that many people behind one address do not wait for each other.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::join;

use super::{
    Key, Seen, Store, TTL_MARGIN,
    item::{Item, count, number, primary_key},
    op::Op,
    recent_events::{RecentEvents, marks},
    repeat::{self, Pauses, Updated},
};
use crate::domain::{
    client_address::{Source, SourceLimits},
    error::Error,
    fraud::SourceHistory,
    slot_key::Tag,
    time::UnixMs,
    window::{Limit, Window},
};

/// A source without a redeemed code for so long has no credit. The credit of another halves each time that
/// so long has passed.
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

impl Key {
    /// The sends of a source and of its network.
    pub fn sends_of(source: &Source) -> Vec<Self> {
        all_items(source).map(Self::of_codes).collect()
    }
}

impl Seen {
    /// When the sends of a source, or of a quarter of its network, were that count against it, newest first.
    pub fn sends_of(&self, key: &Key) -> Window {
        let moments = marks(self.item(key)).filter(|mark| *mark > 0);
        Window(moments.map(|mark| UnixMs(mark / Tag::COUNT)).collect())
    }
}

impl Store {
    /// Counts a send for the slot that `tag` stands for, at the source and, at the same time, at its
    /// network.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the send may be counted all the same.
    pub async fn count_source(
        &self,
        source: &Source,
        tag: Tag,
        now: UnixMs,
        limits: &SourceLimits,
    ) -> Result<SourceOutcome, Error> {
        let own = self.count_at(own_item(source), tag, now, limits);
        let Some(item) = network_item(source, tag.number() % QUARTERS) else {
            return own.await;
        };
        let (own, network) = join(own, self.count_at(item.clone(), tag, now, limits)).await;
        let (own, network) = (own?, network?);
        if let (SourceOutcome::TooMany { .. }, SourceOutcome::Done(_)) = (own, network) {
            // A subscriber that is refused anyway must not use up what its neighbours have.
            self.release_at(item, tag, now, limits).await?;
        }
        Ok(own.and(network))
    }

    async fn count_at(
        &self,
        item: String,
        tag: Tag,
        now: UnixMs,
        limits: &SourceLimits,
    ) -> Result<SourceOutcome, Error> {
        let SourceLimits { limits, refuse } = limits;
        let sends = sends(item, limits);
        let op = Op::draw()?;
        let counted = sends.count_tagged(now, tag.number(), *refuse).once(&op);
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
        Ok(match repeat::update(update).await? {
            Updated::Done(item) => SourceOutcome::Done(history(&item, limits, now)),
            Updated::Refused(Some(item)) if op.made(Some(&item)) => {
                SourceOutcome::Done(history(&item, limits, now))
            }
            Updated::Refused(item) => SourceOutcome::TooMany {
                retry_after: sends.wait(item.as_ref(), now),
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
        limits: &SourceLimits,
    ) -> Result<(), Error> {
        let is_of_slot = |mark: u64| mark % Tag::COUNT == tag.number();
        for item in items(source, tag) {
            self.remove_marks(item, limits, now, 1, is_of_slot).await?;
        }
        Ok(())
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
        limits: &SourceLimits,
    ) -> Result<(), Error> {
        // Boxed: it is a rare part of every send, whose future would be the larger for it.
        let own = Box::pin(self.release_at(own_item(source), tag, counted_at, limits));
        let network = async {
            match network_item(source, tag.number() % QUARTERS) {
                Some(item) => Box::pin(self.release_at(item, tag, counted_at, limits)).await,
                None => Ok(()),
            }
        };
        let (own, network) = join(own, network).await;
        own.and(network)
    }

    async fn release_at(
        &self,
        item: String,
        tag: Tag,
        counted_at: UnixMs,
        limits: &SourceLimits,
    ) -> Result<(), Error> {
        let failed = counted_at.0 * Tag::COUNT + tag.number();
        self.remove_marks(item, limits, counted_at, 0, |mark| mark == failed)
            .await
    }

    /// Removes all sends of a source and of its network. What it has redeemed stays.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn forget_sends_of(
        &self,
        source: &Source,
        limits: &SourceLimits,
        now: UnixMs,
    ) -> Result<(), Error> {
        for item in all_items(source) {
            self.remove_marks(item, limits, now, 0, |_| true).await?;
        }
        Ok(())
    }

    /// Removes marks, and counts redeemed codes. The number of marks is not known before the item is
    /// read, so the item is written on condition that its version has not moved.
    async fn remove_marks(
        &self,
        item: String,
        limits: &SourceLimits,
        now: UnixMs,
        redeemed: u64,
        is_removed: impl Fn(u64) -> bool,
    ) -> Result<(), Error> {
        if limits.limits.is_empty() {
            return Ok(());
        }
        let pk = item;
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
                let credit = Credit::of(&item, now);
                let used = (credit.used + redeemed).min(MOST_USED);
                set += ", verified = :verified, verified_ms = :now, halved_ms = :halved";
                update = update
                    .expression_attribute_values(":verified", number(used))
                    .expression_attribute_values(":now", number(now.0))
                    .expression_attribute_values(":halved", number(credit.halved_at.0));
            }
            let version = count(&item, "version");
            let update = update
                .update_expression(set)
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(version))
                .expression_attribute_values(":next", number(version + 1))
                .expression_attribute_values(Op::VALUE, op.value());
            match repeat::update(update).await? {
                Updated::Done(_) => return Ok(()),
                // Another send or redemption came first, or this was done and its answer lost.
                Updated::Refused(_) => pauses.pause().await,
            }
        }
    }
}

impl SourceOutcome {
    /// What a source's own outcome and its network's come to: both have to admit the send, and the guard
    /// judges by the worse.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done(own), Self::Done(network)) => Self::Done(own.worse(network)),
            (Self::TooMany { retry_after: own }, Self::TooMany { retry_after }) => Self::TooMany {
                retry_after: own.max(retry_after),
            },
            (refused @ Self::TooMany { .. }, Self::Done(_))
            | (Self::Done(_), refused @ Self::TooMany { .. }) => refused,
        }
    }
}

fn own_item(source: &Source) -> String {
    format!("source#{}", source.as_str())
}

/// How many items a network has.
const QUARTERS: u64 = 4;

fn network_item(source: &Source, quarter: u64) -> Option<String> {
    let network = source.network()?;
    Some(format!("source#{}#{quarter}", network.as_str()))
}

/// The items of a source and of its network.
fn all_items(source: &Source) -> impl Iterator<Item = String> {
    let of_network = (0..QUARTERS).filter_map(|quarter| network_item(source, quarter));
    [own_item(source)].into_iter().chain(of_network)
}

/// The items that count a slot's sends.
fn items(source: &Source, tag: Tag) -> impl Iterator<Item = String> {
    let quarter = tag.number() % QUARTERS;
    [Some(own_item(source)), network_item(source, quarter)]
        .into_iter()
        .flatten()
}

fn sends(pk: String, limits: &[Limit]) -> RecentEvents<'_> {
    RecentEvents {
        pk,
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
        used: Credit::of(item, now).used,
    }
}

/// The codes that a source has redeemed lately.
struct Credit {
    /// How many, after all halvings until now.
    used: u64,
    /// When the last of these was due; before the first one, when the first code was redeemed.
    halved_at: UnixMs,
}

impl Credit {
    fn of(item: &Item, now: UnixMs) -> Self {
        let (last, halved_at) = (count(item, "verified_ms"), count(item, "halved_ms"));
        if UnixMs(last).plus(REMEMBERED) <= now {
            return Self {
                used: 0,
                halved_at: now,
            };
        }
        let span = REMEMBERED.as_millis() as u64;
        let halvings = now.0.saturating_sub(halved_at) / span;
        let halve = |used: u64| {
            u32::try_from(halvings)
                .ok()
                .and_then(|n| used.checked_shr(n))
        };
        Self {
            used: halve(count(item, "verified")).unwrap_or(0),
            halved_at: UnixMs(halved_at + halvings * span),
        }
    }
}
