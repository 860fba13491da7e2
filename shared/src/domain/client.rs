//! Clients: what a request proves about who asks, and so which limits it draws on.
//!
//! Limits that everybody shares would let strangers keep an owner out. So each account's limits are kept
//! apart: one set for strangers, one for each known address, one for all known sessions. What others do
//! takes nothing from a client that is known.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    client_address::Source,
    keys::{KeyRing, Pseudonym},
    time::UnixMs,
};

/// Who asks, to one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Client {
    /// Anybody.
    Stranger,
    /// Somebody at an address where a code or a password of the account was right lately.
    KnownAddress(Pseudonym),
    /// Somebody with a session of the account.
    KnownSession,
}

impl Client {
    /// What the keys of this client's limits end with. Strangers' end with nothing.
    pub fn suffix(self) -> String {
        match self {
            Self::Stranger => String::new(),
            Self::KnownAddress(address) => format!("#at:{address}"),
            Self::KnownSession => "#session".to_owned(),
        }
    }

    /// Whatever a request from a source may turn out to be, with a session of some account or without.
    pub fn candidates(source: &Source, has_session: bool, keys: &KeyRing) -> Vec<Self> {
        let text = text(source);
        let addresses = keys.pseudonyms(&text).map(Self::KnownAddress);
        let session = has_session.then_some(Self::KnownSession);
        [Self::Stranger]
            .into_iter()
            .chain(addresses)
            .chain(session)
            .collect()
    }

    /// Whether the account knows the client.
    pub fn is_known(self) -> bool {
        self != Self::Stranger
    }

    /// Whether what this client has asked for is kept from `other`, who would replace it. A known client's
    /// is kept from strangers and from other known clients, but a session's owner may replace what was
    /// asked for at a known address.
    pub fn keeps_from(self, other: Self) -> bool {
        let may_replace = match (self, other) {
            (Self::Stranger, _) => true,
            (Self::KnownAddress(_), Self::KnownSession) => true,
            _ => self == other,
        };
        !may_replace
    }
}

/// A value for each client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerClient<T>(Vec<(Client, T)>);

impl<T> Default for PerClient<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + Default> PerClient<T> {
    /// A client's value.
    pub fn get(&self, client: Client) -> Option<&T> {
        let (_, value) = self.0.iter().find(|(of, _)| *of == client)?;
        Some(value)
    }

    /// A client's value, or the default.
    pub fn of(&self, client: Client) -> T {
        self.get(client).cloned().unwrap_or_default()
    }

    /// This with another value for a client.
    pub fn with(&self, client: Client, value: T) -> Self {
        let mut changed = self.without(client);
        changed.0.push((client, value));
        changed
    }

    /// This without a value for a client.
    pub fn without(&self, client: Client) -> Self {
        let others = self.0.iter().filter(|(of, _)| *of != client);
        Self(others.cloned().collect())
    }

    /// This without the values that are of no use.
    pub fn keeping(&self, is_of_use: impl Fn(&T) -> bool) -> Self {
        let of_use = self.0.iter().filter(|(_, value)| is_of_use(value));
        Self(of_use.cloned().collect())
    }

    /// The greater of this and the other value, for each client.
    pub fn most(&self, other: &Self) -> Self
    where
        T: Ord,
    {
        other.0.iter().fold(self.clone(), |most, (client, value)| {
            let value = most.of(*client).max(value.clone());
            most.with(*client, value)
        })
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The most addresses that an account knows.
const MOST: usize = 4;
/// How long an address is known after a right code or password.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How old the last right code or password may be before the next is noted. So a client that comes from
/// one or two addresses every hour costs one write a day for each.
const NOTED: Duration = Duration::from_secs(24 * 60 * 60);

/// An address where a code or a password of the account was right, by its pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The address.
    pub address: Pseudonym,
    /// When the last one was right.
    pub last: UnixMs,
}

/// The addresses that an account knows, latest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KnownAddresses(pub Vec<Known>);

impl KnownAddresses {
    /// Those of an account that has just been made from there.
    pub fn from_here(source: &Source, keys: &KeyRing, now: UnixMs) -> Self {
        Self::default().with(pseudonym(source, keys), now)
    }

    /// The client that a source makes. Of a rotated ring, the pseudonyms of all keys are known.
    pub fn client(&self, source: &Source, keys: &KeyRing, now: UnixMs) -> Client {
        let pseudonyms: Vec<Pseudonym> = keys.pseudonyms(&text(source)).collect();
        let mut valid = self.0.iter().filter(|known| known.last.plus(KNOWN) > now);
        let known = valid.find(|known| pseudonyms.contains(&known.address));
        known.map_or(Client::Stranger, |known| {
            Client::KnownAddress(known.address)
        })
    }

    /// The addresses after a code or a password was right there; `None` when that is noted already.
    pub fn noting(&self, source: &Source, keys: &KeyRing, now: UnixMs) -> Option<Self> {
        let address = pseudonym(source, keys);
        let is_noted = |known: &Known| known.address == address && known.last.plus(NOTED) > now;
        // Further down, other addresses could soon take its place.
        let mut latest = self.0.iter().take(MOST / 2);
        (!latest.any(is_noted)).then(|| self.with(address, now))
    }

