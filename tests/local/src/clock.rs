//! The clock of the local system.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::domain::time::UnixMs;

/// The real time plus an offset. Tests raise the offset instead of waiting. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    ahead: Duration,
    /// The real time at which the clock was stopped.
    stopped: Option<UnixMs>,
}

impl Clock {
    /// The current time of this clock.
    pub fn now(&self) -> UnixMs {
        let state = self.state();
        let real = state.stopped.unwrap_or_else(shared::clock::now);
        real.plus(state.ahead)
    }

    /// Moves all clones forward, by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        self.state().ahead += by;
    }

    /// Stops all clones: from now on time passes only by [`Self::advance`].
    pub fn stop(&self) {
        self.state().stopped = Some(shared::clock::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_stopped_clock_is_moved_by_hand_alone() {
        let clock = Clock::default();
        clock.advance(Duration::from_secs(5));
        clock.clone().stop();
        let stopped = clock.now();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.now(), stopped);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), stopped.plus(Duration::from_secs(1)));
    }
}
