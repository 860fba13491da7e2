//! Accounts.

use std::{
    fmt,
    num::{NonZeroI32, NonZeroU32},
};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

pub use crate::domain::name::Name;
use crate::domain::{
    metadata::Metadata,
    password::PasswordHash,
    phone::Phone,
    session::{Held, SessionId, Sessions},
    time::UnixMs,
};

/// The number of an account. Those drawn here are random and fit 31 bits, because a published client
/// reads an Int32; imported accounts keep theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u64);

impl Uid {
    /// A number from random bytes, from 1 to `largest`. The store checks whether it is free.
    pub fn from_random(bytes: [u8; 8], largest: NonZeroU32) -> Self {
        Self(1 + u64::from_be_bytes(bytes) % u64::from(largest.get()))
    }
}

/// What an account is called in the tokens that others check: a random UUID (RFC 9562, version 4), made with
/// the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Uuid);

impl AccountId {
    /// An id from random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl AccountId {
    /// The id of the account's identity, which is its phone: a UUID that follows from the account's (RFC 9562,
    /// version 8).
    pub fn identity(self) -> impl fmt::Display {
        let hash = digest::digest(&digest::SHA256, self.0.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_ref()[..16]);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// In lower case, with hyphens.
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// From what numbers and names are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// The largest number of an account.
    pub largest_uid: NonZeroU32,
    /// How many characters a name has.
    pub name_length: usize,
}

impl Draws {
    /// Numbers up to 2^31 - 1; names of 16 characters.
    pub const USUAL: Self = Self {
        largest_uid: NonZeroI32::MAX.unsigned_abs(),
        name_length: 16,
    };
}

/// A change of an account's phone whose code has not been presented yet (dialect D).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// The new phone.
    pub to: Phone,
    /// The session that asked for it. With it the change ends.
    pub session: SessionId,
    /// When the code was last sent.
    pub sent: UnixMs,
    /// When the code expires.
    pub until: UnixMs,
}

/// An account. `Debug` shows no personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: Uid,
    /// The id.
    pub id: AccountId,
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
    /// Its sessions.
    pub sessions: Sessions,
    /// What apps keep with it.
    pub metadata: Metadata,
    /// When its password was set last; `None` if it has the one it was made with, or none.
    pub password_set_at: Option<UnixMs>,
    /// When it moved to its phone; `None` if it was made with it.
    pub moved_at: Option<UnixMs>,
    /// The last change of its phone that was asked for, until it is made or a new password ends it.
    pub moving: Option<Moving>,
}

impl User {
    /// A new account with the defaults of the sample in the API documents.
    pub fn new(
        uid: Uid,
        id: AccountId,
        name: Name,
        phone: Option<Phone>,
        created_at: UnixMs,
    ) -> Self {
        Self {
            uid,
            id,
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
            sessions: Sessions::default(),
            metadata: Metadata::default(),
            password_set_at: None,
            moved_at: None,
            moving: None,
        }
    }

    /// Whether the account may log in.
    pub fn is_active(&self) -> bool {
        self.status == 0
    }

    /// The change of its phone that is open: its session goes on. Whether the code is still good, its slot
    /// says.
    pub fn open_move(&self) -> Option<&Moving> {
        let moving = self.moving.as_ref();
        moving.filter(|moving| self.sessions.get(moving.session).is_some())
    }

    /// The session, if tokens of it that were made at this epoch are good.
    pub fn honours(&self, session: SessionId, epoch: u64) -> Option<&Held> {
        let held = self.sessions.get(session);
        held.filter(|_| self.epoch == epoch)
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
    use crate::domain::session::Method;

    fn eric(phone: Option<Phone>) -> User {
        let (id, name) = (
            AccountId::from_random([5; 16]),
            Name::parse("eric").unwrap(),
        );
        User::new(Uid(5), id, name, phone, UnixMs(0))
    }

    #[test]
    fn a_drawn_uid_fits_31_bits_and_is_never_0() {
        let largest = Draws::USUAL.largest_uid;
        let drawn = |number: u64| Uid::from_random(number.to_be_bytes(), largest).0;
        assert_eq!(drawn(0), 1);
        assert_eq!(drawn((1 << 31) - 2), (1 << 31) - 1);
        assert_eq!(drawn((1 << 31) - 1), 1);
        assert!((1..1 << 31).contains(&drawn(u64::MAX)));
        let three = NonZeroU32::new(3).unwrap();
        let all = [0, 1, 2, 3].map(|number: u64| Uid::from_random(number.to_be_bytes(), three).0);
        assert_eq!(all, [1, 2, 3, 1]);
    }

    #[test]
    fn an_account_is_active_while_its_status_is_0() {
        let mut user = eric(None);
        assert!(user.is_active());
        user.status = -1;
        assert!(!user.is_active());
    }

    #[test]
    fn an_account_honours_the_sessions_that_it_holds_at_its_epoch() {
        let [session, other] = [1, 2].map(|n| SessionId::from_random([n; 16]));
        let mut user = eric(None);
        user.epoch = 3;
        assert_eq!(user.honours(session, 3), None);
        let held = Held::beginning(Method::Otp, UnixMs(0));
        user.sessions = Sessions::only(session, held);
        assert_eq!(user.honours(session, 3), Some(&held));
        assert_eq!(user.honours(other, 3), None);
        assert_eq!(user.honours(session, 2), None);
    }

    #[test]
    fn an_id_is_a_version_4_uuid_in_lower_case() {
        let id = AccountId::from_random([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let mut user = eric(Phone::from_parts("86", "13800138001"));
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
