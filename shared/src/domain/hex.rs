//! Bytes as lower-case hexadecimal digits.

use std::fmt;

/// Displays bytes as two lower-case hexadecimal digits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_lower_case_digits() {
        assert_eq!(Hex(&[0x00, 0x0a, 0xf0, 0xff]).to_string(), "000af0ff");
        assert_eq!(Hex(&[]).to_string(), "");
    }
}
