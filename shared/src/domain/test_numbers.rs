//! Numbers for those who review an app and have no phone of yours: their code is known beforehand and
//! nothing is sent to them. Everything else, limits and one-time use, is as with any number.

use std::{collections::HashMap, fmt};

use aws_smithy_types::{DateTime, date_time::Format};

use crate::domain::{
    code::Code,
    phone::{Phone, ServedCountries},
    time::UnixMs,
};

/// `TEST_NUMBERS`: `+8613800000000=123456@2027-01-01`, comma-separated. Each ends with its day (UTC);
/// from then on it is a number like any other.
#[derive(Default)]
pub struct TestNumbers(HashMap<Phone, (Code, UnixMs)>);

impl TestNumbers {
    /// Reads the list.
    ///
    /// # Errors
    /// What is wrong with it, without the numbers and codes in it.
    pub fn parse(list: &str, served: &ServedCountries) -> Result<Self, &'static str> {
        let entries = list.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        let numbers = entries.map(|entry| {
            let (number, rest) = entry.split_once('=').ok_or(FORM)?;
            let (code, day) = rest
                .split_once('@')
                .ok_or("a test number needs its last day")?;
            let digits = number.trim().strip_prefix('+').ok_or(FORM)?;
            let phone = Phone::parse_e164(digits, served)
                .map_err(|_| "a test number is not one of a served country")?;
            let code = Code::fixed(code.trim()).ok_or("a test number's code is not six digits")?;
            let until = midnight(day.trim()).ok_or("a test number's day is not a date")?;
            Ok((phone, (code, until)))
        });
        numbers.collect::<Result<_, _>>().map(Self)
    }

    /// The code of a number, while it is a test number.
    pub fn code_of(&self, phone: &Phone, now: UnixMs) -> Option<&Code> {
        let (code, until) = self.0.get(phone)?;
        (now < *until).then_some(code)
    }
}

const FORM: &str = "must be +8613800000000=123456@2027-01-01, comma-separated";

/// The first moment of a day, written `2027-01-01`.
fn midnight(date: &str) -> Option<UnixMs> {
    let moment = DateTime::from_str(&format!("{date}T00:00:00Z"), Format::DateTime).ok()?;
    let since_1970 = u64::try_from(moment.to_millis().ok()?);
    since_1970.ok().map(UnixMs)
}

impl fmt::Debug for TestNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestNumbers({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{code::Guess, phone::CountryCode};

    fn parse(list: &str) -> Result<TestNumbers, &'static str> {
        TestNumbers::parse(list, &ServedCountries::new(vec![CountryCode::CHINA]))
    }

    #[test]
    fn a_number_has_its_code_until_its_day() {
        let numbers =
            parse("+8613800000000=123456@2027-01-01, +8613800000001=654321@2028-02-29").unwrap();
        let phone = Phone::from_parts("86", "13800000000").unwrap();
        let new_year = UnixMs(1_798_761_600_000);
        let code = numbers.code_of(&phone, UnixMs(new_year.0 - 1)).unwrap();
        assert!(code.matches(&Guess::parse("123456")));
        assert!(numbers.code_of(&phone, new_year).is_none());
        let other = Phone::from_parts("86", "13800000002").unwrap();
        assert!(numbers.code_of(&other, UnixMs(0)).is_none());
        assert!(parse("").unwrap().0.is_empty());
    }

    #[test]
    fn what_is_wrong_with_the_list_is_told_without_quoting_it() {
        for wrong in [
            "+8613800000000=123456",
            "+8613800000000=12345@2027-01-01",
            "+8613800000000=123456@2027-02-29",
            "+8613800000000=123456@never",
            "+8613800000000=123456@",
            "+4479110000=123456@2027-01-01",
            "13800000000=123456@2027-01-01",
            "13800000000",
        ] {
            let complaint = parse(wrong).expect_err(wrong);
            assert!(!complaint.contains("8613800000000=12345@"), "{complaint}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (date, days) in [
            ("1970-01-01", 0),
            ("1972-03-01", 790),
            ("2000-02-29", 11_016),
            ("2027-01-01", 20_819),
        ] {
            assert_eq!(midnight(date), Some(UnixMs(days * 86_400_000)), "{date}");
        }
        for wrong in [
            "1969-12-31",
            "2027-13-01",
            "2027-00-01",
            "2027-04-31",
            "2027-1-1",
            "",
        ] {
            assert_eq!(midnight(wrong), None, "{wrong}");
        }
    }
}
