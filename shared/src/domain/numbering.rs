//! Numbering plans: what a mobile number looks like in each country.
//!
//! `numbering_plans.txt` is libphonenumber's data cut down to what a text message needs, a line for
//! each country calling code: the trunk prefix (`-` for none) and the pattern of its mobile numbers
//! (where mobile numbers cannot be told from others, as in North America, of all). It is some 30 KB
//! in place of the library's 0.5 MB and its milliseconds, and is not looked at for +86 at all.
//!
//! `LATCHKEY_REGENERATE=1 cargo test -p shared numbering` writes it anew, after the library has been
//! updated; the test holds the file to it.

use regex_lite::Regex;

const PLANS: &str = include_str!("numbering_plans.txt");

/// The number without a trunk prefix, if it is a mobile number of the country.
pub(crate) fn mobile(country: u16, national: &str) -> Option<&str> {
    let (prefix, pattern) = plan(country)?;
    // One pattern, compiled for one number: 0.1 ms. Alternatives are all of the same country.
    let mobile = Regex::new(&format!("^(?:{pattern})$")).ok()?;
    let without_prefix = national.strip_prefix(prefix);
    [Some(national), without_prefix]
        .into_iter()
        .flatten()
        .find(|number| mobile.is_match(number))
}

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
    fn the_file_is_what_libphonenumber_says() {
        // A calling code can be shared by regions; a number is looked up by its code alone.
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
            "see the top of this file for how to write it anew"
        );
    }

    #[test]
    fn ten_countries() {
        // Country; mobile numbers; then too short, too long, fixed line.
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
        // In North America nobody can tell by the number.
        assert_eq!(mobile(1, "2015550123"), Some("2015550123"));
        assert_eq!(mobile(1, "12015550123"), Some("2015550123"));
        for invalid in ["201555012", "20155501234", "1015550123"] {
            assert_eq!(mobile(1, invalid), None, "{invalid}");
        }
    }

    #[test]
    fn every_pattern_compiles_and_no_country_is_not_one() {
        for line in PLANS.lines() {
            let country = line.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(mobile(country, "not a number"), None);
        }
        assert_eq!(plan(999), None);
    }
}
