//! Numbering plans: the form of a mobile number in each country.
//!
//! `numbering_plans.txt` is an extract of libphonenumber's data. It has one line per country calling
//! code: the code, the trunk prefix (`-` for none), and the pattern of mobile numbers. Where mobile
//! and fixed-line numbers have the same form, as in North America, the pattern matches both. The
//! extract has 30 KB; the library has 0.5 MB and takes milliseconds to load. Numbers of +86 are
//! checked without it.
//!
//! A test compares the file with the library. After an update of the library,
//! `LATCHKEY_REGENERATE=1 cargo test -p shared numbering` writes the file.

use regex_lite::Regex;

const PLANS: &str = include_str!("numbering_plans.txt");

/// The national number without its trunk prefix; `None` when it is not a mobile number of the
/// country.
pub(crate) fn mobile(country: u16, national: &str) -> Option<&str> {
    let (prefix, pattern) = plan(country)?;
    // Compiling the one pattern takes 0.1 ms.
    let mobile = Regex::new(&format!("^(?:{pattern})$")).ok()?;
    let without_prefix = national.strip_prefix(prefix);
    [Some(national), without_prefix]
        .into_iter()
        .flatten()
        .find(|number| mobile.is_match(number))
}

/// The trunk prefix and the pattern of a country.
fn plan(country: u16) -> Option<(&'static str, &'static str)> {
    PLANS.lines().find_map(|line| {
        let (code, rest) = line.split_once(' ')?;
        (code.parse() == Ok(country)).then(|| rest.split_once(' '))?
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use phonenumber::metadata::DATABASE;

    use super::*;

    #[test]
    fn the_file_equals_the_data_of_libphonenumber() {
        // Regions can share a calling code, and a number is looked up by its code alone.
        let mut plans: BTreeMap<u16, (String, Vec<String>)> = BTreeMap::new();
        let mut regions: Vec<_> = DATABASE.iter().collect();
        regions.sort_by_key(|region| region.id().to_owned());
        for region in regions {
            let Some(mobile) = region.descriptors().mobile() else {
                continue;
            };
            let pattern: String = mobile
                .national_number()
                .as_str()
                .split_whitespace()
                .collect();
            let (prefix, patterns) = plans.entry(region.country_code()).or_default();
            if region.is_main_country_for_code() || prefix.is_empty() {
                *prefix = region.national_prefix().unwrap_or_default().to_owned();
            }
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        let lines = plans.iter().map(|(code, (prefix, patterns))| {
            let prefix = if prefix.is_empty() { "-" } else { prefix };
            format!("{code} {prefix} {}\n", patterns.join("|"))
        });
        let expected: String = lines.collect();
        if std::env::var_os("LATCHKEY_REGENERATE").is_some() {
            let file = concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/domain/numbering_plans.txt"
            );
            std::fs::write(file, &expected).unwrap();
            return;
        }
        assert!(
            PLANS == expected,
            "the head of this file says how to write numbering_plans.txt"
        );
    }

    #[test]
    fn mobile_numbers_of_ten_countries() {
        // Country; two mobile numbers; one too short, one too long, one of a fixed line.
        for (country, valid, invalid) in [
            (
                33,
                ["612345678", "0612345678"],
                ["61234567", "6123456789", "123456789"],
            ),
            (
                34,
                ["612345678", "712345678"],
                ["61234567", "6123456789", "810123456"],
            ),
            (
                39,
                ["3123456789", "3331234567"],
                ["31234", "312345678901", "0212345678"],
            ),
            (
                44,
                ["7400123456", "07400123456"],
                ["740012345", "74001234567", "1212345678"],
            ),
            (
                49,
                ["15123456789", "015123456789"],
                ["151234", "151234567890", "30123456"],
            ),
            (
                55,
                ["11961234567", "011961234567"],
                ["1196123456", "119612345678", "1123456789"],
            ),
            (
                61,
                ["412345678", "0412345678"],
                ["41234567", "4123456789", "212345678"],
            ),
            (
                65,
                ["81234567", "91234567"],
                ["8123456", "812345678", "61234567"],
            ),
            (
                81,
                ["9012345678", "09012345678"],
                ["901234567", "90123456789", "312345678"],
            ),
            (
                91,
                ["8123456789", "08123456789"],
                ["812345678", "81234567890", "1123456789"],
            ),
        ] {
            for number in valid {
                let found = mobile(country, number);
                assert!(
                    found.is_some_and(|found| number.ends_with(found)),
                    "+{country} {number}"
                );
            }
            for number in invalid {
                assert_eq!(mobile(country, number), None, "+{country} {number}");
            }
        }
        // In North America, mobile and fixed-line numbers have the same form.
        assert_eq!(mobile(1, "2015550123"), Some("2015550123"));
        assert_eq!(mobile(1, "12015550123"), Some("2015550123"));
        for invalid in ["201555012", "20155501234", "1015550123"] {
            assert_eq!(mobile(1, invalid), None, "{invalid}");
        }
    }

    #[test]
    fn every_pattern_compiles_and_an_unknown_country_has_none() {
        for line in PLANS.lines() {
            let country = line.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(mobile(country, "not a number"), None);
        }
        assert_eq!(plan(999), None);
    }
}
