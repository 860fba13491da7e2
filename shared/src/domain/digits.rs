//! The digits of a text, and what people write between them.

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

/// Whether a character may stand between the digits of a number: white space, and the dashes of Unicode
/// that telephones and input methods write.
pub fn is_separator(c: char) -> bool {
    let is_dash = matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}');
    is_dash || c.is_whitespace()
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
