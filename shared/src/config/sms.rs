//! How messages are made.

use super::{
    env::{ConfigError, Env},
    variables::{
        NOTIFY_OLD_NUMBER, ORIGIN_DOMAIN, SENDER_ID_REQUIRED, SENDER_IDS, SMS_BRAND,
        SMS_MAX_PRICE_USD, SMS_TEXTS,
    },
};
use crate::sms::{BadText, SmsConfig, text::TextProblem};

pub(super) fn read(env: &Env<'_>) -> Result<SmsConfig, ConfigError> {
    let config = SmsConfig {
        brand: env.text(SMS_BRAND),
        sender_ids: env.by_country(SENDER_IDS, r#"{"44":"Latchkey"}"#)?,
        sender_id_required: env.countries(SENDER_ID_REQUIRED)?,
        max_price_usd: env.parsed(SMS_MAX_PRICE_USD, "a number such as 0.20")?,
        origin_domain: env.text(ORIGIN_DOMAIN),
        notify_old_number: env.flag(NOTIFY_OLD_NUMBER)?,
        texts: env.by_country(
            SMS_TEXTS,
            r#"{"1":{"login":"{code} is your {brand} code, valid {minutes} min"}}"#,
        )?,
    };
    config.check_texts().map_err(complaint)?;
    Ok(config)
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
