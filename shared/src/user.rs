//! The account.

use serde::{Deserialize, Serialize};

use crate::{phone::Phone, time::UnixMs};

/// An account's number: random, 53 bits, so that a JSON number holds it in every client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u64);

/// An account as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: Uid,
    /// Its name, unique in lower case.
    pub name: String,
    /// May be empty.
    pub email: String,
    /// Its phone, unique; an account may have none.
    pub phone: Option<Phone>,
    /// When it was made.
    pub created_at: UnixMs,
    /// From which address.
    pub created_ip: String,
    /// A picture's file name.
    pub icon: String,
    /// Bytes of storage used, as the apps count them.
    pub space_used: u64,
    /// Bytes of storage granted.
    pub space_capacity: u64,
    /// The apps' own kind of account.
    pub kind: i64,
    /// 0 is active; anything else is disabled.
    pub status: i64,
    /// Raised when every older session token shall die.
    pub epoch: u64,
}

impl User {
    /// Whether it may log in.
    pub fn is_active(&self) -> bool {
        self.status == 0
    }
}
