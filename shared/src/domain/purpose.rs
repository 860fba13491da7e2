//! The purposes of a code. A code, a ticket and a slot of one purpose are not valid for another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::slot::Policy;

/// What a code is for. The serialised name is part of slot keys and tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Logging in (dialect A).
    Login,
    /// Creating an account (dialect A).
    Register,
    /// Changing the password, with a session of the account (dialect A).
    ChangePassword,
    /// Replacing a forgotten password; the request names the account by its phone (dialect A).
    ResetPassword,
    /// Replacing a forgotten password; the request names the account by its name (dialect B).
    Recover,
    /// Changing the phone of an account (dialect C).
    ChangePhone,
    /// Logging in, or creating an account if the phone has none (dialect D).
    SignIn,
    /// Deleting the account, in a session of it (dialects A and D).
    Delete,
}

impl Purpose {
    /// All purposes.
    pub const ALL: &[Self] = &[
        Self::Login,
        Self::Register,
        Self::ChangePassword,
        Self::ResetPassword,
        Self::Recover,
        Self::ChangePhone,
        Self::SignIn,
        Self::Delete,
    ];

    /// The name in slot keys, in tickets and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register => "register",
            Self::ChangePassword => "change-password",
            Self::ResetPassword => "reset-password",
            Self::Recover => "recover",
            Self::ChangePhone => "change-phone",
            Self::SignIn => "sign-in",
            Self::Delete => "delete",
        }
    }

    /// The policy of its slots: the cool-down is 120 s in dialect A, 60 s elsewhere.
    pub const fn policy(self) -> Policy {
        match self {
            Self::Login
            | Self::Register
            | Self::ChangePassword
            | Self::ResetPassword
            | Self::Delete => Policy::with_cool_down(Duration::from_secs(120)),
            Self::Recover | Self::ChangePhone => Policy::with_cool_down(Duration::from_secs(60)),
            Self::SignIn => Policy {
                success_ends_cool_down: true,
                ..Policy::with_cool_down(Duration::from_secs(60))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_also_the_serialised_form() {
        for purpose in Purpose::ALL {
            let json = serde_json::to_value(purpose).unwrap();
            assert_eq!(json, purpose.name());
        }
    }

    #[test]
    fn a_cool_down_takes_120_s_in_dialect_a_and_60_s_elsewhere() {
        for purpose in Purpose::ALL {
            let in_dialect_a = !matches!(
                purpose,
                Purpose::Recover | Purpose::ChangePhone | Purpose::SignIn
            );
            let seconds = if in_dialect_a { 120 } else { 60 };
            let policy = Policy {
                success_ends_cool_down: *purpose == Purpose::SignIn,
                ..Policy::with_cool_down(Duration::from_secs(seconds))
            };
            assert_eq!(purpose.policy(), policy, "{purpose:?}");
        }
    }
}
