//! Lost races, and the randomness that thins them.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::domain::error::Error;

/// Rounds lost to others. The first rounds are played again at once; then a little later each time,
/// spread out, so that a crowd thins. The request's deadline ends it.
#[derive(Default)]
pub(super) struct Race {
    rounds: u32,
}

impl Race {
    /// Waits before the next round.
    pub(super) async fn lost(&mut self) {
        self.rounds += 1;
        if self.rounds > 2 {
            // Without randomness everybody waits alike, which is still a wait.
            let [random] = random().unwrap_or_default();
            let spread = u64::from(random) * u64::from(self.rounds.min(10)) / 16;
            tokio::time::sleep(Duration::from_millis(spread)).await;
        }
    }
}

/// Random bytes.
///
/// # Errors
/// [`Error::Internal`] without randomness.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::Internal("no randomness".into()))?;
    Ok(bytes)
}
