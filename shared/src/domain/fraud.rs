//! The toll-fraud guard.
//!
//! In toll fraud (SMS pumping) an attacker requests codes for numbers that earn money with every
//! message, and never uses a code. So codes that were sent and not used are counted per region, in
//! the ledger ([`crate::domain::budget`]), and per source.
//!
//! While a region has as many unused codes as is usual there, the guard admits every message. Above
//! that, a source may have two more unused codes than it has used lately; far above, one more. So a
//! user whose source has used codes before is not affected, and the first code of a new source is
//! always sent. An attacker gets one message per address.

use crate::domain::budget::Tally;

/// What happens to a suspicious message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The guard assesses no message.
    Off,
    /// It is logged and sent.
    Observe,
    /// It is logged and refused.
    Enforce,
}

impl std::str::FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "off" => Ok(Self::Off),
            "observe" => Ok(Self::Observe),
            "enforce" => Ok(Self::Enforce),
            _ => Err(()),
        }
    }
}

/// The guard and its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// `FRAUD_GUARD`, default `enforce`.
    pub mode: Mode,
    /// `FRAUD_UNVERIFIED_A_DAY`, default 64: how many unused codes per day are usual in a region
    /// of which nothing else is known.
    pub usual: u64,
}

/// A region with this many times the usual number of unused codes is far above the usual.
const FAR: u64 = 3;

/// The codes that a source has requested lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceHistory {
    /// Codes requested in the last 24 hours and not used, the present request included.
    pub unused: u64,
    /// Codes used lately, half of them forgotten each week.
    pub used: u64,
}

impl SourceHistory {
    /// Of two histories, the one with more unused codes beyond the used ones.
    pub fn worse(self, other: Self) -> Self {
        let excess = |of: &Self| of.unused.saturating_sub(of.used);
        if excess(&other) > excess(&self) {
            other
        } else {
            self
        }
    }
}

/// Why a message looks like fraud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The region has more unused codes than usual, and the source more than two above its used ones.
    Unusual,
    /// The region has far more unused codes than usual, and the source more than one above its used
    /// ones.
    FarBeyond,
}

impl Suspicion {
    /// The text for the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unusual => "unverified codes beyond the usual; the source answers few",
            Self::FarBeyond => "unverified codes far beyond the usual; the source answers none",
        }
    }
}

impl Guard {
    /// Assesses a message by the tallies of its region, today and yesterday, and by the history of
    /// its source. `None`: it is not suspicious.
    ///
    /// One unused code for each used one is usual: people who use their codes leave a third of them
    /// unused. For a region with few used codes a constant is usual ([`Guard::usual`]).
    pub fn assess(
        &self,
        today: &Tally,
        yesterday: &Tally,
        source: &SourceHistory,
    ) -> Option<Suspicion> {
        self.assess_share(today, yesterday, source, 1)
    }

    /// As [`Guard::assess`], by the tallies of one of `shards` shards. One shard is a sample: a
    /// suspicion has to be confirmed with the tallies of all shards.
    pub fn assess_share(
        &self,
        today: &Tally,
        yesterday: &Tally,
        source: &SourceHistory,
        shards: u16,
    ) -> Option<Suspicion> {
        if self.mode == Mode::Off {
            return None;
        }
        let constant = self.usual / u64::from(shards);
        let usual = constant
            .max(today.codes_used)
            .max(yesterday.codes_used)
            .max(1);
        let unused = today.codes_unused();
        let exceeds_used_by = |allowed: u64| source.unused > source.used + allowed;
        if unused >= usual * FAR && exceeds_used_by(1) {
            Some(Suspicion::FarBeyond)
        } else if unused >= usual && exceeds_used_by(2) {
            Some(Suspicion::Unusual)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: Guard = Guard {
        mode: Mode::Enforce,
        usual: 2,
    };

    fn tally(codes_sent: u64, codes_used: u64) -> Tally {
        Tally {
            codes_sent,
            codes_used,
            ..Tally::default()
        }
    }

    fn source(unused: u64, used: u64) -> SourceHistory {
        SourceHistory { unused, used }
    }

    #[test]
    fn within_the_usual_every_message_is_admitted() {
        let none = Tally::default();
        assert_eq!(GUARD.assess(&tally(1, 0), &none, &source(30, 0)), None);
        // Many codes, and most of them are used.
        assert_eq!(GUARD.assess(&tally(100, 60), &none, &source(30, 0)), None);
        // The morning after a day on which most codes were used.
        assert_eq!(
            GUARD.assess(&tally(40, 2), &tally(100, 70), &source(30, 0)),
            None
        );
    }

    #[test]
    fn above_the_usual_a_source_is_held_to_its_used_codes() {
        let none = Tally::default();
        let today = tally(2, 0);
        assert_eq!(GUARD.assess(&today, &none, &source(2, 0)), None);
        assert_eq!(
            GUARD.assess(&today, &none, &source(3, 0)),
            Some(Suspicion::Unusual)
        );
        assert_eq!(GUARD.assess(&today, &none, &source(12, 10)), None);
        let today = tally(6, 0);
        assert_eq!(GUARD.assess(&today, &none, &source(1, 0)), None);
        assert_eq!(
            GUARD.assess(&today, &none, &source(2, 0)),
            Some(Suspicion::FarBeyond)
        );
        assert_eq!(GUARD.assess(&today, &none, &source(2, 1)), None);
    }

    #[test]
    fn three_times_the_usual_is_far_above_it() {
        let guard = Guard { usual: 4, ..GUARD };
        let none = Tally::default();
        let two_unused = source(2, 0);
        assert_eq!(guard.assess(&tally(11, 0), &none, &two_unused), None);
        let suspicion = guard.assess(&tally(12, 0), &none, &two_unused);
        assert_eq!(suspicion, Some(Suspicion::FarBeyond));
    }

    #[test]
    fn a_region_without_usual_codes_is_above_the_usual_at_the_first_unused_code() {
        let guard = Guard { usual: 0, ..GUARD };
        let none = Tally::default();
        assert_eq!(guard.assess(&none, &none, &source(9, 0)), None);
        let suspicion = guard.assess(&tally(1, 0), &none, &source(9, 0));
        assert_eq!(suspicion, Some(Suspicion::Unusual));
    }

    #[test]
    fn modes_and_suspicions_have_names() {
        assert_eq!("off".parse(), Ok(Mode::Off));
        assert_eq!("observe".parse(), Ok(Mode::Observe));
        assert_eq!("enforce".parse(), Ok(Mode::Enforce));
        assert_eq!("Enforce".parse::<Mode>(), Err(()));
        // Operators search the log for these.
        assert!(Suspicion::Unusual.name().contains(" beyond the usual"));
        assert!(
            Suspicion::FarBeyond
                .name()
                .contains(" far beyond the usual")
        );
    }

    #[test]
    fn a_shard_has_its_share_of_the_usual() {
        let guard = Guard { usual: 64, ..GUARD };
        let (none, today, source) = (Tally::default(), tally(2, 0), source(3, 0));
        assert_eq!(guard.assess(&today, &none, &source), None);
        let suspicion = guard.assess_share(&today, &none, &source, 32);
        assert_eq!(suspicion, Some(Suspicion::Unusual));
    }

    #[test]
    fn a_guard_that_is_off_suspects_nothing() {
        let off = Guard {
            mode: Mode::Off,
            ..GUARD
        };
        assert_eq!(
            off.assess(&tally(1000, 0), &Tally::default(), &source(99, 0)),
            None
        );
    }
}
