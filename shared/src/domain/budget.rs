//! The money ledger: what a day's messages may cost, overall and by country.
//!
//! A message's price is reserved before SNS is called and given back when SNS refuses it, so the sum
//! of all reservations is never less than the bill. The day's sum is kept in shards, each with its
//! share of the caps: a send writes one of them, picked at random, so none becomes hot and no two
//! sends wait for each other; and as the shares add up to the caps, no shard need know of another.
//! A shard's last piece, too small for one more message, is lost; so there are no more shards than
//! leave that under a twentieth of a cap.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::domain::{phone::CountryCode, time::UnixMs};

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Of an amount in US dollars, if it is one: not negative, at most a million.
    pub fn of_usd(usd: f64) -> Option<Self> {
        let fits = (0.0..=1e6).contains(&usd);
        fits.then(|| Self((usd * 1e6).round() as u64))
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", self.0 as f64 / 1e6)
    }
}

/// What one SMS costs, by country calling code: planning figures of November 2026, rounded up, with
/// usual carrier fees. They are no quotation: AWS's list
/// (<https://aws.amazon.com/end-user-messaging/pricing/>) changes at any time and differs by route, so
/// set `SMS_PRICES_USD` to what your bill says. A country that is not listed counts at
/// `SMS_MAX_PRICE_USD`, above which SNS does not send.
const PRICES: &[(&str, f64)] = &[
    ("1", 0.0120),
    ("33", 0.0900),
    ("44", 0.0550),
    ("49", 0.1200),
    ("55", 0.0450),
    ("60", 0.1000),
    ("61", 0.0550),
    ("62", 0.4000),
    ("63", 0.2200),
    ("65", 0.0600),
    ("66", 0.0300),
    ("81", 0.0900),
    ("82", 0.0450),
    ("86", 0.0400),
    ("91", 0.0600),
    ("852", 0.0800),
    ("853", 0.0600),
    ("886", 0.0700),
];

/// The caps on what messages cost, and the prices they are counted at.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// What all messages of a day may cost together.
    day: MicroUsd,
    /// What a country's may, where that is less.
    by_country: BTreeMap<CountryCode, MicroUsd>,
    prices: BTreeMap<CountryCode, MicroUsd>,
    unlisted: MicroUsd,
    shards: u16,
}

/// The most shards a day has. With this many, a ledger item is written by one send in 32.
pub const MAX_SHARDS: u16 = 32;

/// So many messages a shard's share must pay for, so that its last piece is under 5 % of it.
const MESSAGES_A_SHARE: u64 = 20;

/// One shard of one day's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Days since 1970, in UTC.
    pub day: u64,
    /// Below the budget's number of shards.
    pub number: u16,
}

impl Shard {
    /// The same shard a day earlier.
    pub fn yesterday(self) -> Self {
        Self {
            day: self.day.saturating_sub(1),
            ..self
        }
    }
}

/// What a shard holds of one country, and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// What all messages have cost.
    pub total: MicroUsd,
    /// What the country's have.
    pub country: MicroUsd,
    /// Codes sent to the country.
    pub codes_sent: u64,
    /// Those of them that were used.
    pub codes_used: u64,
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            total: MicroUsd(sum.total.0 + tally.total.0),
            country: MicroUsd(sum.country.0 + tally.country.0),
            codes_sent: sum.codes_sent + tally.codes_sent,
            codes_used: sum.codes_used + tally.codes_used,
        })
    }
}

impl Tally {
    /// Codes sent and not used, so far.
    pub fn codes_unused(&self) -> u64 {
        self.codes_sent.saturating_sub(self.codes_used)
    }
}

/// What a message takes out of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Where it goes.
    pub country: CountryCode,
    /// What it costs.
    pub price: MicroUsd,
    /// 1 for a code, which may come back verified; 0 for a notice.
    pub codes: u64,
}

impl Charge {
    /// A charge for nothing.
    pub fn nothing(country: CountryCode) -> Self {
        Self {
            country,
            price: MicroUsd(0),
            codes: 0,
        }
    }
}

impl Budget {
    /// With these caps; `prices` in place of ours, and `unlisted` where neither has one. `served` are
    /// the countries that messages can go to.
    pub fn new(
        day: MicroUsd,
        by_country: BTreeMap<CountryCode, MicroUsd>,
        prices: BTreeMap<CountryCode, MicroUsd>,
        unlisted: MicroUsd,
        served: &[CountryCode],
    ) -> Self {
        let ours = PRICES.iter().filter_map(|(country, usd)| {
            Some((CountryCode::parse(country)?, MicroUsd::of_usd(*usd)?))
        });
        let mut all: BTreeMap<_, _> = ours.collect();
        all.extend(prices);
        let mut budget = Self {
            day,
            by_country,
            prices: all,
            unlisted,
            shards: 1,
        };
        let shares = served.iter().map(|country| {
            let cap = budget.cap(*country).0;
            cap / (budget.price(*country).0.max(1) * MESSAGES_A_SHARE)
        });
        let fewest = shares.min().unwrap_or(1);
        budget.shards = fewest.clamp(1, MAX_SHARDS.into()) as u16;
        budget
    }

