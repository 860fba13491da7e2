//! A rolling window in one item: the recent events of one kind, counted without being read first.
//!
//! The attributes `s0`, `s1`, … hold the newest event, the one before it, and so on, as many as the
//! largest limit. DynamoDB evaluates the right-hand sides of an update on the item as it was, so one
//! update shifts them all. The condition of the update is the rolling window: with five events an
//! hour, an event is admitted if the fifth newest (`s4`) is an hour old. [`crate::domain::window`] has
//! the same rule in Rust; it computes the wait from the refused item.
//!
//! An attribute holds a *mark*: the moment of the event times [`RecentEvents::marks_per_ms`], plus a
//! tag below that number that says what the event was about.

use std::{collections::HashMap, fmt::Write, time::Duration};

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::{
    Store, TTL_MARGIN,
    item::{Item, number, primary_key},
    op::Op,
    repeat::{self, Updated},
    transaction::update_part,
};
use crate::domain::{
    error::Error,
    time::UnixMs,
    window::{Limit, Window},
};

/// The recent events of one kind, and their limits.
pub(super) struct RecentEvents<'a> {
    /// The item's key, in the codes table.
    pub(super) pk: String,
    /// Every limit has to admit an event.
    pub(super) limits: &'a [Limit],
    /// 1, or the number of tags.
    pub(super) marks_per_ms: u64,
}

/// One conditional update, in the form that `UpdateItem` and a transaction both take. An `UpdateItem`
/// that is not idempotent goes [once](Self::once).
pub(super) struct Change {
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) values: Item,
}

impl Change {
    /// The same, done once although it may be repeated.
    pub(super) fn once(mut self, op: &Op) -> Self {
        self.update = format!("{}, {}", self.update, Op::SET);
        self.condition = match self.condition.as_str() {
            "" => Op::IS_NEW.to_owned(),
            limits => format!("{limits} AND {}", Op::IS_NEW),
        };
        self.values.insert(Op::VALUE.to_owned(), op.value());
        self
    }
}

impl RecentEvents<'_> {
    /// How many events the item keeps.
    fn kept(&self) -> usize {
        let events = self.limits.iter().map(|limit| limit.events);
        events.max().unwrap_or(1)
    }

    /// Counts an event at `now`, if the limits admit it.
    pub(super) fn count(&self, now: UnixMs) -> Change {
        self.count_tagged(now, 0, true)
    }

    /// Counts an event with a tag below [`Self::marks_per_ms`]. The limits can refuse it only if `refuse` is
    /// set.
    pub(super) fn count_tagged(&self, now: UnixMs, tag: u64, refuse: bool) -> Change {
        let kept = self.kept();
        let spans = self.limits.iter().map(|limit| limit.span);
        let longest = spans.max().unwrap_or_default();
        let ttl = now.plus(longest).plus(TTL_MARGIN).as_secs();
        let mut values = HashMap::from([
            (":now".to_owned(), number(now.0 * self.marks_per_ms + tag)),
            (":ttl".to_owned(), number(ttl)),
        ]);
        let mut update = "SET s0 = :now, #ttl = :ttl".to_owned();
        for n in 1..kept {
            // Writing to a String cannot fail.
            let _ = write!(update, ", s{n} = if_not_exists(s{}, :never)", n - 1);
        }
        // DynamoDB refuses a value that no expression uses.
        if kept > 1 {
            values.insert(":never".to_owned(), number(0));
        }
        let (condition, horizons) = if refuse {
            self.admits(now)
        } else {
            Default::default()
        };
        values.extend(horizons);
        Change {
            update,
            condition,
            values,
        }
    }

    /// The condition that the limits admit an event at `now`, and its values.
    pub(super) fn admits(&self, now: UnixMs) -> (String, Item) {
        let (mut conditions, mut values) = (Vec::new(), Item::new());
        for (n, limit) in self.limits.iter().enumerate() {
            let (s, horizon) = (format!("s{}", limit.events - 1), format!(":horizon{n}"));
            conditions.push(format!("(attribute_not_exists({s}) OR {s} <= {horizon})"));
            values.insert(horizon, number(limit.horizon(now).0 * self.marks_per_ms));
        }
        (conditions.join(" AND "), values)
    }

    /// Removes the event at `counted_at`, if it is in this place. Place 0 is the newest event's.
    fn remove(&self, place: usize, counted_at: UnixMs) -> Change {
        let kept = self.kept();
        let shifts = (place + 1..kept).map(|n| format!("s{} = if_not_exists(s{n}, :never)", n - 1));
        let shifts: Vec<String> = shifts.chain([format!("s{} = :never", kept - 1)]).collect();
        let values = [(":counted_at", counted_at.0), (":never", 0)];
        Change {
            update: format!("SET {}", shifts.join(", ")),
            condition: format!("s{place} = :counted_at"),
            values: values.map(|(name, n)| (name.to_owned(), number(n))).into(),
        }
    }

    /// Back-dates the newest event by the shortest limit, if it is the one at `counted_at`.
    pub(super) fn back_date(&self, counted_at: UnixMs) -> Change {
        let shortest = self.limits.iter().min_by_key(|limit| limit.span);
        let aged = shortest.map_or(counted_at, |limit| limit.horizon(counted_at));
        let values = [(":counted_at", counted_at.0), (":aged", aged.0)];
        Change {
            update: "SET s0 = :aged".to_owned(),
            condition: "s0 = :counted_at".to_owned(),
            values: values.map(|(name, n)| (name.to_owned(), number(n))).into(),
        }
    }

    /// How long until the item, which refused an event at `now`, admits one.
    pub(super) fn wait(&self, item: Option<&Item>, now: UnixMs) -> Duration {
        let moments = marks(item).map(|mark| UnixMs(mark / self.marks_per_ms));
        let window = Window(moments.collect());
        let waits = self.limits.iter();
        let waits = waits.filter_map(|limit| window.wait(now, limit));
        waits.max().unwrap_or_default()
    }
}

