//! Money: the fraud guard, and room for a message's price in the day's ledger.

use crate::{
    app::App,
    domain::{
        budget::{Charge, Shard, until_tomorrow},
        client_address::Source,
        error::{Error, Limited},
        fraud::{Mode, SourceHistory, Suspicion},
        phone::CountryCode,
        time::UnixMs,
    },
    random,
    store::{Key, Seen, ledger::ReserveOutcome},
    telemetry::record,
};

/// The place in the ledger where a send's price is, or will be, reserved. What is reserved has one owner,
/// who releases it at most once.
#[derive(Debug)]
pub(in crate::flow) struct Reservation {
    shard: Shard,
    now: UnixMs,
    reserved: Option<Charge>,
}

impl Reservation {
    /// In any shard of the day. Nothing is reserved yet.
    pub(in crate::flow) fn new(app: &App, now: UnixMs) -> Self {
        Self {
            shard: app.config.budget.shard(now, any_number()),
            now,
            reserved: None,
        }
    }

    /// Hands over what is reserved; nothing is left here.
    pub(super) fn take(&mut self) -> Self {
        Self {
            shard: self.shard,
            now: self.now,
            reserved: self.reserved.take(),
        }
    }

    /// The shard.
    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// What has to be read for [`Self::admit`].
    pub(super) fn keys(&self) -> [Key; 2] {
        [Key::shard(self.shard), Key::shard(self.shard.yesterday())]
    }

    /// Asks the fraud guard, and finds a shard with room for a code to `country`: this one, which has
    /// been read, or another. Does nothing once a price is reserved.
    ///
    /// # Errors
    /// [`Error::TooFrequent`] when the guard refuses or no shard has room; [`Error::Internal`].
    pub(super) async fn admit(
        &mut self,
        app: &App,
        seen: &Seen,
        country: CountryCode,
        source: &Source,
        history: &SourceHistory,
    ) -> Result<(), Error> {
        if self.reserved.is_some() {
            return Ok(());
        }
        self.guard(app, seen, country, source, history).await?;
        let charge = app.config.budget.charge(country, 1);
        let tally = seen.tally(self.shard, country);
        if !app.config.budget.admits(&tally, &charge) {
            self.shard = any_with_room(app, &charge, self.now).await?;
        }
        Ok(())
    }

    /// The fraud guard assesses the shard that was read; only if that is suspicious, all of them.
    async fn guard(
        &self,
        app: &App,
        seen: &Seen,
        country: CountryCode,
        source: &Source,
        history: &SourceHistory,
    ) -> Result<(), Error> {
        let guard = &app.config.guard;
        let today = seen.tally(self.shard, country);
        let yesterday = seen.tally(self.shard.yesterday(), country);
        let shards = app.config.budget.shards();
        let by_share = guard.assess_share(&today, &yesterday, history, shards);
        if by_share.is_none() {
            return Ok(());
        }
        let Some(suspicion) = self.assess_all(app, country, history).await? else {
            return Ok(());
        };
        let refused = guard.mode == Mode::Enforce;
        record::fraud_decision(if refused { "Refused" } else { "Observed" });
        let source_hash = app.config.keys.pseudonym(source.as_str());
        let reason = suspicion.name();
        tracing::warn!(%country, %source_hash, reason, refused, "suspected toll fraud");
        if refused {
            return Err(until_midnight(self.now, Limited::Fraud));
        }
        Ok(())
    }

    async fn assess_all(
        &self,
        app: &App,
        country: CountryCode,
        history: &SourceHistory,
    ) -> Result<Option<Suspicion>, Error> {
        let (guard, unusual) = (&app.config.guard, &app.ledger_cache.unusual);
        if let Some((today, yesterday)) = unusual.get(country, self.now) {
            return Ok(guard.assess(&today, &yesterday, history));
        }
        let today: Vec<Shard> = app.config.budget.all_shards(self.now).collect();
        let yesterday: Vec<Shard> = today.iter().map(|shard| shard.yesterday()).collect();
        let both_days = today.iter().chain(&yesterday).copied();
        let keys: Vec<Key> = both_days.map(Key::shard).collect();
        let seen = app.store.read(&keys).await?;
        let tally = |day: &[Shard]| day.iter().map(|shard| seen.tally(*shard, country)).sum();
        let (today, yesterday) = (tally(&today), tally(&yesterday));
        let suspicion = guard.assess(&today, &yesterday, history);
        if suspicion.is_some() {
            unusual.set(country, self.now, (today, yesterday));
        }
        Ok(suspicion)
    }

    /// Reserves a charge in this shard, or in another if it is full by now. Does nothing once a price
    /// is reserved.
    ///
    /// # Errors
    /// [`Error::TooFrequent`] when no shard has room; [`Error::Internal`].
    pub(in crate::flow) async fn reserve(
        &mut self,
        app: &App,
        charge: Charge,
    ) -> Result<(), Error> {
        let budget = &app.config.budget;
        while self.reserved.is_none() {
            match app.store.reserve(budget, self.shard, &charge).await? {
                ReserveOutcome::Done(tally) => {
                    let percent = budget.used_percent(&tally, charge.country);
                    record::budget_used(percent as f64);
                    self.reserved = Some(charge);
                }
                ReserveOutcome::Full => self.shard = any_with_room(app, &charge, self.now).await?,
            }
        }
        Ok(())
    }

    /// Releases the price of a message that was not sent. What cannot be released stays reserved until
    /// the day is over, so a failure is only logged.
    pub(in crate::flow) async fn release(&mut self, app: &App) {
        let Some(charge) = self.reserved.take() else {
            return;
        };
        if charge == Charge::nothing(charge.country) {
            return;
        }
        if let Err(failure) = app.store.release(self.shard, &charge).await {
            tracing::warn!(?failure, "the price of a message not sent stays reserved");
        }
    }
}

/// Any shard with room for a charge. Sends that look for one at the same time find different ones.
async fn any_with_room(app: &App, charge: &Charge, now: UnixMs) -> Result<Shard, Error> {
    let (budget, exhausted) = (&app.config.budget, &app.ledger_cache.exhausted);
    if exhausted.get(charge.country, now).is_some() {
        return Err(until_midnight(now, Limited::Budget));
    }
    let all: Vec<Shard> = budget.all_shards(now).collect();
    let keys: Vec<Key> = all.iter().copied().map(Key::shard).collect();
    let seen = app.store.read(&keys).await?;
    let has_room = |shard: &Shard| budget.admits(&seen.tally(*shard, charge.country), charge);
    let with_room: Vec<Shard> = all.into_iter().filter(has_room).collect();
    let any = usize::from(any_number()) % with_room.len().max(1);
    with_room.get(any).copied().ok_or_else(|| {
        exhausted.set(charge.country, now, ());
        until_midnight(now, Limited::Budget)
    })
}

fn until_midnight(now: UnixMs, limit: Limited) -> Error {
    Error::TooFrequent {
        retry_after: until_tomorrow(now),
        limit,
    }
}

/// A random number, to pick a shard by. Without randomness it is 0: all sends then write the same
/// shard, which is slower and as correct.
fn any_number() -> u16 {
    random::bytes().map_or(0, u16::from_be_bytes)
}
