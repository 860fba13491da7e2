//! What this process remembers of reading every shard of the ledger, so that it need not do so again
//! soon.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{
    budget::{Budget, Purse, Tally, until_tomorrow},
    region::Region,
    time::UnixMs,
};

/// How long a refusal is remembered.
const REFUSAL: Duration = Duration::from_secs(5);

/// How long the sum of all shards counts as known, for each shard. A share pays for twenty messages or
/// more, so at twenty messages a second the sum moves by two percent of the caps at most meanwhile.
const SUM: Duration = Duration::from_millis(20);

/// What is remembered.
#[derive(Debug, Default)]
pub struct LedgerCache {
    /// No shard has room for another message, paid from the common purse.
    exhausted: Remembered<()>,
    /// No shard has room for another message, paid from the whole cap.
    exhausted_whole: Remembered<()>,
    /// More codes are unused than usual: the tallies of today and of yesterday.
    pub unusual: Remembered<(Tally, Tally)>,
    /// All shards have been summed up.
    summed: Remembered<()>,
}

impl LedgerCache {
    /// Whether no shard has room for another message, paid from this purse.
    pub fn exhausted(&self, purse: Purse) -> &Remembered<()> {
        match purse {
            Purse::Common => &self.exhausted,
            Purse::Whole => &self.exhausted_whole,
        }
    }

    /// Whether all shards have to be summed up for the alarms, after one shard has come to `shard`. It
    /// says so once, and then not for as long as the sum counts as known.
    pub fn wants_sum(&self, budget: &Budget, shard: &Tally, region: Region, now: UnixMs) -> bool {
        let wants =
            budget.may_be_half_used(shard, region) && self.summed.get(region, now).is_none();
        if wants {
            let known = SUM * budget.shards().into();
            self.summed.set_for(known, region, now, ());
        }
        wants
    }
}

