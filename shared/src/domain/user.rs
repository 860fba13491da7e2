//! Accounts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{password::PasswordHash, phone::Phone, time::UnixMs};

/// The number of an account: random, of 53 bits, because JavaScript reads a JSON number exactly up to
/// 53 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u64);

impl Uid {
    /// A number from random bytes: their first 53 bits, or 1 for 0. The store checks whether it is
    /// free.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self((u64::from_be_bytes(bytes) >> 11).max(1))
    }
}

/// The name of an account: 1 to 64 characters, none of them a control character. `Debug` hides it.
///
/// It keeps the case in which it was written; uniqueness ignores case ([`Name::folded`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name. White space around it is removed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let valid = (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control);
        valid.then(|| Self(text.to_owned()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in lower case, the form that has to be unique.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

/// An account. `Debug` shows no personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: Uid,
    /// The name, unique.
    pub name: Name,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The phone, unique; `None` when the account has none.
    pub phone: Option<Phone>,
    /// The password; `None` when the account has none and its owner logs in by SMS.
    pub password: Option<PasswordHash>,
    /// When the account was created.
    pub created_at: UnixMs,
    /// The address that the account was created from; may be empty.
    pub created_ip: String,
    /// The file name of a picture.
    pub icon: String,
    /// The space used, in the apps' unit.
    pub space_used: u64,
    /// The space granted, in the apps' unit.
    pub space_capacity: u64,
    /// The kind of account, defined by the apps.
    pub kind: i64,
    /// 0: active. Any other number: disabled.
    pub status: i64,
    /// The epoch of its sessions. Raising it revokes all session tokens of lower epochs.
    pub epoch: u64,
}

impl User {
    /// A new account with the defaults of the sample in the API documents.
    pub fn new(uid: Uid, name: Name, phone: Option<Phone>, created_at: UnixMs) -> Self {
        Self {
            uid,
            name,
            email: String::new(),
            phone,
            password: None,
            created_at,
            created_ip: String::new(),
            icon: "default.jpg".into(),
            space_used: 0,
            space_capacity: 8192,
            kind: 0,
            status: 0,
            epoch: 0,
        }
    }

    /// Whether the account may log in.
    pub fn is_active(&self) -> bool {
        self.status == 0
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("uid", &self.uid)
            .field("phone", &self.phone)
            .field("status", &self.status)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_the_first_53_bits_of_eight_random_bytes_and_never_0() {
        let first_53_bits = [0x80, 0, 0, 0, 0, 0, 0x08, 0];
        assert_eq!(Uid::from_random(first_53_bits), Uid(1 << 52 | 1));
        assert_eq!(Uid::from_random([0xff; 8]), Uid((1 << 53) - 1));
        assert_eq!(Uid::from_random([0, 0, 0, 0, 0, 0, 0x07, 0xff]), Uid(1));
    }

    #[test]
    fn a_name_has_1_to_64_characters_and_no_control_character() {
        let longest = "名".repeat(64);
        for valid in ["x", "Eric the Red", longest.as_str()] {
            assert_eq!(Name::parse(valid).unwrap().as_str(), valid);
        }
        for invalid in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert_eq!(Name::parse(invalid), None, "{invalid}");
        }
        let name = Name::parse(" Éric ").unwrap();
        assert_eq!((name.as_str(), name.folded().as_str()), ("Éric", "éric"));
    }

    #[test]
    fn an_account_is_active_while_its_status_is_0() {
        let mut user = User::new(Uid(5), Name::parse("eric").unwrap(), None, UnixMs(0));
        assert!(user.is_active());
        user.status = -1;
        assert!(!user.is_active());
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let name = Name::parse("eric").unwrap();
        let phone = Phone::from_parts("86", "13800138001");
        let mut user = User::new(Uid(5), name, phone, UnixMs(0));
        user.email = "eric@example.com".into();
        user.created_ip = "192.0.2.1".into();
        user.icon = "eric.jpg".into();
        let printed = format!("{user:?} {:?}", user.name);
        assert_eq!(
            printed,
            "User { uid: Uid(5), phone: Some(+86 *********01), status: 0, epoch: 0, .. } Name(…)"
        );
    }
}
