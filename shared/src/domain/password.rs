//! Passwords: read in the forms that clients send, stored as Argon2id.
//!
//! Some clients send the MD5 of a password, others the password itself. Both mean the same password,
//! so Argon2id is computed over the MD5 in hexadecimal, the one form that both give. The MD5 adds no
//! strength; Argon2id provides it.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash as Phc},
};
use md5::{Digest, Md5};

use crate::domain::{error::Error, hex::Hex};

/// A password, as the 32 lower-case hexadecimal digits of its MD5. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// The most characters of a password.
pub const LONGEST: usize = 64;

impl Password {
    /// Reads 32 hexadecimal digits, white space around them aside, as an MD5, and any other text of 6 to
    /// 64 characters as the password itself. `None` for all else.
    pub fn parse(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        if trimmed.len() == 32 && trimmed.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(Self(trimmed.to_ascii_lowercase()));
        }
        let length = text.chars().count();
        (6..=LONGEST).contains(&length).then(|| Self::plain(text))
    }

    /// Reads 6 to 15 ASCII letters and digits as the password itself (dialect B). `None` for all else,
    /// an MD5 included.
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

/// Why a PHC string is no hash of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHash {
    /// It is not a complete Argon2id hash.
    NotArgon2id,
    /// It is beyond [`is_moderate`].
    Excessive,
}

/// The most memory that a hash may cost, in KiB: 64 MiB. Every attempt at a password costs as much, whoever
/// makes it.
const MAX_MEMORY_KIB: u32 = 64 * 1024;

/// The most passes over the memory that a hash may cost.
const MAX_PASSES: u32 = 10;

/// The most lanes that a hash may have. They are computed one after the other.
const MAX_LANES: u32 = 4;

/// The fewest bytes of a salt and of a hash that prove something (RFC 9106, 3.1, has them at 8 and 4).
const MIN_SALT: usize = 8;
const MIN_OUTPUT: usize = 16;

/// Whether a hash costs no more than we can afford at each attempt, and is long enough.
fn is_moderate(params: &Params, phc: &Phc) -> bool {
    let salt = phc.salt.as_ref().map_or(0, |salt| salt.len());
    let output = phc.hash.as_ref().map_or(0, |hash| hash.len());
    params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES
        && salt >= MIN_SALT
        && output >= MIN_OUTPUT
}

/// An Argon2id hash as a PHC string
/// (<https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>). `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Reads a PHC string that another system computed over the MD5 in lower-case hexadecimal.
    ///
    /// # Errors
    /// [`BadHash`].
    pub fn parse(phc: &str) -> Result<Self, BadHash> {
        let parsed = Phc::new(phc).map_err(|_| BadHash::NotArgon2id)?;
        let params = Params::try_from(&parsed).map_err(|_| BadHash::NotArgon2id)?;
        if parsed.algorithm != Algorithm::Argon2id.ident() || parsed.hash.is_none() {
            return Err(BadHash::NotArgon2id);
        }
        if !is_moderate(&params, &parsed) {
            return Err(BadHash::Excessive);
        }
        Ok(Self(phc.to_owned()))
    }

    /// A hash read from the store. It is not parsed here: a damaged one verifies no password.
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

/// The cost parameters of Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

/// Hashes passwords at one cost and verifies hashes of any cost.
#[derive(Debug, Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
}

impl Hasher {
    /// A hasher of this cost with one lane; `None` when Argon2 does not permit the parameters, or when they
    /// are beyond what a hash may cost.
    pub fn new(cost: Cost) -> Option<Self> {
        if cost.memory_kib > MAX_MEMORY_KIB || cost.passes > MAX_PASSES {
            return None;
        }
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Some(Self { argon2 })
    }

    /// Hashes a password. The salt must be random, and no other hash may have it.
    ///
    /// # Errors
    /// [`Error::Internal`] when Argon2 fails, for example for lack of memory.
    pub fn hash(&self, password: &Password, salt: [u8; 16]) -> Result<PasswordHash, Error> {
        let hash: Result<Phc, _> = self
            .argon2
            .hash_password_with_salt(password.0.as_bytes(), &salt);
        hash.map(|phc| PasswordHash(phc.to_string()))
            .map_err(|error| Error::internal(format!("password hash: {error}")))
    }

    /// Whether this is the password of the hash. `false` without a hash.
    ///
    /// Verifying takes the cost of the hash. Without a hash it takes the cost of this hasher, so the
    /// time does not reveal whether an account has a password. A stored hash that [`PasswordHash::parse`]
    /// would refuse is as none: it is never computed.
    pub fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> bool {
        let hash = hash.filter(|hash| PasswordHash::parse(&hash.0).is_ok());
        let Some(phc) = hash.and_then(|hash| Phc::new(&hash.0).ok()) else {
            let _ = self.hash(password, [0; 16]);
            return false;
        };
        let verified = self.argon2.verify_password(password.0.as_bytes(), &phc);
        verified.is_ok()
    }

