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
    phone::ServedRegions,
    region::Region,
};

/// Reads the caps and the prices. `max_price` is what a region without a price is counted at.
pub(super) fn budget(
    env: &Env<'_>,
    max_price: MicroUsd,
    served: &ServedRegions,
) -> Result<Budget, ConfigError> {
    let form = "an amount in US dollars such as 50";
    let day = MicroUsd::of_usd(env.parsed(DAILY_SPEND_USD, form)?);
    let day = day.ok_or_else(|| DAILY_SPEND_USD.error(format!("must be {form}")))?;
    let caps = amounts(env, DAILY_SPEND_BY_COUNTRY_USD, r#"{"86":20}"#)?;
    let prices = amounts(env, SMS_PRICES_USD, r#"{"86":0.03}"#)?;
    Ok(Budget::new(day, caps, prices, max_price, served.as_slice()))
}

/// Checks that every served region's price is allowed: above the maximum SNS accepts a message, drops
/// it, and reports that in its delivery logs only.
///
/// # Errors
/// The first region whose price is above it.
pub(super) fn check_prices(
    budget: &Budget,
    max_price: MicroUsd,
    served: &ServedRegions,
) -> Result<(), ConfigError> {
    let mut dear = served.as_slice().iter();
    let dear = dear.find(|region| budget.price(**region) > max_price);
    dear.map_or(Ok(()), |region| {
        let price = budget.price(*region);
        Err(SMS_MAX_PRICE_USD.error(format!(
            "is below the price of a message to {region}, {price}: SNS would drop them all"
        )))
    })
}

fn amounts(
    env: &Env<'_>,
    variable: Variable,
    form: &str,
) -> Result<BTreeMap<Region, MicroUsd>, ConfigError> {
    let in_usd = env.by_region::<f64>(variable, form)?.into_iter();
    let amounts = in_usd.map(|(region, usd)| Some((region, MicroUsd::of_usd(usd)?)));
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
