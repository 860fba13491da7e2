//! Limits: how many messages, wrong codes and requests a phone or a source has.

use std::time::Duration;

use super::{
    env::{ConfigError, Env},
    variables::{
        PHONE_CHANGE_CODE_SECONDS, SENDS_PER_ADDRESS_DAY, SENDS_PER_ADDRESS_HOUR,
        SENDS_PER_PHONE_DAY, SENDS_PER_PHONE_HOUR, TRUSTED_PROXIES, WRONG_CODES_PER_DAY,
    },
};
use crate::domain::{
    client_address::SourceLimits, fraud::Mode, purpose::Purpose, slot::Policy, window::Limit,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most sends to a phone a day. The store's update names each of them, and an expression may hold
/// 4 KB.
const MAX_SENDS_PER_PHONE: usize = 40;

/// The most sends of a source a day whose codes are unused, for the same reason.
const MAX_SENDS_PER_SOURCE: usize = 100;

/// Wrong passwords of one client at one account. Beyond the limit none of the client's is verified; SMS
/// stays open.
pub const WRONG_PASSWORDS: Limit = limit(10, DAY);

/// Wrong passwords of one source, at any account. Beyond the limits only accounts that know the client
/// are looked at. An IPv6 /56 has as many for each quarter of the phones and names.
pub const WRONG_PASSWORDS_OF_SOURCE: [Limit; 2] = [limit(30, HOUR), limit(100, DAY)];

/// Messages to one account that are paid from the money kept for accounts that know who asks.
pub const KEPT_MESSAGES: Limit = limit(2, DAY);

/// The age from which an account gets them: nobody makes accounts to get at the money.
pub const KEPT_FOR_ACCOUNTS_OLDER_THAN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Taken names that a code may ask for. The last one spends it.
pub const TAKEN_NAMES: u32 = 10;

/// The limits of a deployment.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `SENDS_PER_PHONE_HOUR`.
    sends_an_hour: Limit,
    /// `SENDS_PER_PHONE_DAY`.
    sends_a_day: Limit,
    /// `WRONG_CODES_PER_DAY`.
    wrong_codes: Limit,
    /// `PHONE_CHANGE_CODE_SECONDS`.
    phone_change_validity: Duration,
    /// `SENDS_PER_ADDRESS_HOUR`, `SENDS_PER_ADDRESS_DAY`.
    pub sends_per_source: SourceLimits,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: usize,
}

impl Limits {
    pub(super) fn read(env: &Env<'_>, guard: Mode) -> Result<Self, ConfigError> {
        let at_least_one = "a whole number, 1 or more";
        let hour = env.number(SENDS_PER_PHONE_HOUR, 1.., at_least_one)?;
        let day = env.number(SENDS_PER_PHONE_DAY, 1.., at_least_one)?;
        if day > MAX_SENDS_PER_PHONE || hour > day {
            let range = format!("SENDS_PER_PHONE_HOUR and {MAX_SENDS_PER_PHONE}");
            return Err(SENDS_PER_PHONE_DAY.error(format!("must lie between {range}")));
        }
        let wrong_codes = env.number(WRONG_CODES_PER_DAY, 1..=50, "a whole number from 1 to 50")?;
        let validity = env.number(
            PHONE_CHANGE_CODE_SECONDS,
            60..=600,
            "a whole number from 60 to 600",
        )?;
        Ok(Self {
            sends_an_hour: limit(hour, HOUR),
            sends_a_day: limit(day, DAY),
            wrong_codes: limit(wrong_codes, DAY),
            phone_change_validity: Duration::from_secs(validity),
            sends_per_source: sends_per_source(env, guard)?,
            trusted_proxies: env.parsed(TRUSTED_PROXIES, "a whole number")?,
        })
    }

    /// How many messages a phone may get, over all purposes. A code for a new number also keeps the
    /// cool-down of any message to that number, whichever account asks (dialect C: once a minute per
    /// number).
    pub fn sends_per_phone(&self, purpose: Purpose) -> Vec<Limit> {
        let mut limits = vec![self.sends_an_hour, self.sends_a_day];
        if purpose == Purpose::ChangePhone {
            limits.push(limit(1, self.policy(purpose).cool_down));
        }
        limits
    }

    /// The policy of a purpose's slots.
    pub fn policy(&self, purpose: Purpose) -> Policy {
        let built_in = purpose.policy();
        let validity = match purpose {
            Purpose::ChangePhone => self.phone_change_validity,
            _ => built_in.validity,
        };
        Policy {
            validity,
            failures: self.wrong_codes,
            ..built_in
        }
    }
}

/// Without a limit sends are counted all the same, unless nobody, not even the fraud guard, asks.
fn sends_per_source(env: &Env<'_>, guard: Mode) -> Result<SourceLimits, ConfigError> {
    let day: usize = env.parsed(SENDS_PER_ADDRESS_DAY, "a whole number, 0 to 100")?;
    let mut hour = env.number(SENDS_PER_ADDRESS_HOUR, 1.., "a whole number, 1 or more")?;
    if day == 0 {
        let counted = limit(MAX_SENDS_PER_SOURCE, DAY);
        let is_counted = guard != Mode::Off;
        return Ok(SourceLimits {
            limits: is_counted.then_some(counted).into_iter().collect(),
            refuse: false,
        });
    }
    if !env.is_set(SENDS_PER_ADDRESS_HOUR) {
        hour = hour.min(day);
    }
    if day > MAX_SENDS_PER_SOURCE || hour > day {
        let range = format!("SENDS_PER_ADDRESS_HOUR and {MAX_SENDS_PER_SOURCE}");
        return Err(SENDS_PER_ADDRESS_DAY.error(format!("must be 0 or lie between {range}")));
    }
    Ok(SourceLimits {
        limits: vec![limit(hour, HOUR), limit(day, DAY)],
        refuse: true,
    })
}

const fn limit(events: usize, span: Duration) -> Limit {
    Limit { events, span }
}
