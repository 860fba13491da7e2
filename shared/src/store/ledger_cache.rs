//! What this process remembers of the ledger: negative results over all shards.
//!
//! A repeated refusal then does not read every shard of the day again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{
    budget::{Tally, until_tomorrow},
    phone::CountryCode,
    time::UnixMs,
};

/// How long a result is remembered.
const REMEMBERED: Duration = Duration::from_secs(5);

/// The negative results, by country.
#[derive(Debug, Default)]
pub struct LedgerCache {
    /// No shard has room for another message.
    pub exhausted: Remembered<()>,
    /// More codes are unused than usual: the tallies of today and of yesterday.
    pub unusual: Remembered<(Tally, Tally)>,
}

/// One kind of result, by country.
#[derive(Debug, Default)]
pub struct Remembered<T>(Mutex<HashMap<CountryCode, (UnixMs, T)>>);

impl<T: Copy> Remembered<T> {
    /// The result of a country, if it was found in the last five seconds and on the same day.
    pub fn get(&self, country: CountryCode, now: UnixMs) -> Option<T> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, result) = all.get(&country)?;
        let until = at.plus(REMEMBERED.min(until_tomorrow(*at)));
        (*at <= now && now < until).then_some(*result)
    }

    /// Remembers the result of a country.
    pub fn set(&self, country: CountryCode, now: UnixMs, result: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(country, (now, result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA: CountryCode = CountryCode::CHINA;

    #[test]
    fn a_result_is_remembered_for_five_seconds_of_one_day() {
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
}
