//! The money ledger: what the messages of one day may cost, in total and per region.
//!
//! A message's price is reserved before SNS is called and released when SNS refuses the message. So
//! the sum of the reservations is never less than the bill.
//!
//! The ledger of a day is split into shards. Each shard has an equal share of every cap, and a send
//! writes one shard, picked at random. So no item is written by every send, and a shard can be
//! checked without reading the others: the shares add up to the cap. Of each share a fifth is kept for
//! accounts that know who asks ([`Purse`]). The rest of a share that is too small for one more message
//! stays unused. The number of shards is limited so that this rest is less than a twentieth of any cap.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::domain::{region::Region, time::UnixMs};

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Converts an amount in US dollars, rounded to the nearest millionth; `None` for a negative
    /// amount, for more than a million dollars, and for what is not a number.
    pub fn of_usd(usd: f64) -> Option<Self> {
        let fits = (0.0..=1e6).contains(&usd);
        fits.then(|| Self((usd * 1e6).round() as u64))
    }

    /// The amount in US dollars with so many decimals.
    pub fn in_usd(self, decimals: usize) -> String {
        format!("{:.decimals$}", self.0 as f64 / 1e6)
    }
}

/// US dollars with four decimals.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_usd(4))
    }
}

/// The price of one SMS in US dollars, by region.
///
/// These are planning figures of November 2026, rounded up, with usual carrier fees. AWS's price list
/// (<https://aws.amazon.com/end-user-messaging/pricing/>) changes at any time and differs by route, so
/// set `SMS_PRICES_USD` to the prices on your bill. A region that is not listed is charged
/// `SMS_MAX_PRICE_USD`: SNS does not send above that price.
const PRICES: &[(Region, f64)] = &[
    (Region::known("AU"), 0.0550),
    (Region::known("BR"), 0.0450),
    (Region::known("CA"), 0.0120),
    (Region::known("CN"), 0.0400),
    (Region::known("DE"), 0.1200),
    (Region::known("FR"), 0.0900),
    (Region::known("GB"), 0.0550),
    (Region::known("HK"), 0.0800),
    (Region::known("ID"), 0.4000),
    (Region::known("IN"), 0.0600),
    (Region::known("JP"), 0.0900),
    (Region::known("KR"), 0.0450),
    (Region::known("MO"), 0.0600),
    (Region::known("MY"), 0.1000),
    (Region::known("PH"), 0.2200),
    (Region::known("SG"), 0.0600),
    (Region::known("TH"), 0.0300),
    (Region::known("TW"), 0.0700),
    (Region::known("US"), 0.0120),
];

fn built_in_price(region: Region) -> Option<MicroUsd> {
    let (_, usd) = PRICES.iter().find(|(priced, _)| *priced == region)?;
    MicroUsd::of_usd(*usd)
}

/// The caps of the ledger and the prices that messages are charged at.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The cap on all messages of a day.
    day: MicroUsd,
    /// The caps on one region's messages of a day. They apply beside the cap of the day.
    by_region: BTreeMap<Region, MicroUsd>,
    /// Prices in place of the built-in ones.
    prices: BTreeMap<Region, MicroUsd>,
    /// The price for a region that has neither.
    unlisted: MicroUsd,
    shards: u16,
}

/// The largest number of shards of a day. One send in 32 then writes the same ledger item.
pub const MAX_SHARDS: u16 = 32;

/// The number of messages that a shard's share must pay for. The unused rest of a share is less than
/// one message, so it is less than 1/20 of the share.
const MESSAGES_PER_SHARE: u64 = 20;

/// The share of its own share that a shard has used when all shards may be half used, in percent.
const EARLY_PERCENT: u64 = 40;

/// One shard of one day's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Days since 1970, in UTC.
    pub day: u64,
    /// From 0 to the budget's number of shards, exclusive.
    pub number: u16,
}

impl Shard {
    /// The shard with this number of the day before.
    pub fn yesterday(self) -> Self {
        Self {
            day: self.day.saturating_sub(1),
            ..self
        }
    }
}

/// The figures of one shard for one region; also the sum of several shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Reserved for messages to all regions.
    pub total: MicroUsd,
    /// Reserved for messages to the region.
    pub region: MicroUsd,
    /// Codes that were sent to the region.
    pub codes_sent: u64,
    /// Codes of the region that were sent and then used.
    pub codes_used: u64,
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            total: MicroUsd(sum.total.0 + tally.total.0),
            region: MicroUsd(sum.region.0 + tally.region.0),
            codes_sent: sum.codes_sent + tally.codes_sent,
            codes_used: sum.codes_used + tally.codes_used,
        })
    }
}

