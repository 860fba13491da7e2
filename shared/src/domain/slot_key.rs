//! The name of a slot, and the pseudonym it has in the count of a source.

use std::fmt;

use crate::domain::{
    keys::KeyRing,
    phone::Phone,
    purpose::Purpose,
    user::{Name, Uid},
};

/// The name of a slot: its key in the table, and part of what its codes are derived from. It is made
/// of what a request names before anything has been read. It can hold a phone number, so it is not
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotKey(String);

impl SlotKey {
    /// Logging in by this phone: `login#+8613800138001`.
    pub fn login(phone: &Phone) -> Self {
        Self::of(Purpose::Login, &phone.e164())
    }

    /// Making an account with this phone.
    pub fn register(phone: &Phone) -> Self {
        Self::of(Purpose::Register, &phone.e164())
    }

    /// Changing the password of the account that is logged in.
    pub fn change_password(uid: Uid) -> Self {
        Self::of(Purpose::ChangePassword, &uid.0.to_string())
    }

    /// Changing the forgotten password of the account with this phone.
    pub fn reset_password(phone: &Phone) -> Self {
        Self::of(Purpose::ResetPassword, &phone.e164())
    }

    /// Changing the forgotten password of the account with this name.
    pub fn recover(name: &Name) -> Self {
        Self::of(Purpose::Recover, &name.folded())
    }

    /// Moving this account to this phone.
    pub fn change_phone(uid: Uid, phone: &Phone) -> Self {
        Self::of(Purpose::ChangePhone, &format!("{}#{}", uid.0, phone.e164()))
    }

    fn of(purpose: Purpose, whose: &str) -> Self {
        Self(format!("{}#{whose}", purpose.name()))
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotKey(…)")
    }
}

/// Stands for the slot that a send is for, in the count of its source: so that a code that is used
/// takes off what was asked for it, and the count tells nobody whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// How many there are. A tag is below this number.
    pub const COUNT: u64 = 4096;

    /// The tag of a slot.
    pub fn of(slot: &SlotKey, keys: &KeyRing) -> Self {
        Self(keys.pseudonym(slot.as_str()).number() % Self::COUNT)
    }

    /// As stored.
    pub fn number(self) -> u64 {
        self.0
    }
}
