//! Rolling windows: "at most `n` events in any span of length `d`", exactly.
//!
//! A counter per calendar hour lets twice its limit through around the full hour; this keeps the
//! moments themselves, newest first, and only as many as the largest limit needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::time::UnixMs;

/// At most [`Self::events`] events in any span of [`Self::span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many events the span admits; at least 1.
    pub events: usize,
    /// The length of the span.
    pub span: Duration,
}

impl Limit {
    /// Events before this moment no longer count at `now`.
    pub fn horizon(&self, now: UnixMs) -> UnixMs {
        UnixMs(now.0.saturating_sub(self.span.as_millis() as u64))
    }
}

/// The latest events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(pub Vec<UnixMs>);

impl Window {
    /// How long until one more event is admitted; `None` when it is admitted now.
    pub fn wait(&self, now: UnixMs, limit: &Limit) -> Option<Duration> {
        let oldest_that_counts = self.0.get(limit.events.checked_sub(1)?)?;
        let free_at = oldest_that_counts.plus(limit.span);
        (free_at > now).then(|| free_at.after(now))
    }

    /// This window and an event at `now`, keeping the `keep` newest.
    pub fn with(&self, now: UnixMs, keep: usize) -> Self {
        let events = std::iter::once(now).chain(self.0.iter().copied());
        Self(events.take(keep).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn admits_what_a_full_history_admits_and_says_when_it_will_again(
            steps in prop::collection::vec(0u64..2_000, 1..80), events in 1usize..6, span_ms in 1u64..4_000,
        ) {
            let limit = Limit { events, span: Duration::from_millis(span_ms) };
            let (mut window, mut history, mut now) = (Window::default(), Vec::<u64>::new(), UnixMs(1_000_000));
            for step in steps {
                now = UnixMs(now.0 + step);
                let counted = history.iter().filter(|at| **at + span_ms > now.0).count();
                match window.wait(now, &limit) {
                    None => {
                        prop_assert!(counted < events);
                        window = window.with(now, events);
                        history.push(now.0);
                    }
                    Some(wait) => {
                        prop_assert_eq!(counted, events);
                        prop_assert!(window.wait(now.plus(wait), &limit).is_none());
                        prop_assert!(window.wait(UnixMs(now.plus(wait).0 - 1), &limit).is_some());
                    }
                }
            }
        }
    }
}
