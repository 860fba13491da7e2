//! The digits of a text.

/// The ASCII digits of a text, with everything else dropped. A full-width digit (U+FF10 to U+FF19), as
/// Chinese input methods type it, is the same digit.
pub fn digits(text: &str) -> String {
    text.chars().filter_map(digit).collect()
}

/// The ASCII digit that a character is, if it is one.
pub fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{FF10}'..='\u{FF19}' => char::from_digit(u32::from(c) - 0xFF10, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_digits_are_digits_and_no_others_are() {
        assert_eq!(digits("０１２３４５６７８９ 0-9"), "012345678909");
        // The neighbours of the full-width digits, Arabic-Indic and superscript digits.
        assert_eq!(digits("／：٣²x"), "");
    }
}
