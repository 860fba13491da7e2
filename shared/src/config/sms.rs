//! How messages are made.

use super::{
    env::{ConfigError, Env},
    variables::{
        NOTIFY_OLD_NUMBER, ORIGIN_DOMAIN, ORIGINATION_NUMBERS, SENDER_ID_REQUIRED, SENDER_IDS,
        SMS_BRAND, SMS_MAX_PRICE_USD, SMS_TEMPLATES, SMS_TEXTS,
    },
};
use crate::{
    domain::budget::MicroUsd,
    sms::{BadText, SmsConfig, registration::Registrations, text::TextProblem},
};

pub(super) fn read(env: &Env<'_>) -> Result<SmsConfig, ConfigError> {
    let config = SmsConfig {
        brand: env.text(SMS_BRAND),
        sender_ids: env.by_region(SENDER_IDS, r#"{"44":"Latchkey"}"#)?,
        sender_id_required: env.regions(SENDER_ID_REQUIRED)?,
        max_price: max_price(env)?,
        registrations: Registrations {
            numbers: env.by_region(
                ORIGINATION_NUMBERS,
                r#"{"US":"+12065550100"} or {"US":{"login":"+12065550100"}}"#,
            )?,
            templates: env.by_region(
                SMS_TEMPLATES,
                r#"{"IN":{"entityId":"1101","templateIds":{"login":"1107"}}}"#,
            )?,
        },
        origin_domain: env.text(ORIGIN_DOMAIN),
        notify_old_number: env.flag(NOTIFY_OLD_NUMBER)?,
        texts: env.by_region(
            SMS_TEXTS,
            r#"{"1":{"login":"{code} is your {brand} code, valid {minutes} min"}}"#,
        )?,
    };
    config.check_texts().map_err(complaint)?;
    Ok(config)
}

/// SNS takes five decimals. Less than the fifth would be a price of zero, at which nothing is sent.
fn max_price(env: &Env<'_>) -> Result<MicroUsd, ConfigError> {
    let form = "an amount in US dollars such as 0.20, at least 0.00001";
    let usd = MicroUsd::of_usd(env.parsed(SMS_MAX_PRICE_USD, form)?);
    let usd = usd.filter(|price| price.0 >= 10);
    usd.ok_or_else(|| SMS_MAX_PRICE_USD.error(format!("must be {form}")))
}

fn complaint(bad: BadText) -> ConfigError {
    // A built-in text that is too long has a brand that is too long.
    let variable = if bad.is_built_in {
        SMS_BRAND
    } else {
        SMS_TEXTS
    };
    variable.error(match bad.problem {
        TextProblem::NoCode => "a text does not contain {code}",
        TextProblem::TooLong => {
            "a text with SMS_BRAND and ORIGIN_DOMAIN exceeds one segment (160 GSM-7 or 70 UCS-2 \
             characters)"
        }
    })
}
