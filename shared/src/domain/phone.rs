//! Phone numbers in E.164 form. `Debug` and `Display` mask them.

use std::fmt;

use crate::domain::{error::Error, numbering};

/// A country calling code without the plus: one to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode(u16);

impl CountryCode {
    /// Mainland China.
    pub const CHINA: Self = Self(86);

    /// Reads one to three digits without a leading zero: ITU-T E.164 has no zone 0.
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

/// The countries that a deployment serves.
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

/// A phone number.
///
/// `Debug` and `Display` mask it; [`Phone::e164`] and [`Phone::national`] give the digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    country: CountryCode,
    national: String,
}

impl Phone {
    /// Reads a mobile number of a country, digits only. Outside China it may begin with the country's
    /// trunk prefix (`07911…` in Britain), which is removed.
    ///
    /// # Errors
    /// [`Error::CountryNotServed`], whatever the number is; [`Error::PhoneInvalid`].
    pub fn parse(country: &str, national: &str, served: &ServedCountries) -> Result<Self, Error> {
        let country = CountryCode::parse(country).ok_or(Error::CountryNotServed)?;
        if !served.contains(country) {
            return Err(Error::CountryNotServed);
        }
        let mobile = match country {
            CountryCode::CHINA => is_chinese_mobile(national).then_some(national),
            _ => numbering::mobile(country.0, national),
        };
        Ok(Self {
            country,
            national: mobile.ok_or(Error::PhoneInvalid)?.to_owned(),
        })
    }

    /// Reads the digits of an E.164 number: the code of a served country, then the national number.
    /// No country code is the beginning of another, so at most one code matches.
    ///
    /// # Errors
    /// [`Error::CountryNotServed`], [`Error::PhoneInvalid`].
    pub fn parse_e164(digits: &str, served: &ServedCountries) -> Result<Self, Error> {
        let mut codes = served.0.iter().map(ToString::to_string);
        let split = codes.find_map(|code| Some((digits.strip_prefix(&code)?, code)));
        let (national, country) = split.ok_or(Error::CountryNotServed)?;
        Self::parse(&country, national, served)
    }

    /// A number read from the store or from a ticket of ours; `None` when it is not of digits. It is
    /// not checked against the numbering plan, nor against the served countries.
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

    /// The national number, digits only.
    pub fn national(&self) -> &str {
        &self.national
    }

    /// `+`, country code, national number. For the store and the SMS provider, not for logs.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.country, self.national)
    }

    /// Country code and the last two digits, the others as `*`: `+86 *********01`. A user recognises
    /// the own number, and no one else learns it.
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

/// Whether a national number is a mobile number of mainland China: `^1[3-9]\d{9}$`.
fn is_chinese_mobile(national: &str) -> bool {
    let digits = national.as_bytes();
    digits.len() == 11
        && digits.iter().all(u8::is_ascii_digit)
        && digits[0] == b'1'
        && digits[1] >= b'3'
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
    fn new_ranges_of_chinese_mobile_numbers_need_no_new_table() {
        // libphonenumber does not know 140 and 154; with a trunk prefix the number has 12 digits.
        for valid in ["14012345678", "15412345678"] {
            assert!(Phone::parse("86", valid, &served()).is_ok(), "{valid}");
        }
        let with_trunk_prefix = Phone::parse("86", "013800138001", &served());
        assert_eq!(with_trunk_prefix, Err(Error::PhoneInvalid));
    }

    #[test]
    fn a_country_that_is_not_served_is_refused_before_the_number_is_read() {
        for country in ["44", "0", "086", "", "8600", "x"] {
            let parsed = Phone::parse(country, "13800138001", &served());
            assert_eq!(parsed, Err(Error::CountryNotServed), "{country}");
        }
    }

    #[test]
    fn an_e164_number_begins_with_the_code_of_a_served_country() {
        let parse = |digits| Phone::parse_e164(digits, &served()).map(|phone| phone.e164());
        assert_eq!(parse("8613800138001"), Ok("+8613800138001".into()));
        assert_eq!(parse("12015550123"), Ok("+12015550123".into()));
        assert_eq!(parse("861380013800"), Err(Error::PhoneInvalid));
        assert_eq!(parse("447911123456"), Err(Error::CountryNotServed));
        assert_eq!(parse(""), Err(Error::CountryNotServed));
    }

    #[test]
    fn a_number_keeps_its_country_and_loses_its_trunk_prefix() {
        let phone = Phone::parse("1", "12015550123", &served()).unwrap();
        assert_eq!(phone.country(), CountryCode::parse("1").unwrap());
        assert_eq!(phone.national(), "2015550123");
    }

    #[test]
    fn a_stored_number_comes_back_and_anything_but_digits_does_not() {
        let phone = Phone::parse("86", "13800138001", &served()).unwrap();
        assert_eq!(Phone::from_parts("86", "13800138001"), Some(phone));
        for (country, national) in [("86", ""), ("86", "1380013800a"), ("x", "13800138001")] {
            assert_eq!(Phone::from_parts(country, national), None);
        }
    }

    #[test]
    fn the_served_countries_are_those_of_the_list() {
        let served = served();
        assert_eq!(served.as_slice(), [CountryCode::CHINA, CountryCode(1)]);
        assert!(served.contains(CountryCode(1)));
        assert!(!served.contains(CountryCode(44)));
    }

    #[test]
    fn debug_and_display_mask_a_phone() {
        let phone = Phone::parse("86", "13800138001", &served()).unwrap();
        assert_eq!(
            format!("{phone} {phone:?}"),
            "+86 *********01 +86 *********01"
        );
    }
}
