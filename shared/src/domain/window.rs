//! Rolling windows: exactly "at most `n` events in any span of length `d`".
//!
//! A counter per calendar hour admits up to twice its limit within an hour. A window keeps the moments
//! of the events instead, newest first, and only as many as the largest limit needs.

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
    /// The beginning of the span that ends at `now`. Events up to this moment no longer count.
    pub fn horizon(&self, now: UnixMs) -> UnixMs {
        UnixMs(now.0.saturating_sub(self.span.as_millis() as u64))
    }
}

/// The latest events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(pub Vec<UnixMs>);

impl Window {
    /// How long one more event is refused; `None` when it is admitted now.
    pub fn wait(&self, now: UnixMs, limit: &Limit) -> Option<Duration> {
        let oldest_that_counts = self.0.get(limit.events.checked_sub(1)?)?;
        let free_at = oldest_that_counts.plus(limit.span);
        (free_at > now).then(|| free_at.after(now))
    }

    /// How many of its events count towards a limit at `now`.
    pub fn count(&self, now: UnixMs, limit: &Limit) -> usize {
        let horizon = limit.horizon(now);
        self.0.iter().filter(|at| **at > horizon).count()
    }

    /// This window with an event at `now` added, of which the newest `keep` events stay.
    pub fn with(&self, now: UnixMs, keep: usize) -> Self {
        let events = std::iter::once(now).chain(self.0.iter().copied());
        Self(events.take(keep).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THREE_A_SECOND: Limit = Limit {
        events: 3,
        span: Duration::from_secs(1),
    };

    #[test]
    fn an_event_counts_for_exactly_the_span() {
        let window = Window(vec![UnixMs(1_200), UnixMs(1_100), UnixMs(1_000)]);
        let wait = |now| window.wait(UnixMs(now), &THREE_A_SECOND);
        assert_eq!(wait(1_999), Some(Duration::from_millis(1)));
        assert_eq!(wait(2_000), None);
        assert_eq!(THREE_A_SECOND.horizon(UnixMs(2_000)), UnixMs(1_000));
        assert_eq!(THREE_A_SECOND.horizon(UnixMs(500)), UnixMs(0));
    }

    proptest! {
        #[test]
        fn a_window_decides_as_a_full_history_does_and_its_wait_is_exact(
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
