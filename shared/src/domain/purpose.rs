//! What a code is for. A code, a ticket and a slot of one purpose are worth nothing to another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::slot::Policy;

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