    fn with(&self, address: Pseudonym, now: UnixMs) -> Self {
        let newest = Known { address, last: now };
        let others = self.0.iter().filter(|known| known.address != address);
        Self(
            std::iter::once(newest)
                .chain(others.copied())
                .take(MOST)
                .collect(),
        )
    }
}

fn text(source: &Source) -> String {
    format!("address#{}", source.as_str())
}

fn pseudonym(source: &Source, keys: &KeyRing) -> Pseudonym {
    keys.pseudonym(&text(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
    const K2: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn ring(active: &str) -> KeyRing {
        let ring = format!(r#"{{"active":"{active}","k1":"{K1}","k2":"{K2}"}}"#);
        KeyRing::parse(&ring).unwrap()
    }

    fn source(n: u8) -> Source {
        Source::of([192, 0, 2, n].into())
    }

    fn days(n: u64) -> UnixMs {
        UnixMs(NOW.0 + n * DAY_MS)
    }

    #[test]
    fn an_address_is_known_for_thirty_days_from_the_last_right_code() {
        let ring = ring("k1");
        let known = KnownAddresses::from_here(&source(1), &ring, NOW);
        assert!(known.client(&source(1), &ring, NOW).is_known());
        assert_eq!(known.client(&source(2), &ring, NOW), Client::Stranger);
        let almost = UnixMs(days(30).0 - 1);
        assert!(known.client(&source(1), &ring, almost).is_known());
        assert!(!known.client(&source(1), &ring, days(30)).is_known());
        let again = known.noting(&source(1), &ring, days(29)).unwrap();
        assert!(again.client(&source(1), &ring, days(58)).is_known());
        assert_eq!(again.0.len(), 1);
    }

    #[test]
    fn the_latest_four_addresses_are_known_and_one_is_noted_once_a_day() {
        let ring = ring("k1");
        let mut known = KnownAddresses::default();
        for n in 1..=5 {
            known = known.noting(&source(n), &ring, NOW).unwrap();
        }
        for n in 1..=5 {
            let is_known = known.client(&source(n), &ring, NOW).is_known();
            assert_eq!(is_known, n > 1, "{n}");
        }
        let later = UnixMs(NOW.0 + DAY_MS - 1);
        assert_eq!(known.noting(&source(5), &ring, later), None);
        assert_eq!(known.noting(&source(4), &ring, later), None);
        // The last but one is noted again, before two others can take its place.
        let again = known.noting(&source(2), &ring, later).unwrap();
        assert!(again.client(&source(2), &ring, NOW).is_known());
        assert_eq!(again.0.len(), MOST);
        let noted = known.noting(&source(5), &ring, days(1)).unwrap();
        let pseudonym = noted.0[0].address;
        assert_eq!(
            Client::KnownAddress(pseudonym),
            noted.client(&source(5), &ring, NOW)
        );
    }

    #[test]
    fn an_address_stays_known_while_keys_rotate() {
        let known = KnownAddresses::from_here(&source(1), &ring("k1"), NOW);
        let client = known.client(&source(1), &ring("k1"), NOW);
        assert_eq!(known.client(&source(1), &ring("k2"), NOW), client);
    }

    #[test]
    fn a_known_clients_codes_are_kept_from_all_but_itself_and_a_session() {
        let (home, other) = (Pseudonym::default(), ring("k1").pseudonym("other"));
        let (home, other) = (Client::KnownAddress(home), Client::KnownAddress(other));
        let (stranger, session) = (Client::Stranger, Client::KnownSession);
        for (of, from, kept) in [
            (stranger, stranger, false),
            (stranger, home, false),
            (stranger, session, false),
            (home, stranger, true),
            (home, home, false),
            (home, other, true),
            (home, session, false),
            (session, stranger, true),
            (session, home, true),
            (session, session, false),
        ] {
            assert_eq!(of.keeps_from(from), kept, "{of:?} {from:?}");
        }
    }

    #[test]
    fn each_client_has_a_value_of_its_own() {
        let (stranger, session) = (Client::Stranger, Client::KnownSession);
        let values = PerClient::default().with(stranger, 1).with(session, 2);
        let values = values.with(stranger, 3);
        assert_eq!((values.of(stranger), values.get(session)), (3, Some(&2)));
        assert_eq!(values.without(session).of(session), 0);
        let other = PerClient::default().with(stranger, 1).with(session, 4);
        let most = values.most(&other);
        assert_eq!((most.of(stranger), most.of(session)), (3, 4));
        let kept = values.keeping(|n| *n > 2);
        assert_eq!(kept.values().collect::<Vec<_>>(), [&3]);
    }

    #[test]
    fn each_client_has_keys_of_its_own() {
        let ring = ring("k1");
        let known = KnownAddresses::from_here(&source(1), &ring, NOW);
        let address = known.client(&source(1), &ring, NOW);
        assert_eq!(Client::Stranger.suffix(), "");
        assert_eq!(Client::KnownSession.suffix(), "#session");
        let suffix = address.suffix();
        assert!(suffix.starts_with("#at:") && suffix.len() == 20, "{suffix}");
    }
}
