//! One-time codes: derived, never stored.
//!
//! A code is six digits of HMAC-SHA256(key, purpose ‖ phone ‖ user ‖ nonce). A stolen table yields
//! no code without the key, a stolen key none without the table.

use std::fmt;

use aws_lc_rs::constant_time;

use crate::domain::{
    keys::{KeyRing, Use},
    slot::Challenge,
};

const DIGITS: usize = 6;
const CODES: u64 = 10u64.pow(DIGITS as u32);

/// Six digits to be sent, or compared with.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// The code of a challenge in the slot named `slot_key` (purpose, user); `None` when the
    /// ring no longer holds its key.
    pub fn derive(ring: &KeyRing, slot_key: &str, challenge: &Challenge) -> Option<Self> {
        // Both texts are length-prefixed, so that no two inputs concatenate to the same bytes.
        let mut message = Vec::new();
        for text in [slot_key, &challenge.phone.e164()] {
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        message.extend_from_slice(&challenge.nonce.0);
        // A MAC gives four 64-bit numbers; one in 1.8e13 lies in the uneven rest and is passed over.
        for round in 0u8.. {
            message.push(round);
            let tag = ring.mac(&challenge.kid, Use::Code, &message)?;
            let mut numbers = tag.as_ref().chunks_exact(8).map(|eight| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(eight);
                u64::from_be_bytes(bytes)
            });
            if let Some(number) = numbers.find(|n| *n < u64::MAX - u64::MAX % CODES) {
                return Some(Self(format!("{:0DIGITS$}", number % CODES)));
            }
        }
        None
    }

    /// A code that is known beforehand, if it is six digits: a test number's.
    pub fn fixed(digits: &str) -> Option<Self> {
        let is_code = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        is_code.then(|| Self(digits.to_owned()))
    }

    /// The digits, for the message to the user and for nothing else.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, guess: &Guess) -> bool {
        constant_time::verify_slices_are_equal(self.0.as_bytes(), guess.0.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// What a client says the code is: any digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Guess(String);

impl Guess {
    /// Keeps the digits. A short run is filled up with zeros from the left: a client that sends the
    /// code as a JSON number has lost them.
    pub fn parse(text: &str) -> Self {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        Self(format!("{digits:0>DIGITS$}"))
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
            wrong_tries: 0,
            spent: false,
            attributions: Vec::new(),
            decoy: false,
        }
    }

    #[test]
    fn depends_on_slot_nonce_and_key_and_on_nothing_else() {
        let code =
            |slot: &str, kid: &str, nonce| Code::derive(&ring(), slot, &challenge(kid, nonce));
        let one = code("login#+8613800138001", "k1", 1).unwrap();
        assert_eq!(Some(&one), code("login#+8613800138001", "k1", 1).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138002", "k1", 1).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138001", "k1", 2).as_ref());
        assert_ne!(Some(&one), code("login#+8613800138001", "k2", 1).as_ref());
        assert_eq!(None, code("login#+8613800138001", "k3", 1));
    }

    #[test]
    fn codes_are_spread_evenly_over_all_digits_in_all_places() {
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
            // Chi-squared, 9 degrees of freedom: over 40 happens once in 130,000.
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
        for right in ["012345", " 012-345 ", "12345"] {
            assert!(code.matches(&Guess::parse(right)), "{right}");
        }
        for wrong in ["", "012346", "0123450", "112345", "1012345"] {
            assert!(!code.matches(&Guess::parse(wrong)), "{wrong}");
        }
    }

    #[test]
    fn printing_shows_no_digit() {
        let printed = format!("{:?} {:?}", Code("123456".into()), Guess::parse("123456"));
        assert!(!printed.contains("123456"));
    }
}
