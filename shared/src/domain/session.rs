//! The sessions that an account holds: one for each login on one device.

use std::{collections::BTreeMap, fmt, time::Duration};

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

    /// An id from the store. `None` unless it is a UUID.
    pub fn from_stored(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
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

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// How long a session lasts without use: each token is valid as long.
    pub idle: Duration,
    /// How long it lasts in all, however much it is used.
    pub total: Duration,
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
    /// The last renewal of its refresh token, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// A renewal of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The count in the token that was given: the newest one.
    pub count: u64,
    /// The count in the token that it was given for.
    pub parent: u64,
    /// When.
    #[serde(rename = "at_ms")]
    pub at: UnixMs,
}

/// What a refresh token that is presented comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// It is renewed.
    Renewed(Renewal),
    /// The answer to its renewal may have been lost, or was given to another window of the same client: the
    /// newest token is given once more.
    Repeated,
    /// It had been renewed, and the new one used: two clients have tokens of the session, and one of them is no
    /// owner. The session ends.
    Reused,
}

/// For so long after a renewal the token that was renewed is taken once more without another renewal.
pub const REPEATED_FOR: Duration = Duration::from_secs(60);

impl Held {
    /// A session that begins.
    pub fn beginning(method: Method, now: UnixMs) -> Self {
        Self {
            method,
            began: UnixMs(now.as_secs() * 1000),
            used_day: now.day(),
            renewal: None,
        }
    }

    /// The count in the newest refresh token.
    pub fn count(&self) -> u64 {
        self.renewal.map_or(0, |renewal| renewal.count)
    }

    /// What a refresh token with this count comes to at `now`.
    pub fn refresh(&self, count: u64, now: UnixMs) -> Refresh {
        let newest = self.count();
        let renewed = Refresh::Renewed(Renewal {
            count: newest + 1,
            parent: count,
            at: now,
        });
        if count == newest {
            return renewed;
        }
        match self.renewal.filter(|renewal| renewal.parent == count) {
            Some(renewal) if now < renewal.at.plus(REPEATED_FOR) => Refresh::Repeated,
            // The newest one never arrived. From now on it is an old one.
            Some(_) => renewed,
            None => Refresh::Reused,
        }
    }

    /// Whether it has ended by itself, unused or too old.
    pub fn has_ended(&self, life: &SessionLife, now: UnixMs) -> bool {
        let idle_days = UnixMs::default().plus(life.idle).day();
        now.day() > self.used_day + idle_days || now >= self.began.plus(life.total)
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

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&SessionId, &Held)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the latest of them began.
    pub fn latest(&self) -> Option<UnixMs> {
        self.0.values().map(|held| held.began).max()
    }

    /// The session that has to end so that a new one can begin: the least recently used, if there are as many
    /// as there may be. Of several that were used last on the same day the oldest ends; of equally old ones
    /// the one that is nearest to the new id, so that logins at the same time end different ones. `spared` does
    /// not end.
    pub fn ending_for(&self, new: SessionId, spared: Option<SessionId>) -> Option<SessionId> {
        if self.0.len() < MOST_SESSIONS {
            return None;
        }
        let others = self.0.iter().filter(|(id, _)| Some(**id) != spared);
        let least = others.min_by_key(|(id, held)| {
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
            renewal: None,
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

    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    /// What a client with this refresh token gets at `now`, if the session goes on.
    fn refreshed(held: &mut Held, count: u64, now: UnixMs) -> Option<u64> {
        match held.refresh(count, now) {
            Refresh::Renewed(renewal) => held.renewal = Some(renewal),
            Refresh::Repeated => {}
            Refresh::Reused => return None,
        }
        Some(held.count())
    }

    #[test]
    fn a_token_that_was_renewed_gives_the_newest_once_more_for_a_minute() {
        let mut held = Held::beginning(Method::Otp, NOW);
        assert_eq!(refreshed(&mut held, 0, NOW), Some(1));
        let renewed = held;
        let end = NOW.plus(REPEATED_FOR);
        assert_eq!(refreshed(&mut held, 0, UnixMs(end.0 - 1)), Some(1));
        assert_eq!(held, renewed, "nothing is written");
        assert_eq!(refreshed(&mut held, 0, end), Some(2));
        assert_eq!(refreshed(&mut held.clone(), 1, end), None, "skipped");
        assert_eq!(refreshed(&mut held, 2, end), Some(3));
        assert_eq!(refreshed(&mut held, 0, end), None, "too old");
        assert_eq!(refreshed(&mut held, 4, end), None, "never given");
    }

    #[test]
    fn a_stolen_token_used_in_turns_with_its_owner_ends_the_session() {
        for order in 0..1_u32 << 10 {
            let mut held = Held::beginning(Method::Otp, NOW);
            let (mut tokens, mut now, mut lives) = ([0, 0], NOW, true);
            let mut turns: Vec<usize> = Vec::new();
            for step in 0..10 {
                now = now.plus(REPEATED_FOR);
                let who = (order >> step & 1) as usize;
                match refreshed(&mut held, tokens[who], now) {
                    Some(token) => tokens[who] = token,
                    None => {
                        lives = false;
                        break;
                    }
                }
                if turns.last() != Some(&who) {
                    turns.push(who);
                }
            }
            // Each of them comes back to the other's token at most once.
            assert!(!lives || turns.len() <= 2, "{order:010b}");
        }
    }

    #[test]
    fn a_session_ends_unused_or_too_old() {
        let days = |days: u64| UnixMs(days * 24 * 60 * 60 * 1000);
        let life = SessionLife {
            idle: days(30).after(UnixMs(0)),
            total: days(180).after(UnixMs(0)),
        };
        let mut held = Held::beginning(Method::Otp, days(20_000));
        assert!(!held.has_ended(&life, UnixMs(days(20_031).0 - 1)));
        assert!(held.has_ended(&life, days(20_031)));
        held.used_day = 20_179;
        assert!(!held.has_ended(&life, UnixMs(days(20_180).0 - 1)));
        assert!(held.has_ended(&life, days(20_180)));
    }

    #[test]
    fn no_session_ends_while_there_are_fewer_than_twenty() {
        let nineteen = (0..19).map(|n| (id(n), held(1, 1))).collect();
        assert_eq!(Sessions(nineteen).ending_for(id(99), None), None);
    }

    #[test]
    fn a_session_that_is_spared_does_not_end() {
        let twenty: BTreeMap<_, _> = (0..20).map(|n| (id(n), held(1, u64::from(n)))).collect();
        let twenty = Sessions(twenty);
        assert_eq!(twenty.ending_for(id(99), None), Some(id(0)));
        assert_eq!(twenty.ending_for(id(99), Some(id(0))), Some(id(1)));
        assert_eq!(twenty.ending_for(id(99), Some(id(7))), Some(id(0)));
    }

    #[test]
    fn sessions_of_one_day_and_second_end_by_their_distance() {
        let twenty = Sessions((0..20).map(|n| (id(n), held(1, 1))).collect());
        assert_ne!(
            twenty.ending_for(id(64), None),
            twenty.ending_for(id(255), None)
        );
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
            let ending = sessions.ending_for(SessionId::from_random(new), None).unwrap();
            let ends = sessions.get(ending).unwrap();
            for (used, began) in days {
                prop_assert!((ends.used_day, ends.began) <= (used, UnixMs(began * 1000)));
            }
        }
    }
}
