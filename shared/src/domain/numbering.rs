//! Numbering plans: the form of a mobile number in each region.
//!
//! `numbering_plans.txt` is an extract of libphonenumber's data. It has one line per region: the calling
//! code, the region's ISO 3166 code, its leading digits, the trunk prefix, and the pattern of mobile
//! numbers (`-` for none). Where regions share a calling code, the main region comes first. Satellite
//! networks, whose calling codes belong to no country, are left out. Where mobile and fixed-line numbers
//! have the same form, as in North America, the pattern matches both. The extract has 20 KB; the library
//! has 0.5 MB and takes milliseconds to load. Numbers of +86 are checked without it.
//!
//! A test compares the file with the library. After an update of the library,
//! `LATCHKEY_REGENERATE=1 cargo test -p shared numbering` writes the file.

use regex_lite::Regex;

const PLANS: &str = include_str!("numbering_plans.txt");

/// Where each plan stands in [`PLANS`]. It is compiled in: each start looks up the regions of its configuration, and
/// to look for them in the text would take an eighth of all that a start computes.
const INDEX: [Entry; count_lines(PLANS.as_bytes())] = index(PLANS.as_bytes());

/// A line of [`PLANS`]: its calling code, and where the columns after it start and end.
#[derive(Debug, Clone, Copy)]
struct Entry {
    code: u16,
    start: u16,
    end: u16,
}