    /// Whether a hash has another cost than this hasher, so that it should be replaced.
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let phc = Phc::new(&hash.0).ok();
        let params = phc.and_then(|phc| Params::try_from(&phc).ok());
        params.is_none_or(|params| cost(&params) != cost(self.argon2.params()))
    }
}

/// Memory, passes and lanes.
fn cost(params: &Params) -> (u32, u32, u32) {
    (params.m_cost(), params.t_cost(), params.p_cost())
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
        assert_eq!(Password::parse_alphanumeric("hello1"), Some(md5.clone()));
        let spaced = Password::parse("\t 203ad5ffa1d7c650ad681fdff3965cd2\n");
        assert_eq!(spaced, Some(md5));
        // White space around anything else is part of the password.
        assert_eq!(Password::parse("hello1 "), Some(Password::plain("hello1 ")));
        // 32 characters that are not all hexadecimal digits are a password, not an MD5.
        let no_md5 = "203AD5FFA1D7C650AD681FDFF3965CDx";
        assert_eq!(Password::parse(no_md5), Some(Password::plain(no_md5)));
        // So are hexadecimal digits of another number.
        let short = "203AD5FFA1D7C650AD681FDFF3965CD";
        assert_eq!(Password::parse(short), Some(Password::plain(short)));
    }

    #[test]
    fn a_password_has_6_to_64_characters_and_in_dialect_b_6_to_15() {
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
        for valid in ["abc123", "123456789012345"] {
            assert!(Password::parse_alphanumeric(valid).is_some(), "{valid}");
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
        assert!(hasher.is_outdated(&PasswordHash("garbage".into())));
    }

    #[test]
    fn only_a_complete_argon2id_hash_is_imported() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let password = Password::parse("right1").unwrap();
        let hash = hasher.hash(&password, SALT).unwrap();
        assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash.clone()));
        assert_eq!(PasswordHash::from_stored(hash.as_str().to_owned()), hash);
        let (without_hash, _) = hash.as_str().rsplit_once('$').unwrap();
        let other_algorithm = hash.as_str().replace("argon2id", "argon2i");
        let no_memory = hash.as_str().replace("m=8", "m=0");
        for invalid in [without_hash, &other_algorithm, &no_memory, "garbage", ""] {
            let refused = PasswordHash::parse(invalid);
            assert_eq!(refused, Err(BadHash::NotArgon2id), "{invalid}");
        }
    }

    #[test]
    fn a_hash_that_costs_too_much_or_proves_too_little_is_neither_imported_nor_verified() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let password = Password::parse("right1").unwrap();
        let phc = |memory_kib, passes, lanes, salt: &[u8], length| {
            let params = Params::new(memory_kib, passes, lanes, Some(length)).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash: Phc = argon2
                .hash_password_with_salt(password.0.as_bytes(), salt)
                .unwrap();
            hash.to_string()
        };
        for accepted in [
            phc(65_536, 1, 1, &[1; 16], 32),
            phc(64, 10, 4, &[1; 8], 16),
            phc(8, 1, 1, &[1; 48], 64),
        ] {
            let hash = PasswordHash::parse(&accepted).unwrap();
            assert!(hasher.verify(&password, Some(&hash)), "{accepted}");
        }
        for refused in [
            phc(65_537, 1, 1, &[1; 16], 32),
            phc(8, 11, 1, &[1; 16], 32),
            phc(64, 1, 5, &[1; 16], 32),
            phc(8, 1, 1, &[1; 16], 15),
        ] {
            assert_eq!(PasswordHash::parse(&refused), Err(BadHash::Excessive));
            // It may have been stored before there was this limit. It is the right password's.
            let stored = PasswordHash::from_stored(refused.clone());
            assert!(!hasher.verify(&password, Some(&stored)), "{refused}");
        }
        // A terabyte, which no machine has: refused by its parameters alone.
        let vast = phc(8, 1, 1, &[1; 16], 32).replace("m=8", "m=1073741824");
        assert!(!hasher.verify(&password, Some(&PasswordHash::from_stored(vast))));
    }

    #[test]
    fn our_own_hashes_cost_no_more_than_imported_ones() {
        for (memory_kib, passes, is_one) in [(65_536, 10, true), (65_537, 1, false), (8, 11, false)]
        {
            let cost = Cost { memory_kib, passes };
            assert_eq!(Hasher::new(cost).is_some(), is_one, "{cost:?}");
        }
    }

    #[test]
    fn a_cost_below_the_least_of_argon2_has_no_hasher() {
        let no_passes = Cost { passes: 0, ..CHEAP };
        assert!(Hasher::new(no_passes).is_none());
    }

    #[test]
    fn debug_hides_password_and_hash() {
        let hash = PasswordHash("$argon2id$secret".into());
        let printed = format!("{:?} {hash:?}", Password::parse("secret").unwrap());
        assert_eq!(printed, "Password(…) PasswordHash(…)");
    }
}