/// One kind of result, by region, with the time in which it holds.
#[derive(Debug)]
pub struct Remembered<T>(Mutex<HashMap<Region, (Range<UnixMs>, T)>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Remembered<T> {
    /// The result of a region, if it was found lately and on the same day.
    pub fn get(&self, region: Region, now: UnixMs) -> Option<T> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (holds, result) = all.get(&region)?;
        holds.contains(&now).then_some(*result)
    }

    /// Remembers a refusal of a region for five seconds.
    pub fn set(&self, region: Region, now: UnixMs, result: T) {
        self.set_for(REFUSAL, region, now, result);
    }

    fn set_for(&self, lasts: Duration, region: Region, now: UnixMs, result: T) {
        let holds = now..now.plus(lasts.min(until_tomorrow(now)));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(region, (holds, result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::{MicroUsd, Shard};

    const CHINA: Region = Region::CHINA;

    #[test]
    fn a_refusal_is_remembered_for_five_seconds_of_one_day() {
        let noon = UnixMs(43_200_000);
        let cache = Remembered::default();
        cache.set(CHINA, noon, 7);
        assert_eq!(cache.get(CHINA, noon), Some(7));
        assert_eq!(cache.get(CHINA, UnixMs(noon.0 + 4_999)), Some(7));
        assert_eq!(cache.get(CHINA, UnixMs(noon.0 + 5_000)), None);
        assert_eq!(cache.get(CHINA, UnixMs(noon.0 - 1)), None);
        let late = UnixMs(86_400_000 - 1);
        cache.set(CHINA, late, 8);
        assert_eq!(cache.get(CHINA, late), Some(8));
        assert_eq!(cache.get(CHINA, UnixMs(late.0 + 1)), None);
    }

    /// A linear congruential generator: the same numbers in every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) % sides
        }
    }

    /// What one day of sends through so many environments came to.
    struct Day {
        /// The alarms at 50 and 80 percent that a sum of the shards set off: by how many percent of the cap
        /// each was late.
        alarms: Vec<(u64, f64)>,
        /// How many percent of the cap were spent when the first message was refused.
        refused_at: f64,
    }

    /// A day on which one in `known_one_in` messages is a known client's, for whom a fifth is kept; 0 for none.
    fn day(
        (cap_usd, price_usd): (f64, f64),
        environments: usize,
        gap_ms: u64,
        known_one_in: u64,
        seed: u64,
    ) -> Day {
        let usd = |amount| MicroUsd::of_usd(amount).unwrap();
        let prices = [(CHINA, usd(price_usd))].into();
        let budget = Budget::new(usd(cap_usd), Default::default(), prices, usd(1.0), &[CHINA]);
        let mut dice = Dice(seed);
        let caches: Vec<LedgerCache> = (0..environments).map(|_| LedgerCache::default()).collect();
        let mut shards = vec![Tally::default(); budget.shards().into()];
        let percent = |all: &Tally| all.total.0 as f64 * 100.0 / usd(cap_usd).0 as f64;
        let mut now = UnixMs(20_000 * 86_400_000);
        let (mut alarms, mut refused_at) = (Vec::new(), None);
        // No shard has room for another message that is paid from these.
        let mut spent = Vec::new();
        loop {
            now = UnixMs(now.0 + dice.roll(2 * gap_ms + 1));
            let is_known = known_one_in > 0 && dice.roll(known_one_in) == 0;
            let picked: Shard = budget.shard(now, dice.roll(65_536) as u16);
            let mut place = None;
            for purse in [Purse::Common, Purse::Whole] {
                let may_pay = purse == Purse::Common || is_known;
                if place.is_some() || !may_pay || spent.contains(&purse) {
                    continue;
                }
                let charge = budget.charge(CHINA, 1, purse);
                let admits =
                    |shard: &Shard| budget.admits(&shards[usize::from(shard.number)], &charge);
                let with_room: Vec<Shard> = match admits(&picked) {
                    true => vec![picked],
                    false => budget.all_shards(now).filter(admits).collect(),
                };
                match with_room.get(dice.roll(with_room.len().max(1) as u64) as usize) {
                    Some(shard) => place = Some((*shard, charge)),
                    None => spent.push(purse),
                }
            }
            let Some((shard, charge)) = place else {
                let refused_at =
                    *refused_at.get_or_insert_with(|| percent(&shards.iter().copied().sum()));
                if is_known || known_one_in == 0 {
                    return Day { alarms, refused_at };
                }
                continue;
            };
            let tally = &mut shards[usize::from(shard.number)];
            tally.total.0 += charge.price.0;
            tally.region.0 += charge.price.0;
            let (tally, cache) = (*tally, &caches[dice.roll(environments as u64) as usize]);
            if !cache.wants_sum(&budget, &tally, CHINA, now) {
                continue;
            }
            let all: Tally = shards.iter().copied().sum();
            let told = budget.used_percent(&all, CHINA);
            for threshold in [50, 80] {
                let is_first = !alarms.iter().any(|(alarm, _)| *alarm == threshold);
                if told >= threshold && is_first {
                    alarms.push((threshold, percent(&all) - threshold as f64));
                }
            }
        }
    }

    /// Every cap and price, in a day's calm traffic and in a crowd of twenty messages a second. The rests
    /// of shares that are too small for a message are less than a message, or a twentieth of the cap.
    fn assert_of_days(
        known_one_in: u64,
        seeds: Range<u64>,
        check: impl Fn(&Day, f64, f64) -> bool,
    ) {
        for cap in [5.0, 16.0, 20.0, 32.0, 50.0, 128.0, 400.0, 1_000.0] {
            for price in [0.005, 0.0121, 0.04, 0.05, 0.1, 0.4] {
                let message = 100.0 * price / cap;
                for (environments, gap_ms) in [(1, 3_000), (8, 3_000), (16, 50)] {
                    for seed in seeds.clone() {
                        let day = day((cap, price), environments, gap_ms, known_one_in, seed);
                        let (alarms, refused_at) = (&day.alarms, day.refused_at);
                        assert!(
                            check(&day, message, f64::max(5.0, message)),
                            "{cap} {price} {environments} {gap_ms} {seed}: {alarms:?}, {refused_at}"
                        );
                    }
                }
            }
        }
    }

    fn are_true(alarms: &[(u64, f64)], message: f64) -> bool {
        let thresholds = alarms.iter().map(|(at, _)| *at);
        let slack = f64::max(3.0, message);
        let mut lateness = alarms.iter().map(|(_, late)| late);
        thresholds.eq([50, 80]) && lateness.all(|late| (0.0..=slack).contains(late))
    }

    #[test]
    fn the_alarms_at_50_and_80_percent_are_true_within_three_points_or_one_message() {
        assert_of_days(1, 0..3, |day, message, _| are_true(&day.alarms, message));
    }

    #[test]
    fn they_are_also_true_where_strangers_stop_and_one_in_four_is_known() {
        // The known may have begun on their fifth before a stranger is refused.
        assert_of_days(4, 0..1, |day, message, rests| {
            are_true(&day.alarms, message) && day.refused_at >= 80.0 - rests
        });
    }

    #[test]
    fn strangers_are_refused_when_four_fifths_are_spent_which_sets_off_the_alarm_at_80() {
        assert_of_days(0, 0..1, |day, _, rests| {
            let at_50 = day.alarms.first().is_some_and(|(at, _)| *at == 50);
            at_50 && (80.0 - rests..=80.0).contains(&day.refused_at)
        });
    }
}
