//! What a code is for. A code, a ticket and a slot of one purpose are worth nothing to another.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    phone::Phone,
    slot::Policy,
    user::{Name, Uid},
};

/// What a code is for; the serialised name is part of slot keys and tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Logging in (dialect A).
    Login,
    /// Making an account (dialect A).
    Register,
    /// Changing the password of an account one is logged in to (dialect A).
    ChangePassword,
    /// Changing a forgotten password, the account named by its phone (dialect A).
    ResetPassword,
    /// Changing a forgotten password, the account named by its name (dialect B).
    Recover,
    /// Moving an account to another phone (dialect C).
    ChangePhone,
}

impl Purpose {
    /// Each of them.
    pub const ALL: &[Self] = &[
        Self::Login,
        Self::Register,
        Self::ChangePassword,
        Self::ResetPassword,
        Self::Recover,
        Self::ChangePhone,
    ];

    /// The name in slot keys, tickets and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register => "register",
            Self::ChangePassword => "change-password",
            Self::ResetPassword => "reset-password",
            Self::Recover => "recover",
            Self::ChangePhone => "change-phone",
        }
    }

    /// The numbers its slots run with: dialect A resends after 120 s, B and C after 60 s.
    pub const fn policy(self) -> Policy {
        match self {
            Self::Login | Self::Register | Self::ChangePassword | Self::ResetPassword => {
                Policy::with_cool_down(Duration::from_secs(120))
            }
            Self::Recover | Self::ChangePhone => Policy::with_cool_down(Duration::from_secs(60)),
        }
    }
}

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
