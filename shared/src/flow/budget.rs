//! Finding room for a message in the day's ledger.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    app::App,
    domain::{
        budget::{Charge, Shard, Tally, until_tomorrow},
        error::{Error, Limited},
        fraud::{SourceHistory, Suspicion},
        phone::CountryCode,
        time::UnixMs,
    },
    store::{Key, Outcome, Reserved},
    telemetry::metrics,
};

use super::race::{Race, random};

/// How long what all shards held is remembered, where it was bad news: whoever goes on asking then
/// costs no look at all of them.
const REMEMBERED: Duration = Duration::from_secs(5);

/// Bad news of the ledger, by country.
#[derive(Debug, Default)]
pub struct BadNews {
    /// There is no room left.
    exhausted: Remembered<()>,
    /// There are more unused codes than usual: today's and yesterday's.
    unusual: Remembered<(Tally, Tally)>,
}

#[derive(Debug, Default)]
struct Remembered<T>(Mutex<HashMap<CountryCode, (UnixMs, T)>>);

impl<T: Copy> Remembered<T> {
    fn get(&self, country: CountryCode, now: UnixMs) -> Option<T> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, what) = all.get(&country)?;
        // A day's end is the end of it, too.
        let until = at.plus(REMEMBERED.min(until_tomorrow(*at)));
        (*at <= now && now < until).then_some(*what)
    }

    fn set(&self, country: CountryCode, now: UnixMs, what: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(country, (now, what));
    }
}

/// Any shard of the day.
pub(super) fn any_shard(app: &App, now: UnixMs) -> Shard {
    // Without randomness everybody writes the same shard, which is slower and no less right.
    app.budget
        .shard(now, random().map_or(0, u16::from_be_bytes))
}

/// A shard with room for a charge: this one, whose tally has been read, or another.
///
/// # Errors
/// [`Error::TooFrequent`] when none has; [`Error::Internal`].
pub(super) async fn shard_with_room(
    app: &App,
    shard: Shard,
    tally: &Tally,
    charge: &Charge,
    now: UnixMs,
) -> Result<Shard, Error> {
    match app.budget.admits(tally, charge) {
        true => Ok(shard),
        false => any_with_room(app, charge, now).await,
    }
}

async fn any_with_room(app: &App, charge: &Charge, now: UnixMs) -> Result<Shard, Error> {
    let refused = Error::TooFrequent {
        retry_after: until_tomorrow(now),
        limit: Limited::Budget,
    };
    let exhausted = &app.bad_news.exhausted;
    if exhausted.get(charge.country, now).is_some() {
        return Err(refused);
    }
    let all: Vec<Shard> = app.budget.all_shards(now).collect();
    let keys: Vec<Key<'_>> = all.iter().copied().map(Key::Shard).collect();
    let seen = app.store.read(&keys).await?;
    let has_room = |shard: &Shard| {
        let tally = seen.tally(*shard, charge.country);
        app.budget.admits(&tally, charge)
    };
    let with_room: Vec<Shard> = all.into_iter().filter(has_room).collect();
    // Whoever else is looking takes another.
    let random = random().map_or(0, u16::from_be_bytes);
    match with_room.get(usize::from(random) % with_room.len().max(1)) {
        Some(shard) => Ok(*shard),
        None => {
            exhausted.set(charge.country, now, ());
            Err(refused)
        }
    }
}

/// Judges a message by all shards together.
///
/// # Errors
/// [`Error::Internal`].
pub(super) async fn judge(
    app: &App,
    country: CountryCode,
    source: &SourceHistory,
    now: UnixMs,
) -> Result<Option<Suspicion>, Error> {
    let unusual = &app.bad_news.unusual;
    if let Some((today, yesterday)) = unusual.get(country, now) {
        return Ok(app.guard.assess(&today, &yesterday, source));
    }
    let all: Vec<Shard> = app.budget.all_shards(now).collect();
    let days = all.iter().flat_map(|shard| [*shard, shard.yesterday()]);
    let keys: Vec<Key<'_>> = days.map(Key::Shard).collect();
    let seen = app.store.read(&keys).await?;
    let today = all.iter().map(|shard| seen.tally(*shard, country)).sum();
    let yesterday = all
        .iter()
        .map(|shard| seen.tally(shard.yesterday(), country));
    let yesterday = yesterday.sum();
    let suspicion = app.guard.assess(&today, &yesterday, source);
    if suspicion.is_some() {
        unusual.set(country, now, (today, yesterday));
    }
    Ok(suspicion)
}

/// Gives back what a message that was not sent would have cost. What can't be given back stays
/// reserved until the day is over, so a failure is only logged.
pub(super) async fn release(app: &App, shard: Shard, charge: &Charge) {
    if *charge == Charge::nothing(charge.country) {
        return;
    }
    let mut race = Race::default();
    loop {
        match app.store.release(shard, charge).await {
            Ok(Outcome::Done) => return,
            Ok(Outcome::Raced) => race.lost().await,
            Err(failure) => {
                tracing::warn!(?failure, "the price of a message not sent stays reserved");
                return;
            }
        }
    }
}

/// Reserves a charge in this shard, or in another if it is full by now. Where it is reserved.
///
/// # Errors
/// [`Error::TooFrequent`] when there is no room; [`Error::Internal`].
pub(super) async fn reserve(
    app: &App,
    mut shard: Shard,
    charge: &Charge,
    now: UnixMs,
) -> Result<Shard, Error> {
    loop {
        match app.store.reserve(&app.budget, shard, charge).await? {
            Reserved::Done(tally) => {
                let percent = app.budget.used_percent(&tally, charge.country);
                metrics::budget_used(percent as f64);
                return Ok(shard);
            }
            Reserved::Full => shard = any_with_room(app, charge, now).await?,
        }
    }
}
