//! Passwords: read in the forms clients send them, stored as Argon2id.
//!
//! Clients of this API send the lower-case MD5 of a password, or the password itself; both mean the
//! same password. So what is hashed here is always the MD5 in hex: not for its strength (Argon2id
//! gives that) but because it is the one form that every client can produce.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash as Phc},
};
use md5::{Digest, Md5};

use crate::domain::{error::Error, hex::Hex};

/// A password as clients of every kind can say it: 32 lower-case hex digits of an MD5.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Reads 32 hex digits as an MD5, and 6 to 64 other characters as the password itself.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(Self(text.to_ascii_lowercase()));
        }
        (6..=64)
            .contains(&text.chars().count())
            .then(|| Self::plain(text))
    }

    /// Reads 6 to 15 letters and digits: the password itself, never an MD5 (dialect B).
    pub fn parse_alphanumeric(text: &str) -> Option<Self> {
        let alphanumeric = text.bytes().all(|b| b.is_ascii_alphanumeric());
        (alphanumeric && (6..=15).contains(&text.len())).then(|| Self::plain(text))
    }

    fn plain(text: &str) -> Self {
        Self(Hex(&Md5::digest(text.as_bytes())).to_string())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// An Argon2id hash as a PHC string
/// (<https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Reads a PHC string of Argon2id, made elsewhere over the MD5 in lower-case hex.
    pub fn parse(phc: &str) -> Option<Self> {
        let parsed = Phc::new(phc).ok()?;
        let is_argon2id = parsed.algorithm == Algorithm::Argon2id.ident();
        let is_whole = parsed.hash.is_some() && Params::try_from(&parsed).is_ok();
        (is_argon2id && is_whole).then(|| Self(phc.to_owned()))
    }

    /// A hash that the store has kept. It is not parsed: a damaged one verifies no password.
    pub(crate) fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What hashing costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
pub const DEFAULT_COST: Cost = Cost {
    memory_kib: 19 * 1024,
    passes: 2,
};

/// Hashes and verifies at a cost.
#[derive(Debug, Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
}

impl Hasher {
    /// A hasher of this cost, one lane; `None` when Argon2 has no such parameters.
    pub fn new(cost: Cost) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Some(Self { argon2 })
    }

    /// Hashes with a salt, which must be random and used for no other hash.
    ///
    /// # Errors
    /// [`Error::Internal`] without memory.
    pub fn hash(&self, password: &Password, salt: [u8; 16]) -> Result<PasswordHash, Error> {
        let hash: Result<Phc, _> = self
            .argon2
            .hash_password_with_salt(password.0.as_bytes(), &salt);
        hash.map(|phc| PasswordHash(phc.to_string()))
            .map_err(|error| Error::Internal(format!("password hash: {error}")))
    }

    /// Whether this is the password; at the cost the hash was made with, and at this hasher's cost
    /// when there is no hash: an account without a password takes as long to refuse as one with.
    pub fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> bool {
        let parsed = hash.and_then(|hash| Phc::new(&hash.0).ok());
        match parsed {
            Some(parsed) => self
                .argon2
                .verify_password(password.0.as_bytes(), &parsed)
                .is_ok(),
            None => {
                let _ = self.hash(password, [0; 16]);
                false
            }
        }
    }

    /// Whether a hash was made at another cost and should be made anew.
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let params = Phc::new(&hash.0)
            .ok()
            .and_then(|phc| Params::try_from(&phc).ok());
        params.is_none_or(|params| {
            let own = self.argon2.params();
            (params.m_cost(), params.t_cost(), params.p_cost())
                != (own.m_cost(), own.t_cost(), own.p_cost())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
    };
    const SALT: [u8; 16] = [1; 16];

    #[test]
    fn a_password_and_its_md5_are_the_same_password() {
        let plain = Password::parse("hello1").unwrap();
        let md5 = Password::parse("203AD5FFA1D7C650AD681FDFF3965CD2").unwrap();
        assert_eq!(plain, md5);
        assert_eq!(Password::parse_alphanumeric("hello1"), Some(md5));
    }

    #[test]
    fn six_to_64_characters_of_any_kind() {
        for valid in [
            "026129",
            "密码密码密码",
            &"x".repeat(64),
            "665421e4e5c6a354d8698fa1df103851",
        ] {
            assert!(Password::parse(valid).is_some(), "{valid}");
        }
        for invalid in ["", "12345", &"x".repeat(65)] {
            assert!(Password::parse(invalid).is_none(), "{invalid}");
        }
        for invalid in ["12345", "1234567890123456", "abc 123", "密码密码密码"] {
            assert!(Password::parse_alphanumeric(invalid).is_none(), "{invalid}");
        }
    }

    #[test]
    fn a_hash_is_argon2id_and_verifies_its_password_only() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let (right, wrong) = (
            Password::parse("right1").unwrap(),
            Password::parse("wrong1").unwrap(),
        );
        let hash = hasher.hash(&right, SALT).unwrap();
        assert!(
            hash.0.starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
            "{}",
            hash.0
        );
        assert_ne!(hash, hasher.hash(&right, [2; 16]).unwrap());
        assert!(hasher.verify(&right, Some(&hash)));
        assert!(!hasher.verify(&wrong, Some(&hash)));
        assert!(!hasher.verify(&right, None));
        assert!(!hasher.verify(&right, Some(&PasswordHash("garbage".into()))));
    }

    #[test]
    fn a_hash_of_another_cost_verifies_and_is_outdated() {
        let password = Password::parse("right1").unwrap();
        let old = Hasher::new(CHEAP).unwrap().hash(&password, SALT).unwrap();
        let hasher = Hasher::new(Cost { passes: 2, ..CHEAP }).unwrap();
        assert!(hasher.verify(&password, Some(&old)) && hasher.is_outdated(&old));
        assert!(!hasher.is_outdated(&hasher.hash(&password, SALT).unwrap()));
    }

    #[test]
    fn printing_shows_neither_password_nor_hash() {
        let hash = PasswordHash("$argon2id$secret".into());
        let printed = format!("{:?} {hash:?}", Password::parse("secret").unwrap());
        assert_eq!(printed, "Password(…) PasswordHash(…)");
    }
}
