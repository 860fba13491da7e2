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

/// A number without spaces, dashes and marks of direction, and with ASCII for full-width digits and a
/// full-width plus. All else stays.
pub(super) fn compact(number: &str) -> String {
    let kept = number.chars().filter(|c| !is_between(*c));
    let ascii = kept.map(|c| match c {
        FULL_WIDTH_PLUS => '+',
        c => digit(c).unwrap_or(c),
    });
    ascii.collect()
}

/// Whether a text is nothing but digits and what people write between them.
pub(super) fn is_number(text: &str) -> bool {
    let is_sign = |c| c == FULL_WIDTH_PLUS || "+()".contains(c);
    text.chars()
        .all(|c| digit(c).is_some() || is_between(c) || is_sign(c))
}

/// Chinese input methods type it beside full-width digits.
const FULL_WIDTH_PLUS: char = '\u{FF0B}';

/// Whether a character may stand between the digits of a number: a separator, or a mark of direction, which
/// telephones put around a number that is copied from their contacts.
fn is_between(c: char) -> bool {
    let is_mark =
        matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    is_separator(c) || is_mark
}
