//! The toll-fraud guard: messages that nobody answers, against what is usual.
//!
//! Whoever pumps messages to numbers that pay him never sends a code back. So codes sent and not used
//! are counted by country (in the ledger's shards, [`crate::domain::budget`]) and by source. While a country's
//! unused codes stay within what is usual there, nobody is asked anything. Beyond, a source may have
//! two more unused codes out than it has ever answered lately; far beyond, one. People who log in
//! from where they have logged in before notice nothing, and a newcomer's first code always goes out;
//! an attack is left with one message per address it owns.

use crate::domain::budget::Tally;

/// What the guard's word is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is judged.
    Off,
    /// Judged and logged, and sent nevertheless.
    Observe,
    /// Judged, logged and refused.
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

/// The guard's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// `FRAUD_GUARD`, default `enforce`.
    pub mode: Mode,
    /// `FRAUD_UNVERIFIED_A_DAY`, default 64: unused codes a day that are usual in any country.
    pub usual: u64,
}

/// How far beyond the usual a country is when every source is held to one code.
const FAR: u64 = 3;

/// What is known of where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceHistory {
    /// Codes asked for in the last 24 h and not used, this one included.
    pub unused: u64,
    /// Codes used in the last days.
    pub used: u64,
}

/// Why a message looks like fraud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The country has more unused codes than usual, and so has the source.
    Unusual,
    /// The country has far more, and the source has not answered one.
    FarBeyond,
}

impl Suspicion {
    /// As logged.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unusual => "unverified codes beyond the usual, from a source that answers few",
            Self::FarBeyond => {
                "unverified codes far beyond the usual, from a source that answers none"
            }
        }
    }
}

impl Guard {
    /// Judges a message by its country's tally, today and yesterday, and by its source.
    ///
    /// Usual is what the country's verified codes make credible, one unused code for each used one
    /// (people who do use their codes leave a third unused), and a constant for a country where
    /// nothing is known yet.
    pub fn assess(
        &self,
        today: &Tally,
        yesterday: &Tally,
        source: &SourceHistory,
    ) -> Option<Suspicion> {
        self.assess_share(today, yesterday, source, 1)
    }

    /// The same by the tallies of one of so many shards: a sample, so a suspicion is worth a look at
    /// all of them, and no more.
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
        let credit = |free: u64| free + source.used;
        if unused >= usual * FAR && source.unused > credit(1) {
            return Some(Suspicion::FarBeyond);
        }
        (unused >= usual && source.unused > credit(2)).then_some(Suspicion::Unusual)
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
    fn within_the_usual_nobody_is_asked() {
        let none = Tally::default();
        assert_eq!(GUARD.assess(&tally(1, 0), &none, &source(30, 0)), None);
        // Much traffic, most of it answered.
        assert_eq!(GUARD.assess(&tally(100, 60), &none, &source(30, 0)), None);
        // The morning after a usual day.
        assert_eq!(
            GUARD.assess(&tally(40, 2), &tally(100, 70), &source(30, 0)),
            None
        );
    }

    #[test]
    fn beyond_it_a_source_has_its_credit() {
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
    fn a_shard_has_its_share_of_what_is_usual() {
        let guard = Guard { usual: 64, ..GUARD };
        let (none, today, source) = (Tally::default(), tally(2, 0), source(3, 0));
        assert_eq!(guard.assess(&today, &none, &source), None);
        let suspicion = guard.assess_share(&today, &none, &source, 32);
        assert_eq!(suspicion, Some(Suspicion::Unusual));
    }

    #[test]
    fn switched_off_it_says_nothing() {
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
