//! The time everything here goes by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shared::domain::time::UnixMs;

/// The system's clock, ahead by an offset that tests raise instead of waiting. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// The time.
    pub fn now(&self) -> UnixMs {
        shared::clock::now().plus(Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst)))
    }

    /// Moves the time forward, to whole milliseconds, for all clones.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_move_together() {
        let clock = Clock::default();
        let before = clock.now();
        clock.clone().advance(Duration::from_secs(120));
        assert!(clock.now() >= before.plus(Duration::from_secs(120)));
    }
}
