//! Money: what the messages of a day may cost, and the guard against toll fraud.

use std::collections::BTreeMap;

use super::{
    env::{ConfigError, Env},
    variables::{
        DAILY_SPEND_BY_COUNTRY_USD, DAILY_SPEND_USD, FRAUD_GUARD, FRAUD_UNVERIFIED_A_DAY,
        SMS_MAX_PRICE_USD, SMS_PRICES_USD, Variable,
    },
};
use crate::domain::{
    budget::{Budget, MicroUsd},
    fraud::Guard,
    phone::{CountryCode, ServedCountries},
};

/// Reads the caps and the prices. `max_price_usd` is what a country without a price is counted at.
pub(super) fn budget(
    env: &Env<'_>,
    max_price_usd: f64,
    served: &ServedCountries,
) -> Result<Budget, ConfigError> {
    let form = "an amount in US dollars such as 50";
    let day = MicroUsd::of_usd(env.parsed(DAILY_SPEND_USD, form)?);
    let day = day.ok_or_else(|| DAILY_SPEND_USD.error(format!("must be {form}")))?;
    let max_price = MicroUsd::of_usd(max_price_usd);
    let max_price =
        max_price.ok_or_else(|| SMS_MAX_PRICE_USD.error("must be a number such as 0.20"))?;
    let caps = amounts(env, DAILY_SPEND_BY_COUNTRY_USD, r#"{"86":20}"#)?;
    let prices = amounts(env, SMS_PRICES_USD, r#"{"86":0.03}"#)?;
    Ok(Budget::new(day, caps, prices, max_price, served.as_slice()))
}

fn amounts(
    env: &Env<'_>,
    variable: Variable,
    form: &str,
) -> Result<BTreeMap<CountryCode, MicroUsd>, ConfigError> {
    let in_usd = env.by_country::<f64>(variable, form)?.into_iter();
    let amounts = in_usd.map(|(country, usd)| Some((country, MicroUsd::of_usd(usd)?)));
    let amounts: Option<_> = amounts.collect();
    amounts.ok_or_else(|| variable.error("holds a number that is no amount of US dollars"))
}

/// Reads the fraud guard's settings.
pub(super) fn guard(env: &Env<'_>) -> Result<Guard, ConfigError> {
    Ok(Guard {
        mode: env.parsed(FRAUD_GUARD, "off, observe or enforce")?,
        usual: env.number(FRAUD_UNVERIFIED_A_DAY, 1.., "a whole number, 1 or more")?,
    })
}
