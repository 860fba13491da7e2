//! Attempts: wrong passwords.
//!
//! - `attempts#<uid>`: the recent wrong passwords of an account, by one client
//! - `attempts#nobody-<hash>`: those by a phone or a name that no account has
//! - `attempts#handle-<hash>`: where users are hidden, those by one phone or name
//! - `attempts-from#<address>`: those of a source, at any account
//! - `attempts-from#<network>#<quarter>`: those of an IPv6 /56, which has four times as many: a quarter of them
//!   for each quarter of the phones and names

use std::time::Duration;

use futures_util::future::join;

use super::{Key, Store, item::primary_key, recent_events::RecentEvents, repeat};
use crate::domain::{
    client::Client, client_address::Source, error::Error, keys::Pseudonym, time::UnixMs, user::Uid,
    window::Limit,
};

/// Whose attempts are counted together.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempts(String);

impl Attempts {
    /// Those of a client at an account.
    pub fn at(uid: Uid, client: Client) -> Self {
        Self(format!("attempts#{}{}", uid.0, client.suffix()))
    }

    /// Those at an account that does not exist, which this stands for.
    pub fn at_nobody(stand_in: Pseudonym) -> Self {
        Self(format!("attempts#nobody-{stand_in}"))
    }

    /// Those of a client by a phone or a name, which this stands for, whether an account has it or not.
    pub fn by_handle(handle: Pseudonym, client: Client) -> Self {
        Self(format!("attempts#handle-{handle}{}", client.suffix()))
    }

    fn events<'a>(&self, limits: &'a [Limit]) -> RecentEvents<'a> {
        RecentEvents {
            pk: self.0.clone(),
            limits,
            marks_per_ms: 1,
        }
    }
}

impl Key {
    /// Wrong passwords.
    pub fn attempts(attempts: Attempts) -> Self {
        Self::of_codes(attempts.0)
    }

    /// The wrong passwords of a source and of its network, at any account.
    pub fn attempts_from(source: &Source) -> Vec<Self> {
        let network = source.network().into_iter();
        let of_network =
            network.flat_map(|network| (0..QUARTERS).map(move |n| from_quarter(&network, n)));
        [from(source)]
            .into_iter()
            .chain(of_network)
            .map(Self::of_codes)
            .collect()
    }
}

fn from(source: &Source) -> String {
    format!("attempts-from#{}", source.as_str())
}

fn from_quarter(network: &Source, quarter: u64) -> String {
    format!("attempts-from#{}#{quarter}", network.as_str())
}

/// How many quarters a network's attempts are counted in, because an update has no room for four times the
/// marks.
const QUARTERS: u64 = 4;

/// The attempts of a source and of its network, at any account.
pub struct AttemptsFrom {
    source: Attempts,
    network: Option<Attempts>,
}

impl AttemptsFrom {
    /// Those that count an attempt by a phone or a name, which `handle` stands for.
    pub fn of(source: &Source, handle: Pseudonym) -> Self {
        let network = source.network();
        Self {
            source: Attempts(from(source)),
            network: network.map(|it| Attempts(from_quarter(&it, handle.number() % QUARTERS))),
        }
    }
}

/// How counting an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum AttemptOutcome {
    /// Counted: the attempt may go on.
    Done,
    /// There were too many.
    TooMany {
        /// When the next attempt may be made.
        retry_after: Duration,
    },
}

impl Store {
    /// Counts an attempt, before it goes on. Of many attempts at once no more than the limits admit go on.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the attempt may be counted all the same.
    pub async fn count_attempt(
        &self,
        attempts: &Attempts,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<AttemptOutcome, Error> {
        let refused = self.count_event(&attempts.events(limits), now).await?;
        Ok(match refused {
            None => AttemptOutcome::Done,
            Some(retry_after) => AttemptOutcome::TooMany { retry_after },
        })
    }

    /// Counts an attempt at its source and, at the same time, at its network. Both have to admit it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the attempt may be counted all the same.
    pub async fn count_attempt_from(
        &self,
        from: &AttemptsFrom,
        now: UnixMs,
        limits: &[Limit],
    ) -> Result<AttemptOutcome, Error> {
        let of_source = self.count_attempt(&from.source, now, limits);
        let Some(network) = &from.network else {
            return of_source.await;
        };
        let of_network = self.count_attempt(network, now, limits);
        let (of_source, of_network) = join(of_source, of_network).await;
        let (of_source, of_network) = (of_source?, of_network?);
        match (of_source, of_network) {
            // A subscriber that is refused anyway must not use up what its neighbours have.
            (AttemptOutcome::TooMany { .. }, AttemptOutcome::Done) => {
                self.release_attempt(network, now, limits).await?;
                Ok(of_source)
            }
            (AttemptOutcome::TooMany { .. }, _) => Ok(of_source),
            (AttemptOutcome::Done, _) => Ok(of_network),
        }
    }

    /// Removes the attempt at `counted_at` from its source and its network: the password was right.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_attempt_from(
        &self,
        from: &AttemptsFrom,
        counted_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let of_source = self.release_attempt(&from.source, counted_at, limits);
        let of_network = async {
            match &from.network {
                Some(network) => self.release_attempt(network, counted_at, limits).await,
                None => Ok(()),
            }
        };
        let (of_source, of_network) = join(of_source, of_network).await;
        of_source.and(of_network)
    }

    /// Removes the attempt at `counted_at`, whose password was right.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_attempt(
        &self,
        attempts: &Attempts,
        counted_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        self.remove_event(&attempts.events(limits), counted_at)
            .await
    }

    /// Removes all of these attempts.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn forget_attempts(&self, attempts: &Attempts, limit: Limit) -> Result<(), Error> {
        let marks: Vec<String> = (0..limit.events).map(|n| format!("s{n}")).collect();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(attempts.0.clone())))
            .update_expression(format!("REMOVE {}", marks.join(", ")))
            .condition_expression("attribute_exists(pk)");
        repeat::update(update).await.map(drop)
    }
}