impl Store {
    /// Counts an event at `now`, if the limits admit it. Otherwise, how long they refuse it.
    pub(super) async fn count_event(
        &self,
        events: &RecentEvents<'_>,
        now: UnixMs,
    ) -> Result<Option<Duration>, Error> {
        let op = Op::draw()?;
        let count = events.count(now).once(&op);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(events.pk.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(match repeat::update(update).await? {
            Updated::Refused(item) if !op.made(item.as_ref()) => {
                Some(events.wait(item.as_ref(), now))
            }
            Updated::Done(_) | Updated::Refused(_) => None,
        })
    }

    /// Counts an event at `now`, if the limits admit it, as a part of a transaction. A refusal shows the item.
    pub(super) fn count_part(
        &self,
        events: &RecentEvents<'_>,
        now: UnixMs,
    ) -> Result<TransactWriteItem, Error> {
        let count = events.count(now);
        let update = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(events.pk.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        update_part(update)
    }

    /// Removes the event at `counted_at`, wherever later events have shifted it to. The events have no
    /// tags.
    pub(super) async fn remove_event(
        &self,
        events: &RecentEvents<'_>,
        counted_at: UnixMs,
    ) -> Result<(), Error> {
        let op = Op::draw()?;
        let mut place = Some(0);
        while let Some(n) = place {
            let change = events.remove(n, counted_at).once(&op);
            let update = self
                .client
                .update_item()
                .table_name(&self.codes)
                .set_key(Some(primary_key(events.pk.clone())))
                .update_expression(change.update)
                .condition_expression(change.condition)
                .set_expression_attribute_values(Some(change.values))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            place = match repeat::update(update).await? {
                Updated::Refused(item) if !op.made(item.as_ref()) => {
                    marks(item.as_ref()).position(|at| at == counted_at.0)
                }
                Updated::Done(_) | Updated::Refused(_) => None,
            };
        }
        Ok(())
    }
}

/// The marks of an item, newest first.
pub(super) fn marks(item: Option<&Item>) -> impl Iterator<Item = u64> {
    // One buffer for all names: a source's item has a hundred, read at every send.
    let mut name = String::new();
    (0..).map_while(move |n| {
        name.clear();
        write!(name, "s{n}").ok()?;
        match item?.get(&name)? {
            AttributeValue::N(mark) => mark.parse().ok(),
            _ => None,
        }
    })
}