    /// What a message to this country counts at.
    pub fn price(&self, country: CountryCode) -> MicroUsd {
        *self.prices.get(&country).unwrap_or(&self.unlisted)
    }

    /// A charge for a message to this country.
    pub fn charge(&self, country: CountryCode, codes: u64) -> Charge {
        Charge {
            country,
            price: self.price(country),
            codes,
        }
    }

    fn cap(&self, country: CountryCode) -> MicroUsd {
        let own = self.by_country.get(&country).copied();
        own.map_or(self.day, |own| own.min(self.day))
    }

    /// How many shards a day has.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// A shard of the day of `now`, picked by `random`.
    pub fn shard(&self, now: UnixMs, random: u16) -> Shard {
        Shard {
            day: now.0 / DAY_MS,
            number: random % self.shards,
        }
    }

    /// Every shard of the day of `now`.
    pub fn all_shards(&self, now: UnixMs) -> impl Iterator<Item = Shard> {
        let day = now.0 / DAY_MS;
        (0..self.shards).map(move |number| Shard { day, number })
    }

    /// The most that a shard may hold before a charge: of all countries, and of the charge's. `None`
    /// when the charge is more than a share.
    pub fn room(&self, charge: &Charge) -> Option<(MicroUsd, MicroUsd)> {
        let shards = u64::from(self.shards);
        let share = |cap: MicroUsd| Some(MicroUsd((cap.0 / shards).checked_sub(charge.price.0)?));
        Some((share(self.day)?, share(self.cap(charge.country))?))
    }

    /// Whether a shard that holds this has room for a charge.
    pub fn admits(&self, tally: &Tally, charge: &Charge) -> bool {
        self.room(charge)
            .is_some_and(|(all, country)| tally.total <= all && tally.country <= country)
    }

    /// How much of its share a shard has used, the overall or the country's, whichever is more; in
    /// percent. Shards fill evenly, so each tells of the whole.
    pub fn used_percent(&self, tally: &Tally, country: CountryCode) -> u64 {
        let shards = u64::from(self.shards);
        let percent = |used: MicroUsd, cap: MicroUsd| {
            (used.0 * 100)
                .checked_div(cap.0 / shards)
                .map_or(100, |percent| percent.min(100))
        };
        percent(tally.total, self.day).max(percent(tally.country, self.cap(country)))
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long until the ledger begins anew.
pub fn until_tomorrow(now: UnixMs) -> Duration {
    Duration::from_millis(DAY_MS - now.0 % DAY_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(day: f64, china: Option<f64>, price: f64) -> Budget {
        let usd = |amount| MicroUsd::of_usd(amount).unwrap();
        let own = china.map(|cap| (CountryCode::CHINA, usd(cap)));
        Budget::new(
            usd(day),
            own.into_iter().collect(),
            BTreeMap::from([(CountryCode::CHINA, usd(price))]),
            usd(0.2),
            &[CountryCode::CHINA],
        )
    }

    proptest! {
        #[test]
        fn full_shards_never_add_up_to_more_than_a_cap_nor_to_much_less(
            day in 1.0f64..5_000.0, own in prop::option::of(1.0f64..5_000.0), price in 0.001f64..0.05,
        ) {
            let budget = budget(day, own, price);
            let charge = budget.charge(CountryCode::CHINA, 1);
            let mut spent = 0;
            for _ in 0..budget.shards() {
                let mut tally = Tally::default();
                while budget.admits(&tally, &charge) {
                    tally.total.0 += charge.price.0;
                    tally.country.0 += charge.price.0;
                }
                spent += tally.total.0;
            }
            let cap = MicroUsd::of_usd(own.unwrap_or(day).min(day)).unwrap().0;
            prop_assert!(spent <= cap);
            prop_assert!(spent as f64 >= cap as f64 * 0.95 - charge.price.0 as f64, "{spent} of {cap}");
        }
    }

    #[test]
    fn the_smallest_cap_decides_how_many_shards_there_are() {
        assert_eq!(budget(50.0, None, 0.04).shards(), 32);
        assert_eq!(budget(50.0, Some(8.0), 0.04).shards(), 10);
        assert_eq!(budget(0.5, None, 0.04).shards(), 1);
    }

    #[test]
    fn a_country_without_a_price_counts_at_the_most_a_message_may_cost() {
        let budget = budget(50.0, None, 0.04);
        let nowhere = CountryCode::parse("999").unwrap();
        assert_eq!(budget.price(nowhere), MicroUsd(200_000));
        assert_eq!(budget.price(CountryCode::CHINA), MicroUsd(40_000));
        assert_eq!(
            budget.price(CountryCode::parse("44").unwrap()),
            MicroUsd(55_000)
        );
    }

    #[test]
    fn the_ledger_begins_anew_at_midnight_utc() {
        let noon = UnixMs(20_000 * DAY_MS + DAY_MS / 2);
        assert_eq!(until_tomorrow(noon), Duration::from_secs(12 * 3600));
        assert_eq!(until_tomorrow(UnixMs(0)), Duration::from_secs(24 * 3600));
    }
}
