//! Text messages: what they say ([`text`]) and how they leave ([`sns`]).

pub mod sns;
pub mod text;

use std::collections::BTreeMap;

use crate::{
    config::{ConfigError, Env},
    domain::{
        error::{Error, SmsFailure},
        phone::{CountryCode, Phone},
        purpose::Purpose,
    },
};

use text::{Text, TextProblem};

/// How messages are sent.
#[derive(Debug)]
pub struct SmsConfig {
    /// `SMS_BRAND`: whom the message is from. `None` means SMS is not configured.
    pub brand: Option<String>,
    /// `SENDER_IDS`: a JSON object, country calling code to sender ID.
    pub sender_ids: BTreeMap<CountryCode, String>,
    /// `SENDER_ID_REQUIRED`: countries that take no message without one.
    pub sender_id_required: Vec<CountryCode>,
    /// `SMS_MAX_PRICE_USD`: the most one message may cost, default 0.20.
    pub max_price_usd: f64,
    /// `ORIGIN_DOMAIN`: ends messages with `@domain #code`, so that browsers fill the code in only
    /// there (<https://wicg.github.io/sms-one-time-codes/>).
    pub origin_domain: Option<String>,
    /// `NOTIFY_OLD_NUMBER`: whether a phone that an account has moved away from is told, default true.
    pub notify_old_number: bool,
    /// `SMS_TEXTS`: a JSON object, country calling code to purpose to text, in place of ours.
    pub texts: BTreeMap<CountryCode, BTreeMap<Purpose, Text>>,
}

impl SmsConfig {
    pub(crate) fn read(env: &Env<'_>) -> Result<Self, ConfigError> {
        let config = Self {
            brand: env.text("SMS_BRAND"),
            sender_ids: env.by_country("SENDER_IDS", r#"{"44":"Latchkey"}"#)?,
            sender_id_required: env.countries("SENDER_ID_REQUIRED", "")?,
            max_price_usd: env.parsed("SMS_MAX_PRICE_USD", 0.20, "a number such as 0.20")?,
            origin_domain: env.text("ORIGIN_DOMAIN"),
            notify_old_number: env.parsed("NOTIFY_OLD_NUMBER", true, "true or false")?,
            texts: env.by_country(
                "SMS_TEXTS",
                r#"{"1":{"login":"{code} is your {brand} code, valid {minutes} min"}}"#,
            )?,
        };
        config.check_lengths(env)?;
        Ok(config)
    }

    /// Every text we could send must fit one segment: the bill is per segment.
    fn check_lengths(&self, env: &Env<'_>) -> Result<(), ConfigError> {
        let brand = self.brand.as_deref().unwrap_or_default();
        let domain = self.origin_domain.as_deref();
        let own = text::longest_built_in().iter();
        let theirs = self.texts.values().flat_map(BTreeMap::values);
        let codes = own
            .map(|text| ("SMS_BRAND", text))
            .chain(theirs.map(|text| ("SMS_TEXTS", text)))
            .map(|(variable, text)| (variable, text.check(brand, domain)));
        let notices = text::MOVED
            .iter()
            .map(|text| ("SMS_BRAND", text.check_notice(brand)));
        for (variable, checked) in codes.chain(notices) {
            let complaint = match checked {
                Ok(()) => continue,
                Err(TextProblem::NoCode) => "a text does not contain {code}",
                Err(TextProblem::TooLong) => {
                    "a text with SMS_BRAND and ORIGIN_DOMAIN exceeds one segment (160 GSM-7 or 70 \
                     UCS-2 characters)"
                }
            };
            return Err(env.error(variable, complaint));
        }
        Ok(())
    }

    /// What the notice to a phone that an account has moved away from is made of.
    ///
    /// # Errors
    /// [`Error::Sms`]: not configured, no sender ID where one is required.
    pub fn plan_moved(&self, phone: &Phone) -> Result<Plan<'_>, Error> {
        self.plan_text(phone, Some(text::moved(phone.country())))
    }

    /// What a message of this purpose to this phone is made of; asked before anything is stored, so
    /// that a gap in the configuration costs nobody a code.
    ///
    /// # Errors
    /// [`Error::Sms`]: not configured, no sender ID where one is required, no text.
    pub fn plan(&self, purpose: Purpose, phone: &Phone) -> Result<Plan<'_>, Error> {
        let text = match self.texts.get(&phone.country()) {
            Some(texts) => texts.get(&purpose),
            None => Some(text::built_in_for(purpose, phone.country())),
        };
        self.plan_text(phone, text)
    }

    fn plan_text<'a>(&'a self, phone: &Phone, text: Option<&'a Text>) -> Result<Plan<'a>, Error> {
        let brand = self.brand.as_deref();
        let brand = brand.ok_or(Error::Sms(SmsFailure::NotConfigured))?;
        let country = phone.country();
        let sender_id = self.sender_ids.get(&country).map(String::as_str);
        if sender_id.is_none() && self.sender_id_required.contains(&country) {
            return Err(Error::Sms(SmsFailure::NoSenderId));
        }
        Ok(Plan {
            brand,
            sender_id,
            text: text.ok_or(Error::Sms(SmsFailure::NoText))?,
            origin_domain: self.origin_domain.as_deref(),
            max_price_usd: self.max_price_usd,
        })
    }
}

/// A message but for its code.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    brand: &'a str,
    sender_id: Option<&'a str>,
    text: &'a Text,
    origin_domain: Option<&'a str>,
    max_price_usd: f64,
}