impl Tally {
    /// Codes of the region that were sent and have not been used.
    pub fn codes_unused(&self) -> u64 {
        self.codes_sent.saturating_sub(self.codes_used)
    }
}

/// The part of each cap that a message may be paid from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purse {
    /// Four fifths of it: anybody's messages.
    Common,
    /// All of it: a few messages to accounts that know who asks, so that strangers who spend the day's
    /// money keep nobody out.
    Whole,
}

impl Purse {
    fn of(self, cap: MicroUsd) -> MicroUsd {
        match self {
            Self::Common => MicroUsd(cap.0 - cap.0.div_ceil(5)),
            Self::Whole => cap,
        }
    }
}

/// What one message reserves in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The region that the message goes to.
    pub region: Region,
    /// The price of the message.
    pub price: MicroUsd,
    /// The number of codes in the message: 1 for a code, 0 for a notice.
    pub codes: u64,
    /// What it may be paid from.
    pub purse: Purse,
}

impl Charge {
    /// A charge that reserves nothing.
    pub fn nothing(region: Region) -> Self {
        Self {
            region,
            price: MicroUsd(0),
            codes: 0,
            purse: Purse::Common,
        }
    }
}

impl Budget {
    /// A budget with a cap of the day and caps by region.
    ///
    /// `prices` take precedence over the built-in prices; `unlisted` is the price for a region that
    /// has neither. The cheapest share of the `served` regions decides the number of shards.
    pub fn new(
        day: MicroUsd,
        by_region: BTreeMap<Region, MicroUsd>,
        prices: BTreeMap<Region, MicroUsd>,
        unlisted: MicroUsd,
        served: &[Region],
    ) -> Self {
        let mut budget = Self {
            day,
            by_region,
            prices,
            unlisted,
            shards: 1,
        };
        let shares = served.iter().map(|region| {
            let smallest_share = budget.price(*region).0.max(1) * MESSAGES_PER_SHARE;
            budget.cap(*region).0 / smallest_share
        });
        let fewest_shares = shares.min().unwrap_or(1);
        budget.shards = fewest_shares.clamp(1, MAX_SHARDS.into()) as u16;
        budget
    }

    /// The price of one message to a region.
    pub fn price(&self, region: Region) -> MicroUsd {
        let own = self.prices.get(&region).copied();
        own.or_else(|| built_in_price(region))
            .unwrap_or(self.unlisted)
    }

    /// The charge for one message to a region, with so many codes in it, paid from this purse.
    pub fn charge(&self, region: Region, codes: u64, purse: Purse) -> Charge {
        Charge {
            region,
            price: self.price(region),
            codes,
            purse,
        }
    }

    /// The cap that binds a region: its own or that of the day, whichever is less.
    fn cap(&self, region: Region) -> MicroUsd {
        let own = self.by_region.get(&region).copied();
        own.map_or(self.day, |own| own.min(self.day))
    }

    /// The number of shards of a day.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard of the day of `now` that `random` picks.
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

    /// How much a shard may have reserved and still take a charge: for all regions, and for the
    /// region of the charge. `None` when the charge is more than a share.
    pub fn room(&self, charge: &Charge) -> Option<(MicroUsd, MicroUsd)> {
        let shards = u64::from(self.shards);
        let share = |cap: MicroUsd| {
            let share = charge.purse.of(cap).0 / shards;
            share.checked_sub(charge.price.0).map(MicroUsd)
        };
        Some((share(self.day)?, share(self.cap(charge.region))?))
    }

    /// Whether a shard with this tally has room for a charge.
    pub fn admits(&self, tally: &Tally, charge: &Charge) -> bool {
        self.room(charge)
            .is_some_and(|(total, region)| tally.total <= total && tally.region <= region)
    }

    /// How much of the caps is reserved, given the sum of all shards, in percent from 0 to 99: of the
    /// day's or of the region's, whichever is more. Only a refusal shows that a cap is used up: 100.
    pub fn used_percent(&self, all: &Tally, region: Region) -> u64 {
        let percent = |used: MicroUsd, cap: MicroUsd| (used.0 * 100).checked_div(cap.0);
        let total = percent(all.total, self.day);
        let region = percent(all.region, self.cap(region));
        total.max(region).unwrap_or_default().min(99)
    }

