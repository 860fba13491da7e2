//! Phone numbers in E.164 form. `Debug` and `Display` mask them.

use std::fmt;

use crate::domain::{error::Error, region::Region};

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

/// The regions that a deployment serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedRegions {
    regions: Vec<Region>,
    /// Their calling codes.
    codes: Vec<CountryCode>,
}

impl ServedRegions {
    /// Serves these regions.
    pub fn new(regions: Vec<Region>) -> Self {
        let codes = regions.iter().filter_map(|region| region.code());
        Self {
            codes: codes.map(CountryCode).collect(),
            regions,
        }
    }

    /// The regions.
    pub fn as_slice(&self) -> &[Region] {
        &self.regions
    }

    /// Whether a region is served.
    pub fn contains(&self, region: Region) -> bool {
        self.regions.contains(&region)
    }

    /// Whether a region with this calling code is served.
    pub fn has_code(&self, code: CountryCode) -> bool {
        self.codes.contains(&code)
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
    /// Reads a mobile number of a calling code, digits only. Outside China it may begin with the region's
    /// trunk prefix (`07911…` in Britain), which is removed.
    ///
    /// # Errors
    /// [`Error::CountryNotServed`] when no region of the calling code is served, whatever the number is,
    /// and when that of the number is not; [`Error::PhoneInvalid`].
    pub fn parse(country: &str, national: &str, served: &ServedRegions) -> Result<Self, Error> {
        let country = CountryCode::parse(country).ok_or(Error::CountryNotServed)?;
        if !served.has_code(country) {
            return Err(Error::CountryNotServed);
        }
        let mobile = match country {
            CountryCode::CHINA => is_chinese_mobile(national).then_some((national, Region::CHINA)),
            _ => Region::of_mobile(country.0, national),
        };
        let (national, region) = mobile.ok_or(Error::PhoneInvalid)?;
        if !served.contains(region) {
            return Err(Error::CountryNotServed);
        }
        Ok(Self {
            country,
            national: national.to_owned(),
        })
    }

    /// Reads the digits of an E.164 number: the calling code of a served region, then the national
    /// number. No calling code is the beginning of another, so at most one code matches.
    ///
    /// # Errors
    /// [`Error::CountryNotServed`], [`Error::PhoneInvalid`].
    pub fn parse_e164(digits: &str, served: &ServedRegions) -> Result<Self, Error> {
        let mut codes = served.codes.iter().map(ToString::to_string);
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

    /// The region, found by the numbering plans; [`Region::UNKNOWN`] where no plan knows the number.
    pub fn region(&self) -> Region {
        match self.country {
            CountryCode::CHINA => Region::CHINA,
            CountryCode(code) => {
                let mobile = Region::of_mobile(code, &self.national);
                mobile.map_or(Region::UNKNOWN, |(_, region)| region)
            }
        }
    }

    /// The national number, digits only.
    pub fn national(&self) -> &str {
        &self.national
    }

    /// `+`, country code, national number. For the store and the SMS provider, not for logs.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.country, self.national)
    }

    /// The same without `+`, as dialect D shows it.
    pub fn digits(&self) -> String {
        format!("{}{}", self.country, self.national)
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

    fn served() -> ServedRegions {
        let america = Region::named("1").into_iter();
        ServedRegions::new([Region::CHINA].into_iter().chain(america).collect())
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
    fn serving_a_calling_code_serves_its_main_regions_alone() {
        let number = |national| Phone::parse("1", national, &served()).map(|phone| phone.region());
        assert_eq!(number("2015550123").unwrap().to_string(), "US");
        assert_eq!(number("4165550123").unwrap().to_string(), "CA");
        for island in ["8763010000", "8092010000", "2684640000", "8682660000"] {
            assert_eq!(number(island), Err(Error::CountryNotServed), "{island}");
        }
        assert_eq!(number("9005550123"), Err(Error::PhoneInvalid));
        assert!(served().has_code(CountryCode(1)) && !served().has_code(CountryCode(44)));
        assert!(served().contains(Region::CHINA));
        assert_eq!(served().as_slice().len(), 3);
    }

    #[test]
    fn a_stored_number_that_no_plan_knows_is_of_no_known_region() {
        for (country, national) in [("1", "9005550123"), ("999", "123456")] {
            let phone = Phone::from_parts(country, national).unwrap();
            assert_eq!(phone.region(), Region::UNKNOWN);
        }
        let phone = Phone::from_parts("44", "7400123456").unwrap();
        assert_eq!(phone.region().to_string(), "GB");
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
