//! The account.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{password::PasswordHash, phone::Phone, time::UnixMs};

/// An account's number: random, 53 bits, so that a JSON number holds it in every client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u64);

impl Uid {
    /// The number that random bytes give: their first 53 bits, and 1 in place of 0. Whether it is
    /// free, the store decides.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self((u64::from_be_bytes(bytes) >> 11).max(1))
    }
}

/// An account's name: 1 to 64 characters, none of them a control character.
///
/// Unique without regard to case; kept as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name; white space around it does not count.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let valid = (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control);
        valid.then(|| Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case: what has to be unique.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

/// An account as the store keeps it. `Debug` shows nothing personal.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: Uid,
    /// Its name, unique.
    pub name: Name,
    /// May be empty.
    pub email: String,
    /// Its phone, unique; an account may have none.
    pub phone: Option<Phone>,
    /// An account may have none: its owner logs in by SMS.
    pub password: Option<PasswordHash>,
    /// When it was made.
    pub created_at: UnixMs,
    /// From which address.
    pub created_ip: String,
    /// A picture's file name.
    pub icon: String,
    /// Space used, as the apps count it.
    pub space_used: u64,
    /// Space granted, as the apps count it.
    pub space_capacity: u64,
    /// The apps' own kind of account.
    pub kind: i64,
    /// 0 is active; anything else is disabled.
    pub status: i64,
    /// Raised when every older session token shall die.
    pub epoch: u64,
}

impl User {
    /// A new account with what the documents' sample shows of one.
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

    /// Whether it may log in.
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
    fn printing_a_user_shows_nothing_personal() {
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
