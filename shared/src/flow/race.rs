//! Races: deciding again after a lost one.

use std::time::Duration;

use crate::{
    domain::error::Error,
    random,
    store::{Key, Seen, Store, transaction::Outcome, users::ChangeOutcome},
};

/// The rounds that a request has lost. The first two are repeated at once. Later ones wait, longer each
/// time and for a random time, so that a crowd thins. The request's deadline ends the race.
#[derive(Default)]
pub(super) struct Race {
    rounds: u32,
}

impl Race {
    /// Waits before the next round.
    pub(super) async fn lost(&mut self) {
        self.rounds += 1;
        if self.rounds > 2 {
            // Without randomness all wait alike, which is still a wait.
            let [random] = random::bytes().unwrap_or_default();
            let spread = u64::from(random) * u64::from(self.rounds.min(10)) / 16;
            tokio::time::sleep(Duration::from_millis(spread)).await;
        }
    }
}

/// What a round came to.
pub(super) enum Round<T> {
    /// The decision is written.
    Won(T),
    /// Another write came first, and nothing is written.
    Lost,
}

impl Outcome {
    /// The round that this outcome of its write makes.
    pub(super) fn round<T>(self, won: impl FnOnce() -> T) -> Round<T> {
        match self {
            Self::Done => Round::Won(won()),
            Self::Raced => Round::Lost,
        }
    }
}

impl ChangeOutcome {
    /// The round that this outcome of its write makes. After too many wrong codes the next one reads and refuses
    /// them.
    pub(super) fn round<T>(self, won: impl FnOnce() -> T) -> Round<T> {
        match self {
            Self::Done => Round::Won(won()),
            Self::Raced | Self::TooManyWrongCodes { .. } => Round::Lost,
        }
    }
}

/// Reads `keys` and decides, until the decision is written or refused.
pub(super) async fn until_won<T, Deciding>(
    store: &Store,
    keys: &[Key],
    decide: impl Fn(Seen) -> Deciding,
) -> Result<T, Error>
where
    Deciding: Future<Output = Result<Round<T>, Error>>,
{
    let mut race = Race::default();
    loop {
        let seen = store.read(keys).await?;
        match decide(seen).await? {
            Round::Won(result) => return Ok(result),
            Round::Lost => race.lost().await,
        }
    }
}
