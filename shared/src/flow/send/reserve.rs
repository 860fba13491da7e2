//! Money: the fraud guard, and room for a message's price in the day's ledger.

use std::sync::Arc;

use super::decide::Target;
use crate::{
    app::App,
    config::limits::KEPT_MESSAGES,
    domain::{
        budget::{Charge, Purse, Shard, Tally, until_tomorrow},
        client_address::Source,
        error::{Error, Limited},
        fraud::{Mode, SourceHistory, Suspicion},
        region::Region,
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
    purse: Purse,
    now: UnixMs,
    reserved: Option<Charge>,
}

impl Reservation {
    /// In any shard of the day. Nothing is reserved yet.
    pub(in crate::flow) fn new(app: &App, now: UnixMs) -> Self {
        Self {
            shard: app.config.budget.shard(now, any_number()),
            purse: Purse::Common,
            now,
            reserved: None,
        }
    }

    /// Hands over what is reserved; nothing is left here.
    pub(super) fn take(&mut self) -> Self {
        Self {
            shard: self.shard,
            purse: self.purse,
            now: self.now,
            reserved: self.reserved.take(),
        }
    }

    /// The shard.
    pub(super) fn shard(&self) -> Shard {
        self.shard
    }

    /// What the price is paid from.
    pub(super) fn purse(&self) -> Purse {
        self.purse
    }

    /// What has to be read for [`Self::admit`].
    pub(super) fn keys(&self) -> [Key; 2] {
        [Key::shard(self.shard), Key::shard(self.shard.yesterday())]
    }

    /// Asks the fraud guard about a stranger, and finds a shard with room for a code to `region`: this one,
    /// which has been read, or another. Where there is none, an account that money is kept for gets it from
    /// that. Does nothing once a price is reserved.
    ///
    /// # Errors
    /// [`Error::TooFrequent`] when the guard refuses or no shard has room; [`Error::Internal`].
    pub(super) async fn admit(
        &mut self,
        app: &App,
        seen: &Seen,
        region: Region,
        target: &Target,
        source: &Source,
        history: &SourceHistory,
    ) -> Result<(), Error> {
        if self.reserved.is_some() {
            return Ok(());
        }
        if !target.client.is_known() {
            self.guard(app, seen, region, source, history).await?;
        }
        let Err(spent) = self.find_room(app, seen, region).await else {
            return Ok(());
        };
        let (Some(uid), Purse::Common) = (target.kept_for, self.purse) else {
            return Err(spent);
        };
        if !app.store.count_kept(uid, self.now, KEPT_MESSAGES).await? {
            return Err(spent);
        }
        self.purse = Purse::Whole;
        self.find_room(app, seen, region).await
    }

    async fn find_room(&mut self, app: &App, seen: &Seen, region: Region) -> Result<(), Error> {
        let charge = app.config.budget.charge(region, 1, self.purse);
        let tally = seen.tally(self.shard, region);
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
        region: Region,
        source: &Source,
        history: &SourceHistory,
    ) -> Result<(), Error> {
        let guard = &app.config.guard;
        let today = seen.tally(self.shard, region);
        let yesterday = seen.tally(self.shard.yesterday(), region);
        let shards = app.config.budget.shards();
        let by_share = guard.assess_share(&today, &yesterday, history, shards);
        if by_share.is_none() {
            return Ok(());
        }
        let Some(suspicion) = self.assess_all(app, region, history).await? else {
            return Ok(());
        };
        let refused = guard.mode == Mode::Enforce;
        record::fraud_decision(if refused { "Refused" } else { "Observed" });
        let source_hash = app.config.keys.pseudonym(source.as_str());
        let reason = suspicion.name();
        tracing::warn!(%region, %source_hash, reason, refused, "suspected toll fraud");
        if refused {
            return Err(until_midnight(self.now, Limited::Fraud));
        }
        Ok(())
    }

    async fn assess_all(
        &self,
        app: &App,
        region: Region,
        history: &SourceHistory,
    ) -> Result<Option<Suspicion>, Error> {
        let (guard, unusual) = (&app.config.guard, &app.ledger_cache.unusual);
        if let Some((today, yesterday)) = unusual.get(region, self.now) {
            return Ok(guard.assess(&today, &yesterday, history));
        }
        let today: Vec<Shard> = app.config.budget.all_shards(self.now).collect();
        let yesterday: Vec<Shard> = today.iter().map(|shard| shard.yesterday()).collect();
        let both_days = today.iter().chain(&yesterday).copied();
        let keys: Vec<Key> = both_days.map(Key::shard).collect();
        let seen = app.store.read(&keys).await?;
        let tally = |day: &[Shard]| day.iter().map(|shard| seen.tally(*shard, region)).sum();
        let (today, yesterday) = (tally(&today), tally(&yesterday));
        let suspicion = guard.assess(&today, &yesterday, history);
        if suspicion.is_some() {
            unusual.set(region, self.now, (today, yesterday));
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
        app: &Arc<App>,
        charge: Charge,
    ) -> Result<(), Error> {
        let budget = &app.config.budget;
        while self.reserved.is_none() {
            match app.store.reserve(budget, self.shard, &charge).await? {
                ReserveOutcome::Done(tally) => {
                    self.reserved = Some(charge);
                    measure(app, tally, charge.region, self.now);
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
        if charge == Charge::nothing(charge.region) {
            return;
        }
        if let Err(failure) = app.store.release(self.shard, &charge).await {
            tracing::warn!(?failure, "the price of a message not sent stays reserved");
        }
    }
}

/// Measures how much of the money is used, for the alarms. One of several shards is not the whole: where
/// it suggests that half may be used, all are summed up after the answer.
fn measure(app: &Arc<App>, shard: Tally, region: Region, now: UnixMs) {
    let budget = &app.config.budget;
    if budget.shards() == 1 {
        record::budget_used(budget.used_percent(&shard, region) as f64);
    } else if app.ledger_cache.wants_sum(budget, &shard, region, now) {
        app.defer(async move |app| {
            let budget = &app.config.budget;
            let shards: Vec<Shard> = budget.all_shards(now).collect();
            let keys: Vec<Key> = shards.iter().copied().map(Key::shard).collect();
            match app.store.read(&keys).await {
                Ok(seen) => {
                    let tallies = shards.iter().map(|shard| seen.tally(*shard, region));
                    let all: Tally = tallies.sum();
                    record::budget_used(budget.used_percent(&all, region) as f64);
                }
                Err(failure) => tracing::warn!(?failure, "the used money could not be summed up"),
            }
        });
    }
}

/// Any shard with room for a charge. Sends that look for one at the same time find different ones.
async fn any_with_room(app: &App, charge: &Charge, now: UnixMs) -> Result<Shard, Error> {
    let (budget, exhausted) = (&app.config.budget, app.ledger_cache.exhausted(charge.purse));
    if exhausted.get(charge.region, now).is_some() {
        return Err(until_midnight(now, Limited::Budget));
    }
    let all: Vec<Shard> = budget.all_shards(now).collect();
    let keys: Vec<Key> = all.iter().copied().map(Key::shard).collect();
    let seen = app.store.read(&keys).await?;
    let has_room = |shard: &Shard| budget.admits(&seen.tally(*shard, charge.region), charge);
    let with_room: Vec<Shard> = all.into_iter().filter(has_room).collect();
    let any = usize::from(any_number()) % with_room.len().max(1);
    with_room.get(any).copied().ok_or_else(|| {
        exhausted.set(charge.region, now, ());
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
