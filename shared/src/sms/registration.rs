//! What a country's registration of senders adds to a message: the number it comes from, and in India
//! the ids under which sender and text are registered.

use std::collections::BTreeMap;

use serde::{Deserialize, de};

use crate::domain::{purpose::Purpose, region::Region};

/// What a message is about. In the configuration: the purpose's name, or `moved`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A code for this purpose.
    Code(Purpose),
    /// The notice to the old number of an account that moved.
    Moved,
}

impl<'de> Deserialize<'de> for About {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "moved" {
            return Ok(Self::Moved);
        }
        let purpose = Purpose::ALL.iter().find(|purpose| purpose.name() == name);
        let purpose = purpose.ok_or_else(|| de::Error::custom("no such message"))?;
        Ok(Self::Code(*purpose))
    }
}

/// The number that messages to a region come from
/// (<https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html>).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OriginationNumber {
    /// Of all messages.
    OfAll(Digits),
    /// Of each message. SNS chooses for those that are left out.
    Of(BTreeMap<About, Digits>),
}

impl OriginationNumber {
    fn of(&self, about: About) -> Option<&Digits> {
        match self {
            Self::OfAll(number) => Some(number),
            Self::Of(numbers) => numbers.get(&about),
        }
    }
}

/// A registration with India's operators
/// (<https://docs.aws.amazon.com/sns/latest/dg/channels-sms-senderid-india.html>).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// That of the sender.
    entity_id: Digits,
    /// Those of the texts.
    #[serde(default)]
    template_ids: BTreeMap<About, Digits>,
}

/// A telephone number, short code or id: 3 to 50 digits, a number with `+` in front or without.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Digits(String);

impl TryFrom<String> for Digits {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix('+').unwrap_or(&text);
        let is_valid =
            (3..=50).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_valid.then_some(Self(text)).ok_or("not digits")
    }
}

/// `ORIGINATION_NUMBERS` and `SMS_TEMPLATES`, by region.
#[derive(Debug, Default)]
pub struct Registrations {
    /// Where messages come from.
    pub numbers: BTreeMap<Region, OriginationNumber>,
    /// What they are registered as.
    pub templates: BTreeMap<Region, Registration>,
}

/// What is registered of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    number: Option<Digits>,
    entity_id: Option<Digits>,
    template_id: Option<Digits>,
}

impl Registrations {
    /// What is registered of a message to a region.
    pub(super) fn of(&self, region: Region, about: About) -> Registered {
        let number = self.numbers.get(&region);
        let registration = self.templates.get(&region);
        Registered {
            number: number.and_then(|number| number.of(about)).cloned(),
            entity_id: registration.map(|it| it.entity_id.clone()),
            template_id: registration.and_then(|it| it.template_ids.get(&about).cloned()),
        }
    }
}

impl Registered {
    /// The attributes of SNS's `Publish` that say it.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let attributes = [
            ("AWS.MM.SMS.OriginationNumber", &self.number),
            ("AWS.MM.SMS.EntityId", &self.entity_id),
            ("AWS.MM.SMS.TemplateId", &self.template_id),
        ];
        let given = attributes.into_iter();
        given.filter_map(|(name, value)| Some((name, value.as_ref()?.0.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(registrations: &Registrations, region: Region, about: About) -> Vec<String> {
        let registered = registrations.of(region, about);
        let attributes = registered.attributes();
        attributes
            .map(|(name, value)| format!("{} {value}", name.trim_start_matches("AWS.MM.SMS.")))
            .collect()
    }

    #[test]
    fn a_message_carries_what_is_registered_of_its_region_and_its_subject() {
        let (us, canada) = (Region::named("US")[0], Region::named("CA")[0]);
        let india = Region::named("91")[0];
        let parse = |json| serde_json::from_str(json).unwrap();
        let by_purpose = r#"{"login":"+12065550101","moved":"12345"}"#;
        let numbers = BTreeMap::from([
            (us, serde_json::from_str(r#""+12065550100""#).unwrap()),
            (canada, serde_json::from_str(by_purpose).unwrap()),
        ]);
        let templates = parse(r#"{"entityId":"1101","templateIds":{"login":"1107"}}"#);
        let templates = BTreeMap::from([(india, templates)]);
        let all = Registrations { numbers, templates };
        let (login, register) = (About::Code(Purpose::Login), About::Code(Purpose::Register));
        assert_eq!(
            attributes(&all, us, register),
            ["OriginationNumber +12065550100"]
        );
        assert_eq!(
            attributes(&all, canada, login),
            ["OriginationNumber +12065550101"]
        );
        assert_eq!(
            attributes(&all, canada, About::Moved),
            ["OriginationNumber 12345"]
        );
        assert_eq!(attributes(&all, canada, register), [""; 0]);
        assert_eq!(
            attributes(&all, india, login),
            ["EntityId 1101", "TemplateId 1107"]
        );
        assert_eq!(attributes(&all, india, register), ["EntityId 1101"]);
        assert_eq!(attributes(&all, Region::CHINA, login), [""; 0]);
    }

    #[test]
    fn a_number_is_three_to_fifty_digits_and_a_subject_is_one_of_ours() {
        for bad in [
            r#""""#,
            r#""+""#,
            r#""12""#,
            r#""+1 206""#,
            "12065550100",
            r#"{"nothing":"+12065550100"}"#,
        ] {
            assert!(
                serde_json::from_str::<OriginationNumber>(bad).is_err(),
                "{bad}"
            );
        }
        for bad in [
            r#"{"templateIds":{}}"#,
            r#"{"entityId":"1101","templates":{}}"#,
        ] {
            assert!(serde_json::from_str::<Registration>(bad).is_err(), "{bad}");
        }
    }
}