    /// Whether one shard's tally suggests that the caps may be half used. Shards fill unevenly, so the
    /// suggestion comes early, and all shards have to be summed up to know.
    pub fn may_be_half_used(&self, shard: &Tally, region: Region) -> bool {
        let shards = u64::from(self.shards);
        let of_all = |shard: MicroUsd| MicroUsd(shard.0 * shards);
        let as_if_all = Tally {
            total: of_all(shard.total),
            region: of_all(shard.region),
            ..*shard
        };
        self.used_percent(&as_if_all, region) >= EARLY_PERCENT
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The time until the next midnight in UTC, when the ledger of the next day begins.
pub fn until_tomorrow(now: UnixMs) -> Duration {
    Duration::from_millis(DAY_MS - now.0 % DAY_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(amount: f64) -> MicroUsd {
        MicroUsd::of_usd(amount).unwrap()
    }

    /// A budget that serves China at this price, with the cap of the day and a cap for China.
    fn budget(day: f64, china: Option<f64>, price: f64) -> Budget {
        let own = china.map(|cap| (Region::CHINA, usd(cap)));
        Budget::new(
            usd(day),
            own.into_iter().collect(),
            BTreeMap::from([(Region::CHINA, usd(price))]),
            usd(0.2),
            &[Region::CHINA],
        )
    }

    proptest! {
        #[test]
        fn full_shards_add_up_to_between_95_percent_of_the_cap_and_the_cap(
            day in 1.0f64..5_000.0, own in prop::option::of(1.0f64..5_000.0), price in 0.001f64..0.05,
        ) {
            let budget = budget(day, own, price);
            let charge = budget.charge(Region::CHINA, 1, Purse::Whole);
            prop_assert!(charge.price.0 > 0);
            let mut reserved = 0;
            for _ in 0..budget.shards() {
                let mut tally = Tally::default();
                while budget.admits(&tally, &charge) {
                    prop_assert!(tally.total.0 <= charge.price.0 + usd(day).0);
                    tally.total.0 += charge.price.0;
                    tally.region.0 += charge.price.0;
                }
                reserved += tally.total.0;
            }
            let cap = usd(own.unwrap_or(day).min(day)).0;
            prop_assert!(reserved <= cap);
            prop_assert!(reserved as f64 >= cap as f64 * 0.95 - charge.price.0 as f64, "{reserved} of {cap}");
        }
    }

    #[test]
    fn every_region_with_a_built_in_price_has_a_numbering_plan() {
        for (region, _) in PRICES {
            assert_eq!(Region::named(&region.to_string()), [*region]);
        }
    }

    #[test]
    fn the_smallest_cap_decides_how_many_shards_there_are() {
        assert_eq!(budget(50.0, None, 0.04).shards(), 32);
        assert_eq!(budget(50.0, Some(8.0), 0.04).shards(), 10);
        assert_eq!(budget(0.5, None, 0.04).shards(), 1);
    }

    #[test]
    fn an_amount_is_zero_to_a_million_dollars_and_rounds_to_a_millionth() {
        assert_eq!(MicroUsd::of_usd(0.0), Some(MicroUsd(0)));
        assert_eq!(MicroUsd::of_usd(0.000_000_6), Some(MicroUsd(1)));
        assert_eq!(MicroUsd::of_usd(1.5), Some(MicroUsd(1_500_000)));
        assert_eq!(MicroUsd::of_usd(1e6), Some(MicroUsd(1_000_000_000_000)));
        for no_amount in [-0.01, 1_000_000.01, f64::NAN, f64::INFINITY] {
            assert_eq!(MicroUsd::of_usd(no_amount), None, "{no_amount}");
        }
        assert_eq!(MicroUsd(1_234_567).to_string(), "1.2346");
    }

    #[test]
    fn a_send_picks_one_of_the_shards_of_its_day() {
        let budget = budget(50.0, Some(8.0), 0.04);
        let late_evening = UnixMs(20_000 * DAY_MS + DAY_MS - 1);
        let shard = |number| Shard {
            day: 20_000,
            number,
        };
        assert_eq!(budget.shard(late_evening, 27), shard(7));
        let all: Vec<_> = budget.all_shards(late_evening).collect();
        assert_eq!(all, (0..10).map(shard).collect::<Vec<_>>());
        let day_before = Shard {
            day: 19_999,
            number: 7,
        };
        assert_eq!(shard(7).yesterday(), day_before);
    }

    #[test]
    fn tallies_add_up_field_by_field() {
        let tally = |n: u64| Tally {
            total: MicroUsd(1000 * n),
            region: MicroUsd(100 * n),
            codes_sent: 10 * n,
            codes_used: n,
        };
        let sum: Tally = [tally(1), tally(2), tally(4)].into_iter().sum();
        assert_eq!(sum, tally(7));
        assert_eq!(sum.codes_unused(), 63);
        // A code can be used on the day after it was sent, and counts for that day.
        let only_used = Tally {
            codes_used: 1,
            ..Tally::default()
        };
        assert_eq!(only_used.codes_unused(), 0);
    }

    #[test]
    fn a_share_admits_a_charge_up_to_the_last_millionth() {
        // One shard: the shares are the caps.
        let budget = budget(0.5, Some(0.3), 0.04);
        let charge = budget.charge(Region::CHINA, 1, Purse::Whole);
        assert_eq!(charge.codes, 1);
        assert_eq!(budget.room(&charge), Some((usd(0.46), usd(0.26))));
        let tally = |total, region| Tally {
            total: MicroUsd(total),
            region: MicroUsd(region),
            ..Tally::default()
        };
        assert!(budget.admits(&tally(460_000, 260_000), &charge));
        assert!(!budget.admits(&tally(460_001, 260_000), &charge));
        assert!(!budget.admits(&tally(460_000, 260_001), &charge));
        let nothing = Charge::nothing(Region::CHINA);
        assert_eq!(budget.room(&nothing), Some((usd(0.4), usd(0.24))));
        let of_anybody = budget.charge(Region::CHINA, 1, Purse::Common);
        assert_eq!(budget.room(&of_anybody), Some((usd(0.36), usd(0.2))));
        let more_than_a_share = Charge {
            price: usd(0.31),
            ..charge
        };
        assert_eq!(budget.room(&more_than_a_share), None);
        assert!(!budget.admits(&Tally::default(), &more_than_a_share));
    }

    #[test]
    fn used_percent_is_that_of_the_fuller_cap_and_never_all() {
        let budget = budget(50.0, Some(8.0), 0.04);
        let tally = |total, region| Tally {
            total: usd(total),
            region: usd(region),
            ..Tally::default()
        };
        let used = |total, region| budget.used_percent(&tally(total, region), Region::CHINA);
        assert_eq!(used(0.0, 0.0), 0);
        assert_eq!(used(40.0, 4.0), 80);
        assert_eq!(used(4.0, 4.0), 50);
        assert_eq!(used(49.99, 0.0), 99);
        assert_eq!(used(50.0, 8.0), 99);
        let nothing_allowed = self::budget(0.0, None, 0.04);
        assert_eq!(
            nothing_allowed.used_percent(&tally(0.0, 0.0), Region::CHINA),
            0
        );
    }

    #[test]
    fn a_shard_suggests_half_when_two_fifths_of_its_share_are_used() {
        // Ten shards: a share of 5 dollars a day, of 0.8 dollars for China.
        let budget = budget(50.0, Some(8.0), 0.04);
        let suggests = |total, region| {
            let shard = Tally {
                total: usd(total),
                region: usd(region),
                ..Tally::default()
            };
            budget.may_be_half_used(&shard, Region::CHINA)
        };
        assert!(!suggests(1.99, 0.319));
        assert!(suggests(2.0, 0.0));
        assert!(suggests(0.32, 0.32));
    }

    #[test]
    fn a_region_without_a_price_is_charged_the_price_for_unlisted_regions() {
        let budget = budget(50.0, None, 0.04);
        let nowhere = Region::UNKNOWN;
        assert_eq!(budget.price(nowhere), MicroUsd(200_000));
        assert_eq!(budget.price(Region::CHINA), MicroUsd(40_000));
        assert_eq!(budget.price(Region::known("GB")), MicroUsd(55_000));
    }

    #[test]
    fn the_next_ledger_begins_at_midnight_utc() {
        let noon = UnixMs(20_000 * DAY_MS + DAY_MS / 2);
        assert_eq!(until_tomorrow(noon), Duration::from_secs(12 * 3600));
        assert_eq!(until_tomorrow(UnixMs(0)), Duration::from_secs(24 * 3600));
    }
}