const fn count_lines(text: &[u8]) -> usize {
    let (mut lines, mut at) = (0, 0);
    while at < text.len() {
        if text[at] == b'\n' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

const fn index<const LINES: usize>(text: &[u8]) -> [Entry; LINES] {
    assert!(text.len() <= u16::MAX as usize);
    let nowhere = Entry {
        code: 0,
        start: 0,
        end: 0,
    };
    let mut index = [nowhere; LINES];
    let (mut line, mut at) = (0, 0);
    while line < LINES {
        let mut code = 0;
        while text[at] != b' ' {
            code = code * 10 + (text[at] - b'0') as u16;
            at += 1;
        }
        let start = at as u16 + 1;
        while text[at] != b'\n' {
            at += 1;
        }
        let end = at as u16;
        index[line] = Entry { code, start, end };
        line += 1;
        at += 1;
    }
    index
}

/// The numbering plan of one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// The calling code.
    pub(super) code: u16,
    /// The region's ISO code.
    pub(super) region: &'static str,
    /// The columns after the region.
    rest: &'static str,
}

/// All plans. Those of one calling code follow each other, the main region's first.
pub(super) fn plans() -> impl Iterator<Item = Plan> {
    INDEX.iter().filter_map(Entry::plan)
}

/// The plans of a calling code, the main region's first.
pub(super) fn plans_of(code: u16) -> impl Iterator<Item = Plan> {
    let of_code = INDEX.iter().filter(move |entry| entry.code == code);
    of_code.filter_map(Entry::plan)
}

impl Entry {
    /// A region's ISO code has two letters.
    fn plan(&self) -> Option<Plan> {
        let columns = PLANS.get(usize::from(self.start)..usize::from(self.end))?;
        let (region, rest) = columns.split_at_checked(2)?;
        Some(Plan {
            code: self.code,
            region,
            rest: rest.get(1..)?,
        })
    }
}

/// A mobile number of a calling code: the national number without its trunk prefix, and its region.
/// `None` when it is a mobile number of no region there.
pub(super) fn mobile(code: u16, national: &str) -> Option<(&str, &'static str)> {
    let as_it_stands = plans_of(code).map(|plan| (plan, Some(national)));
    let without_prefix = plans_of(code).map(|plan| {
        let prefix = plan.trunk_prefix();
        let number = prefix.and_then(|prefix| national.strip_prefix(prefix));
        (plan, number)
    });
    as_it_stands
        .chain(without_prefix)
        .find_map(|(plan, number)| {
            let number = number?;
            plan.matches(number).then_some((number, plan.region))
        })
}

impl Plan {
    /// A pattern of the digits that all numbers of the region begin with, where that alone tells the
    /// region.
    fn leading(&self) -> Option<&'static str> {
        self.column(0).filter(|leading| *leading != "-")
    }

    fn trunk_prefix(&self) -> Option<&'static str> {
        self.column(1).filter(|prefix| *prefix != "-")
    }

    fn mobile(&self) -> &'static str {
        self.column(2).unwrap_or_default()
    }

    /// A column after the region.
    fn column(&self, nth: usize) -> Option<&'static str> {
        self.rest.splitn(3, ' ').nth(nth)
    }

    /// Whether these digits alone tell the region, as an area code does.
    pub(super) fn is_area(&self, digits: &str) -> bool {
        let all = |leading| Regex::new(&format!("^(?:{leading})$"));
        let leading = self.leading().and_then(|leading| all(leading).ok());
        leading.is_some_and(|leading| leading.is_match(digits))
    }

    fn matches(&self, national: &str) -> bool {
        let begins = |leading: &str| {
            let leading = Regex::new(&format!("^(?:{leading})"));
            leading.is_ok_and(|leading| leading.is_match(national))
        };
        // Compiling a pattern takes 0.1 ms, and +1 has 25. The leading digits leave two or three of them.
        self.leading().is_none_or(begins)
            && Regex::new(&format!("^(?:{})$", self.mobile()))
                .is_ok_and(|mobile| mobile.is_match(national))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use phonenumber::metadata::DATABASE;

    use super::*;

    #[test]
    fn the_file_equals_the_data_of_libphonenumber() {
        let mut lines = BTreeMap::new();
        for region in DATABASE.iter() {
            let Some(mobile) = region.descriptors().mobile() else {
                continue;
            };
            let (code, id) = (region.country_code(), region.id());
            // Not a country. The library has one of the satellite networks only.
            if id == "001" {
                continue;
            }
            let without_blanks = |pattern: &str| pattern.split_whitespace().collect::<String>();
            let leading = region.leading_digits();
            let leading = leading.map(|leading| without_blanks(leading.as_str()));
            let leading = leading.filter(|_| !region.is_main_country_for_code());
            let order = (
                code,
                !region.is_main_country_for_code(),
                leading.is_some(),
                id.to_owned(),
            );
            let line = format!(
                "{code} {id} {} {} {}\n",
                leading.as_deref().unwrap_or("-"),
                region.national_prefix().unwrap_or("-"),
                without_blanks(mobile.national_number().as_str()),
            );
            lines.insert(order, line);
        }
        let expected: String = lines.into_values().collect();
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
    fn each_line_is_a_plan() {
        let plans = plans().map(|plan| format!("{} {} {}", plan.code, plan.region, plan.rest));
        assert!(plans.eq(PLANS.lines()));
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
                    found.is_some_and(|(found, _)| number.ends_with(found)),
                    "+{country} {number}"
                );
            }
            for number in invalid {
                assert_eq!(mobile(country, number), None, "+{country} {number}");
            }
        }
        // In North America, mobile and fixed-line numbers have the same form.
        assert_eq!(mobile(1, "2015550123"), Some(("2015550123", "US")));
        assert_eq!(mobile(1, "12015550123"), Some(("2015550123", "US")));
        for invalid in ["201555012", "20155501234", "1015550123"] {
            assert_eq!(mobile(1, invalid), None, "{invalid}");
        }
    }

    #[test]
    fn a_shared_calling_code_is_told_apart_by_the_number() {
        for (code, number, region) in [
            (1, "2015550123", "US"),
            (1, "4165550123", "CA"),
            (1, "8763010000", "JM"),
            (1, "8092010000", "DO"),
            (1, "2684640000", "AG"),
            (1, "7872345678", "PR"),
            (7, "9123456789", "RU"),
            (7, "7710009998", "KZ"),
            (44, "7400123456", "GB"),
            (44, "7781123456", "GG"),
            (44, "7797712345", "JE"),
            (44, "7624123456", "IM"),
            (47, "41234567", "NO"),
            // Three regions of +61 have one pattern; the main region is meant.
            (61, "412345678", "AU"),
            (262, "692123456", "RE"),
            (262, "639012345", "YT"),
        ] {
            assert_eq!(mobile(code, number), Some((number, region)));
        }
    }

    #[test]
    fn every_pattern_compiles_and_an_unknown_country_has_none() {
        for plan in plans() {
            assert_eq!(mobile(plan.code, "not a number"), None);
            for pattern in plan.leading().into_iter().chain([plan.mobile()]) {
                assert!(Regex::new(pattern).is_ok(), "{plan:?}");
            }
        }
        assert_eq!(plans_of(999).next(), None);
    }
}
