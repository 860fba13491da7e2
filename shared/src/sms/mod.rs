//! Text messages: their texts ([`text`]), what is registered of them ([`registration`]), their
//! configuration, and SNS ([`sns`]).

pub mod registration;
pub mod sns;
pub mod text;

use std::collections::BTreeMap;

use crate::domain::{
    budget::MicroUsd,
    error::{Error, SmsFailure},
    phone::CountryCode,
    purpose::Purpose,
    region::Region,
};
use registration::{About, Registered, Registrations};
use text::{Text, TextProblem};

/// How messages are made.
#[derive(Debug)]
pub struct SmsConfig {
    /// `SMS_BRAND`: the sender's name in the messages. Without it SMS is not configured.
    pub brand: Option<String>,
    /// `SENDER_IDS`.
    pub sender_ids: BTreeMap<Region, String>,
    /// `SENDER_ID_REQUIRED`: regions in which a message needs a sender ID.
    pub sender_id_required: Vec<Region>,
    /// `SMS_MAX_PRICE_USD`: the most one message may cost.
    pub max_price: MicroUsd,
    /// `ORIGINATION_NUMBERS`, `SMS_TEMPLATES`.
    pub registrations: Registrations,
    /// `ORIGIN_DOMAIN`: messages end with `@domain #code`, so that browsers fill the code in on this
    /// domain's pages only (<https://wicg.github.io/sms-one-time-codes/>).
    pub origin_domain: Option<String>,
    /// `NOTIFY_OLD_NUMBER`: whether the old number of an account that moved gets a notice.
    pub notify_old_number: bool,
    /// `SMS_TEXTS`: texts in place of the built-in ones.
    pub texts: BTreeMap<Region, BTreeMap<Purpose, Text>>,
}

/// A text that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadText {
    /// Whether it is one of the built-in texts.
    pub is_built_in: bool,
    /// Why it cannot be used.
    pub problem: TextProblem,
}

impl SmsConfig {
    /// Whether messages are sent.
    pub fn is_configured(&self) -> bool {
        self.brand.is_some()
    }

    /// Checks that every text that could be sent fits one segment: the bill is per segment.
    ///
    /// # Errors
    /// The first text that does not.
    pub fn check_texts(&self) -> Result<(), BadText> {
        let brand = self.brand.as_deref().unwrap_or_default();
        let domain = self.origin_domain.as_deref();
        let bad = |is_built_in| {
            move |problem| BadText {
                is_built_in,
                problem,
            }
        };
        for text in text::longest_built_in() {
            text.check(brand, domain).map_err(bad(true))?;
        }
        for text in self.texts.values().flat_map(BTreeMap::values) {
            text.check(brand, domain).map_err(bad(false))?;
        }
        for text in &text::MOVED {
            text.check_notice(brand).map_err(bad(true))?;
        }
        Ok(())
    }

    /// Plans the notice to the old number of an account that moved.
    ///
    /// # Errors
    /// [`Error::Sms`]: not configured, no sender ID where one is required.
    pub fn plan_moved(&self, country: CountryCode, region: Region) -> Result<Plan, Error> {
        self.plan_text(region, About::Moved, Some(text::moved(country)))
    }

    /// Plans a message with a code. It is called before anything is stored, so that a gap in the
    /// configuration costs no code and no cool-down.
    ///
    /// # Errors
    /// [`Error::Sms`]: not configured, no sender ID where one is required, no text.
    pub fn plan(
        &self,
        purpose: Purpose,
        country: CountryCode,
        region: Region,
    ) -> Result<Plan, Error> {
        let text = match self.texts.get(&region) {
            Some(texts) => texts.get(&purpose),
            None => Some(text::built_in_for(purpose, country)),
        };
        self.plan_text(region, About::Code(purpose), text)
    }

    fn plan_text(&self, region: Region, about: About, text: Option<&Text>) -> Result<Plan, Error> {
        let brand = self.brand.clone();
        let brand = brand.ok_or(Error::Sms(SmsFailure::NotConfigured))?;
        let sender_id = self.sender_ids.get(&region).cloned();
        if sender_id.is_none() && self.sender_id_required.contains(&region) {
            return Err(Error::Sms(SmsFailure::NoSenderId));
        }
        Ok(Plan {
            region,
            brand,
            sender_id,
            text: text.ok_or(Error::Sms(SmsFailure::NoText))?.clone(),
            origin_domain: self.origin_domain.clone(),
            max_price: self.max_price,
            registered: self.registrations.of(region, about),
        })
    }
}

/// A message without its code.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The region that it goes to.
    pub region: Region,
    brand: String,
    sender_id: Option<String>,
    text: Text,
    origin_domain: Option<String>,
    max_price: MicroUsd,
    registered: Registered,
}
