//! The sessions that an account holds: one for each login on one device.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::time::UnixMs;

/// The id of a session, a random UUID (RFC 9562, version 4). It stays when the session's token is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl SessionId {
    /// An id from random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(bytes).into_uuid())
    }

    fn distance(self, to: Self) -> u128 {
        self.0.as_u128() ^ to.0.as_u128()
    }
}

/// In lower case, with hyphens.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// With a code.
    Otp,
    /// With a password.
    Password,
}

/// What an account knows of a session that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When it began: with the login, at a whole second.
    #[serde(rename = "began_ms")]
    pub began: UnixMs,
    /// How it began.
    pub method: Method,
    /// The day of its last use, in days since 1970.
    pub used_day: u64,
}

impl Held {
    /// A session that begins.
    pub fn beginning(method: Method, now: UnixMs) -> Self {
        Self {
            method,
            began: UnixMs(now.as_secs() * 1000),
            used_day: now.day(),
        }
    }
}

/// How many sessions an account holds at most.
pub const MOST_SESSIONS: usize = 20;

/// The sessions that an account holds. A session that is not among them is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sessions(BTreeMap<SessionId, Held>);

impl Sessions {
    /// A session alone.
    pub fn only(id: SessionId, held: Held) -> Self {
        Self(BTreeMap::from([(id, held)]))
    }

    /// This session alone, used at `now`.
    pub fn alone(&self, id: SessionId, now: UnixMs) -> Self {
        let held = self.get(id).map(|held| Held {
            used_day: now.day(),
            ..*held
        });
        Self(held.into_iter().map(|held| (id, held)).collect())
    }

    /// A session, if the account holds it.
    pub fn get(&self, id: SessionId) -> Option<&Held> {
        self.0.get(&id)
    }

    /// The session that has to end so that a new one can begin: the least recently used, if there are as many
    /// as there may be. Of several that were used last on the same day the oldest ends; of equally old ones
    /// the one that is nearest to the new id, so that logins at the same time end different ones.
    pub fn ending_for(&self, new: SessionId) -> Option<SessionId> {
        if self.0.len() < MOST_SESSIONS {
            return None;
        }
        let least = self.0.iter().min_by_key(|(id, held)| {
            let distance = id.distance(new);
            (held.used_day, held.began, distance)
        });
        least.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> SessionId {
        SessionId::from_random([n; 16])
    }

    fn held(began_secs: u64, used_day: u64) -> Held {
        Held {
            began: UnixMs(began_secs * 1000),
            method: Method::Otp,
            used_day,
        }
    }

    #[test]
    fn an_id_is_a_version_4_uuid_in_lower_case() {
        let id = SessionId::from_random([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, r#""ffffffff-ffff-4fff-bfff-ffffffffffff""#);
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
    }

    #[test]
    fn a_session_begins_at_a_whole_second_of_its_day() {
        let held = Held::beginning(Method::Otp, UnixMs(20_000 * 86_400_000 - 1));
        assert_eq!(held.began, UnixMs(20_000 * 86_400_000 - 1000));
        assert_eq!(held.used_day, 19_999);
    }

    #[test]
    fn no_session_ends_while_there_are_fewer_than_twenty() {
        let nineteen = (0..19).map(|n| (id(n), held(1, 1))).collect();
        assert_eq!(Sessions(nineteen).ending_for(id(99)), None);
    }

    #[test]
    fn sessions_of_one_day_and_second_end_by_their_distance() {
        let twenty = Sessions((0..20).map(|n| (id(n), held(1, 1))).collect());
        assert_ne!(twenty.ending_for(id(64)), twenty.ending_for(id(255)));
    }

    proptest! {
        #[test]
        fn the_least_recently_used_session_ends(
            days in prop::collection::vec((0..5_u64, 0..5_u64), MOST_SESSIONS),
            new: [u8; 16],
        ) {
            let numbered = days.iter().zip(0_u8..);
            let numbered = numbered.map(|((used, began), n)| (id(n), held(*began, *used)));
            let sessions = Sessions(numbered.collect());
            let ending = sessions.ending_for(SessionId::from_random(new)).unwrap();
            let ends = sessions.get(ending).unwrap();
            for (used, began) in days {
                prop_assert!((ends.used_day, ends.began) <= (used, UnixMs(began * 1000)));
            }
        }
    }
}
