//! Phone numbers: E.164, parsed once at the edge, masked wherever they are printed.

use std::fmt;

use crate::domain::{error::Error, numbering};

/// A country calling code without the plus: one to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode(u16);

impl CountryCode {
    /// Mainland China.
    pub const CHINA: Self = Self(86);

    /// Reads one to three digits without a leading zero (ITU-T E.164 has no zone 0).
    pub fn parse(digits: &str) -> Option<Self> {
        let well_formed = (1..=3).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        well_formed.then(|| digits.parse().ok().map(Self))?
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The countries a deployment serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCountries(Vec<CountryCode>);

impl ServedCountries {
    /// Serves these countries.
    pub fn new(countries: Vec<CountryCode>) -> Self {
        Self(countries)
    }

    /// The countries.
    pub fn as_slice(&self) -> &[CountryCode] {
        &self.0
    }

    /// Whether a country is served.
    pub fn contains(&self, country: CountryCode) -> bool {
        self.0.contains(&country)
    }
}

/// A phone number that is valid in a country we serve.
///
/// `Debug` and `Display` mask it; the digits are had only by asking ([`Phone::e164`]).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    country: CountryCode,
    national: String,
}

impl Phone {
    /// Reads a national number (digits only) of a country: one that text messages can be sent to.
    /// Outside China it may be written with the country's trunk prefix (`07911…` in Britain).
    ///
    /// # Errors
    /// [`Error::CountryNotServed`], before anything else is looked at; [`Error::PhoneInvalid`].
    pub fn parse(country: &str, national: &str, served: &ServedCountries) -> Result<Self, Error> {
        let country = CountryCode::parse(country).ok_or(Error::CountryNotServed)?;
        if !served.contains(country) {
            return Err(Error::CountryNotServed);
        }
        let digits = national.as_bytes();
        let national = match country {
            // Mobile numbers of mainland China: ^1[3-9]\d{9}$. No table is needed for these.
            CountryCode::CHINA => {
                let is_mobile = digits.len() == 11
                    && digits.iter().all(u8::is_ascii_digit)
                    && digits[0] == b'1'
                    && digits[1] >= b'3';
                is_mobile.then_some(national)
            }
            _ => numbering::mobile(country.0, national),
        };
        let national = national.ok_or(Error::PhoneInvalid)?.to_owned();
        Ok(Self { country, national })
    }

    /// Reads the digits of an E.164 number: a served country's code, then the national number. No
    /// country code begins another, so at most one fits.
    ///
    /// # Errors
    /// [`Error::CountryNotServed`], [`Error::PhoneInvalid`].
    pub fn parse_e164(digits: &str, served: &ServedCountries) -> Result<Self, Error> {
        let country = served.0.iter().map(ToString::to_string);
        let country = country
            .into_iter()
            .find(|code| digits.starts_with(code.as_str()));
        let country = country.ok_or(Error::CountryNotServed)?;
        Self::parse(&country, &digits[country.len()..], served)
    }

    /// A number we wrote ourselves, back from the store or a ticket: `+` and digits, with its
    /// country code's length implied by `country`.
    pub fn from_parts(country: &str, national: &str) -> Option<Self> {
        let country = CountryCode::parse(country)?;
        let all_digits = !national.is_empty() && national.bytes().all(|b| b.is_ascii_digit());
        all_digits.then(|| Self {
            country,
            national: national.to_owned(),
        })
    }

    /// The country calling code.
    pub fn country(&self) -> CountryCode {
        self.country
    }

    /// The number within its country, digits only.
    pub fn national(&self) -> &str {
        &self.national
    }

    /// `+`, country code, national number: for the store and the SMS provider, never for a log.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.country, self.national)
    }

    /// Enough to recognise one's own number by, and no more: country and last two digits.
    pub fn masked(&self) -> String {
        let (hidden, shown) = self
            .national
            .split_at(self.national.len().saturating_sub(2));
        format!("+{} {}{shown}", self.country, "*".repeat(hidden.len()))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> ServedCountries {
        ServedCountries(vec![CountryCode::CHINA, CountryCode(1)])
    }

    #[test]
    fn a_chinese_mobile_number_is_eleven_digits_from_13_to_19() {
        for valid in ["13800138001", "13627140483", "19912345678"] {
            let phone = Phone::parse("86", valid, &served()).unwrap();
            assert_eq!(phone.e164(), format!("+86{valid}"));
        }
        for invalid in [
            "",
            "1380013800",
            "138001380011",
            "12800138001",
            "23800138001",
            "1380013800a",
        ] {
            let parsed = Phone::parse("86", invalid, &served());
            assert_eq!(parsed, Err(Error::PhoneInvalid), "{invalid}");
        }
    }

    #[test]
    fn a_country_that_is_not_served_is_refused_whatever_the_number() {
        for country in ["44", "0", "086", "", "8600", "x"] {
            let parsed = Phone::parse(country, "13800138001", &served());
            assert_eq!(parsed, Err(Error::CountryNotServed), "{country}");
        }
    }

    #[test]
    fn printing_a_phone_masks_it() {
        let phone = Phone::parse("86", "13800138001", &served()).unwrap();
        assert_eq!(
            format!("{phone} {phone:?}"),
            "+86 *********01 +86 *********01"
        );
    }
}
