//! Moments in time. The domain reads no clock: `now` is always an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The moment this long after this one.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_millis() as u64))
    }

    /// The moment this long before this one.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_millis() as u64))
    }

    /// The time from `now` until this moment; zero when the moment has passed.
    pub fn after(self, now: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(now.0))
    }

    /// Whole seconds since 1970, the unit of JWT and of DynamoDB's TTL.
    pub fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Whole days since 1970, in UTC.
    pub fn day(self) -> u64 {
        self.as_secs() / (24 * 60 * 60)
    }
}

/// The value of `Retry-After` for a wait: whole seconds, rounded up, at least one. So a client that
/// waits that long is never too early.
pub fn retry_after_secs(wait: Duration) -> u64 {
    (wait.as_millis() as u64).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_milliseconds_and_neither_overflow_nor_go_below_zero() {
        let second = Duration::from_secs(1);
        assert_eq!(UnixMs(1_999).plus(second), UnixMs(2_999));
        assert_eq!(UnixMs(u64::MAX).plus(second), UnixMs(u64::MAX));
        assert_eq!(UnixMs(1_999).before(second), UnixMs(999));
        assert_eq!(UnixMs(999).before(second), UnixMs(0));
        assert_eq!(UnixMs(1_500).after(UnixMs(500)), second);
        assert_eq!(UnixMs(500).after(UnixMs(1_500)), Duration::ZERO);
        assert_eq!(UnixMs(1_999).as_secs(), 1);
    }

    #[test]
    fn retry_after_is_never_early_and_never_zero() {
        assert_eq!(retry_after_secs(Duration::from_millis(0)), 1);
        assert_eq!(retry_after_secs(Duration::from_millis(1_000)), 1);
        assert_eq!(retry_after_secs(Duration::from_millis(1_001)), 2);
    }
}
