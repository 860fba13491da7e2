//! What a code is for. A code, a ticket and a slot of one purpose are worth nothing to another.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{phone::Phone, slot::Policy};

/// What a code is for; the serialised name is part of slot keys and tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Logging in (dialect A).
    Login,
}

impl Purpose {
    /// Each of them.
    pub const ALL: &[Self] = &[Self::Login];

    /// The name in slot keys, tickets and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
        }
    }

    /// The numbers its slots run with.
    pub const fn policy(self) -> Policy {
        match self {
            Self::Login => Policy::with_cool_down(Duration::from_secs(120)),
        }
    }
}

/// The name of a slot, such as `login#+8613800138001`: its key in the table, and part of what its
/// codes are derived from. It holds a phone number, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotKey(String);

impl SlotKey {
    /// The slot of one purpose and one phone.
    pub fn new(purpose: Purpose, phone: &Phone) -> Self {
        Self(format!("{}#{}", purpose.name(), phone.e164()))
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
