//! The latest events of one kind, in one item that is counted up without being read first: sends to
//! a phone, wrong passwords of an account.
//!
//! The item is a shift register: `s0` the newest event, `s1` the one before, as many as the largest
//! limit. DynamoDB evaluates the right-hand sides of an update on the item as it was, so one update
//! shifts them all, and its condition is the rolling window itself: with five an hour, an event is
//! admitted if the fifth newest (`s4`) is an hour old. [`crate::domain::window`] has the same rule in Rust,
//! and says from the refused item when to come back.
//!
//! A place can hold more than a moment: in a register with a grain, a mark is the moment times the
//! grain, and what lies below the grain says what the event was about.

use std::{collections::HashMap, fmt::Write, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Item, TTL_MARGIN, number};
use crate::domain::{
    time::UnixMs,
    window::{Limit, Window},
};

/// A register and what it admits.
#[derive(Debug, Clone)]
pub(super) struct Register<'a> {
    /// The item's key.
    pub(super) key: String,
    /// All have to admit an event.
    pub(super) limits: &'a [Limit],
    /// 1, or how many marks a millisecond has.
    pub(super) grain: u64,
}

/// One conditional update, as `UpdateItem` and a transaction's part both take it.
pub(super) struct Change {
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) values: Item,
}

impl Register<'_> {
    fn kept(&self) -> usize {
        self.limits
            .iter()
            .map(|limit| limit.events)
            .max()
            .unwrap_or(1)
    }

    /// Counts an event at `now`, if the limits admit it.
    pub(super) fn count(&self, now: UnixMs) -> Change {
        self.count_marked(now, 0)
    }

    /// The same of an event about something; `tag` is below the grain.
    pub(super) fn count_marked(&self, now: UnixMs, tag: u64) -> Change {
        let kept = self.kept();
        let longest = self
            .limits
            .iter()
            .map(|limit| limit.span)
            .max()
            .unwrap_or_default();
        let ttl = now.plus(longest).plus(TTL_MARGIN).as_secs();
        let mut values = HashMap::from([
            (":now".to_owned(), number(now.0 * self.grain + tag)),
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
        let mut conditions = Vec::new();
        for (n, limit) in self.limits.iter().enumerate() {
            let (s, horizon) = (format!("s{}", limit.events - 1), format!(":horizon{n}"));
            conditions.push(format!("(attribute_not_exists({s}) OR {s} <= {horizon})"));
            values.insert(horizon, number(limit.horizon(now).0 * self.grain));
        }
        Change {
            update,
            condition: conditions.join(" AND "),
            values,
        }
    }

    /// Takes the event at `counted_at` off again, if it is in this place; 0 is the newest's.
    pub(super) fn uncount(&self, place: usize, counted_at: UnixMs) -> Change {
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

    /// Makes the newest event, if it is the one at `counted_at`, older by the shortest span.
    pub(super) fn age(&self, counted_at: UnixMs) -> Change {
        let shortest = self.limits.iter().min_by_key(|limit| limit.span);
        let aged = shortest.map_or(counted_at, |limit| limit.horizon(counted_at));
        let values = [(":counted_at", counted_at.0), (":aged", aged.0)];
        Change {
            update: "SET s0 = :aged".to_owned(),
            condition: "s0 = :counted_at".to_owned(),
            values: values.map(|(name, n)| (name.to_owned(), number(n))).into(),
        }
    }

    /// The place that later events have pushed the one at `counted_at` back to.
    pub(super) fn place_of(item: Option<&Item>, counted_at: UnixMs) -> Option<usize> {
        marks(item).position(|at| at == counted_at.0)
    }

    /// How long until the refused `item` admits an event.
    pub(super) fn wait(&self, item: Option<&Item>, now: UnixMs) -> Duration {
        let moments = marks(item).map(|mark| UnixMs(mark / self.grain));
        let window = Window(moments.collect());
        let waits = self
            .limits
            .iter()
            .filter_map(|limit| window.wait(now, limit));
        waits.max().unwrap_or_default()
    }
}

/// The marks of an item, newest first.
pub(super) fn marks(item: Option<&Item>) -> impl Iterator<Item = u64> {
    // One name for all: a source has a hundred, at every send.
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
