//! One-time codes: derived, never stored.
//!
//! A code is six digits of HMAC-SHA256(key, purpose ‖ phone ‖ user ‖ nonce). The key is in the key
//! ring and the nonce is in the table: a thief of one of them learns no code.

use std::fmt;

use aws_lc_rs::constant_time;

use crate::domain::{
    digits::digits,
    keys::{KeyRing, Use},
    slot::Challenge,
};

const DIGITS: usize = 6;
const CODES: u64 = 10u64.pow(DIGITS as u32);

/// The six digits that are sent to a phone. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// Derives the code of a challenge in the slot with this key; `None` when the challenge's root key
    /// is no longer in the ring.
    pub fn derive(ring: &KeyRing, slot_key: &str, challenge: &Challenge) -> Option<Self> {
        // Each text is prefixed with its length, so that two different inputs give different bytes.
        let mut message = Vec::new();
        for text in [slot_key, &challenge.phone.e164()] {
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        message.extend_from_slice(&challenge.nonce.0);
        // A MAC gives four 64-bit numbers. Those above the largest multiple of CODES would make small
        // codes more likely, so they are skipped: one in 2^64 / CODES, which is 1.8e13.
        for round in 0u8.. {
            message.push(round);
            let tag = ring.mac(&challenge.kid, Use::Code, &message)?;
            let mut numbers = tag.as_ref().chunks_exact(8).map(|eight| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(eight);
                u64::from_be_bytes(bytes)
            });
            if let Some(code) = numbers.find_map(Self::of_uniform) {
                return Some(code);
            }
        }
        None
    }

    /// The code that a uniformly random number gives; `None` for one above the largest multiple of
    /// [`CODES`].
    fn of_uniform(number: u64) -> Option<Self> {
        let usable = number < u64::MAX - u64::MAX % CODES;
        usable.then(|| Self(format!("{:0DIGITS$}", number % CODES)))
    }

    /// The fixed code of a test number; `None` when it is not six digits.
    pub fn fixed(digits: &str) -> Option<Self> {
        let is_code = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        is_code.then(|| Self(digits.to_owned()))
    }

    /// The digits. Use them only for the message to the user.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether a guess is this code. The comparison takes constant time.
    pub fn matches(&self, guess: &Guess) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_bytes(), guess.0.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// The digits that a client sends as the code. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Guess(String);

impl Guess {
    /// Keeps the digits of a text and drops all else. Fewer than six digits are padded with zeros on
    /// the left, because a client that sends the code as a JSON number loses leading zeros. `None` when
    /// there is no digit: such a text is no guess at any code.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = digits(text);
        (!digits.is_empty()).then(|| Self(format!("{digits:0>DIGITS$}")))
    }
}

impl fmt::Debug for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guess(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        phone::Phone,
        slot::{ChallengeId, Nonce},
        time::UnixMs,
    };

    fn ring() -> KeyRing {
        let root = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
        let other = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
        KeyRing::parse(&format!(
            r#"{{"active":"k1","k1":"{root}","k2":"{other}"}}"#
        ))
        .unwrap()
    }

    fn challenge(kid: &str, nonce: u128) -> Challenge {
        Challenge {
            id: ChallengeId([0; 16]),
            nonce: Nonce(nonce.to_be_bytes()),
            kid: kid.into(),
            phone: Phone::from_parts("86", "13800138001").unwrap(),
            first_send: UnixMs(0),
            last_send: UnixMs(0),
            valid_until: UnixMs(0),
            wrong_tries: Default::default(),
            taken_names: 0,
            spent: false,
            attributions: Vec::new(),
            decoy: false,
            newcomer: None,
            mover: None,
        }
    }

    #[test]
    fn a_code_depends_on_slot_nonce_phone_and_key() {
        let ring = ring();
        let code = |slot: &str, kid: &str, nonce| Code::derive(&ring, slot, &challenge(kid, nonce));
        let one = code("login#+8613800138001", "k1", 1).unwrap();
        assert_eq!(Some(&one), code("login#+8613800138001", "k1", 1).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138002", "k1", 1).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138001", "k1", 2).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138001", "k2", 1).as_ref());
        assert_eq!(None, code("login#+8613800138001", "k3", 1));
        let to_another_phone = Challenge {
            phone: Phone::from_parts("86", "13800138002").unwrap(),
            ..challenge("k1", 1)
        };
        let other = Code::derive(&ring, "login#+8613800138001", &to_another_phone);
        assert_ne!(Some(one), other);
    }

    #[test]
    fn a_challenge_has_the_same_code_in_every_version() {
        // A code that was sent before an update is redeemed after it: the derivation must not change.
        let code = |nonce| Code::derive(&ring(), "login#+8613800138001", &challenge("k1", nonce));
        let digits = [1, 2, 3].map(|nonce| code(nonce).unwrap().0);
        assert_eq!(digits, ["096389", "723828", "110214"]);
    }

    #[test]
    fn every_code_has_the_same_number_of_preimages() {
        // 2^64 = 18_446_744_073_709 * 1_000_000 + 551_616
        let first_unusable = 18_446_744_073_709_000_000;
        let code = |number| Code::of_uniform(number).map(|code| code.0);
        assert_eq!(code(0).as_deref(), Some("000000"));
        assert_eq!(code(first_unusable - 1).as_deref(), Some("999999"));
        assert_eq!(code(first_unusable), None);
        assert_eq!(code(u64::MAX), None);
    }

    #[test]
    fn a_fixed_code_is_six_digits() {
        assert_eq!(Code::fixed("012345"), Some(Code("012345".into())));
        for invalid in ["12345", "1234567", "12345a", ""] {
            assert_eq!(Code::fixed(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn all_digits_are_equally_frequent_in_all_places() {
        const N: u32 = 20_000;
        let ring = ring();
        let mut counts = [[0u32; 10]; DIGITS];
        for nonce in 0..N {
            let code = Code::derive(&ring, "s", &challenge("k1", nonce.into())).unwrap();
            for (place, digit) in code.digits().bytes().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        for place in counts {
            // Chi-squared with 9 degrees of freedom exceeds 40 by chance once in 130,000.
            let expected = f64::from(N) / 10.0;
            let chi2: f64 = place
                .iter()
                .map(|n| (f64::from(*n) - expected).powi(2) / expected)
                .sum();
            assert!(chi2 < 40.0, "{place:?}");
        }
    }

    #[test]
    fn a_guess_is_its_digits() {
        let code = Code("012345".into());
        for right in ["012345", " 012-345 ", "12345", "０１２３４５"] {
            assert!(code.matches(&Guess::parse(right).unwrap()), "{right}");
        }
        for wrong in ["0", "012346", "0123450", "112345", "1012345"] {
            assert!(!code.matches(&Guess::parse(wrong).unwrap()), "{wrong}");
        }
        for none in ["", "abc", "验证码"] {
            assert_eq!(Guess::parse(none), None, "{none}");
        }
    }

    #[test]
    fn debug_hides_the_digits() {
        let printed = format!("{:?} {:?}", Code("123456".into()), Guess::parse("123456"));
        assert_eq!(printed, "Code(…) Some(Guess(…))");
    }
}
