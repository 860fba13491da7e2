//! Phone numbers as people write them, for all dialects.

use crate::domain::{
    digits::{digit, is_separator},
    error::Error,
    phone::{Phone, ServedRegions},
};

/// What people write before a Chinese number that is to be national.
const CHINA_PREFIXES: [&str; 3] = ["+86", "0086", "86"];

/// Reads a national number of a calling code. A number of 86 may have its calling code before it.
/// Elsewhere it may not: numbers of other countries differ in length, so a mistyped number could become
/// somebody else's.
///
/// # Errors
/// Those of [`Phone::parse`].
pub(super) fn phone(country: &str, national: &str, served: &ServedRegions) -> Result<Phone, Error> {
    match Phone::parse(country, national, served) {
        Err(Error::PhoneInvalid) if country == "86" => {
            let mut prefixes = CHINA_PREFIXES.iter();
            let without = prefixes.find_map(|prefix| national.strip_prefix(prefix));
            Phone::parse(country, without.unwrap_or_default(), served)
        }
        read => read,
    }
}

/// A number without spaces and dashes, and with ASCII digits for full-width ones. All else stays.
pub(super) fn compact(number: &str) -> String {
    let kept = number.chars().filter(|c| !is_separator(*c));
    kept.map(|c| digit(c).unwrap_or(c)).collect()
}

/// Whether a text is nothing but digits and what people write between them.
pub(super) fn is_number(text: &str) -> bool {
    text.chars()
        .all(|c| digit(c).is_some() || is_separator(c) || "+()".contains(c))
}
