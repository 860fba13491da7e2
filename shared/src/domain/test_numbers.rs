//! Test numbers: phones with a fixed code, for example for the reviewers of an app store.
//!
//! No message is sent to a test number, and its code is fixed. Limits and one-time use are the same as
//! for any number.

use std::{collections::HashMap, fmt};

use aws_smithy_types::{DateTime, date_time::Format};

use crate::domain::{
    code::Code,
    phone::{Phone, ServedRegions},
    time::UnixMs,
};

/// The test numbers of a deployment. `Debug` shows only how many there are.
#[derive(Default)]
pub struct TestNumbers(HashMap<Phone, (Code, UnixMs)>);

impl TestNumbers {
    /// Reads `TEST_NUMBERS`: a comma-separated list of `+8613800000000=123456@2027-01-01`. From the
    /// beginning of that day in UTC the number is like any other.
    ///
    /// # Errors
    /// A sentence that says what is wrong and contains no number and no code.
    pub fn parse(list: &str, served: &ServedRegions) -> Result<Self, &'static str> {
        let entries = list.split(',').map(str::trim);
        let numbers = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let (number, rest) = entry.split_once('=').ok_or(FORM)?;
            let (code, day) = rest
                .split_once('@')
                .ok_or("a test number needs its last day")?;
            let digits = number.trim().strip_prefix('+').ok_or(FORM)?;
            let phone = Phone::parse_e164(digits, served)
                .map_err(|_| "a test number is not one of a served region")?;
            let code = Code::fixed(code.trim()).ok_or("a test number's code is not six digits")?;
            let until = midnight(day.trim()).ok_or("a test number's day is not a date")?;
            Ok((phone, (code, until)))
        });
        numbers.collect::<Result<_, _>>().map(Self)
    }

    /// The fixed code of a number that is a test number at `now`.
    pub fn code_of(&self, phone: &Phone, now: UnixMs) -> Option<&Code> {
        let (code, until) = self.0.get(phone)?;
        (now < *until).then_some(code)
    }
}

const FORM: &str = "must be +8613800000000=123456@2027-01-01, comma-separated";

/// The beginning of a day in UTC. The day is written as `2027-01-01`.
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
    use crate::domain::{code::Guess, region::Region};

    fn parse(list: &str) -> Result<TestNumbers, &'static str> {
        TestNumbers::parse(list, &ServedRegions::new(vec![Region::CHINA]))
    }

    #[test]
    fn a_test_number_has_its_code_until_its_day() {
        let numbers =
            parse("+8613800000000=123456@2027-01-01, +8613800000001=654321@2028-02-29").unwrap();
        let phone = Phone::from_parts("86", "13800000000").unwrap();
        let new_year = UnixMs(1_798_761_600_000);
        let code = numbers.code_of(&phone, UnixMs(new_year.0 - 1)).unwrap();
        assert!(code.matches(&Guess::parse("123456").unwrap()));
        assert!(numbers.code_of(&phone, new_year).is_none());
        let other = Phone::from_parts("86", "13800000002").unwrap();
        assert!(numbers.code_of(&other, UnixMs(0)).is_none());
        assert!(parse("").unwrap().0.is_empty());
    }

    #[test]
    fn a_complaint_names_the_fault_and_quotes_nothing() {
        for (list, complaint) in [
            ("13800000000", FORM),
            ("13800000000=123456@2027-01-01", FORM),
            ("+8613800000000=123456", "a test number needs its last day"),
            (
                "+4479110000=123456@2027-01-01",
                "a test number is not one of a served region",
            ),
            (
                "+8613800000000=12345@2027-01-01",
                "a test number's code is not six digits",
            ),
            (
                "+8613800000000=123456@2027-02-29",
                "a test number's day is not a date",
            ),
            (
                "+8613800000000=123456@",
                "a test number's day is not a date",
            ),
        ] {
            assert_eq!(parse(list).unwrap_err(), complaint, "{list}");
        }
    }

    #[test]
    fn debug_hides_numbers_and_codes() {
        let numbers = parse("+8613800000000=123456@2027-01-01").unwrap();
        assert_eq!(format!("{numbers:?}"), "TestNumbers(1)");
    }

    #[test]
    fn a_day_begins_at_midnight_utc_of_the_gregorian_calendar() {
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
