//! The key ring: root keys by id, one of them active, and a sub-key per root key and use.
//!
//! Codes and tokens are made with the active key, and name the key they were made with. So keys are
//! rotated with overlap, each step in a deployment of its own, because functions of two deployments work
//! side by side: add a key; make it active; remove the old one when everything that was made with it has
//! expired.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::domain::hex::Hex;

/// The shortest root key: as long as the output of HMAC-SHA256.
const MIN_KEY_BYTES: usize = 32;

/// What a sub-key is used for. Each use has its own sub-key, so a token made for one use has no valid
/// signature for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Deriving one-time codes.
    Code,
    /// Signing session tokens.
    Session,
    /// Signing phoneInfo tickets.
    PhoneInfo,
    /// Signing refresh tokens.
    Refresh,
    /// Masking account numbers in tickets.
    Account,
    /// Making pseudonyms.
    Pseudonym,
}

impl Use {
    /// The number of uses.
    const COUNT: usize = Self::Pseudonym as usize + 1;

    /// The `info` of HKDF (RFC 5869). A changed label changes every sub-key, so labels stay.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Code => b"latchkey/1/code",
            Self::Session => b"latchkey/1/session",
            Self::PhoneInfo => b"latchkey/1/phone-info",
            Self::Refresh => b"latchkey/1/refresh",
            Self::Account => b"latchkey/1/account",
            Self::Pseudonym => b"latchkey/1/log-hash",
        }
    }
}

/// The root keys, and which of them are used for what is new. `Debug` shows ids only.
pub struct KeyRing {
    active: String,
    /// The id of the key that pseudonyms are made with.
    pseudonyms: String,
    roots: BTreeMap<String, Root>,
}

struct Root {
    key: hkdf::Prk,
    /// The sub-keys that have been derived so far, by use.
    subkeys: [OnceLock<[u8; 32]>; Use::COUNT],
}

impl Root {
    fn new(bytes: &[u8]) -> Self {
        Self {
            key: hkdf::Salt::new(hkdf::HKDF_SHA256, b"latchkey").extract(bytes),
            subkeys: Default::default(),
        }
    }
}

#[derive(Deserialize)]
struct Wire {
    active: String,
    pseudonyms: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(flatten)]
    beside: BTreeMap<String, String>,
}

impl KeyRing {
    /// Reads `KEY_RING`: `{"active":"k1","keys":{"k1":"<base64, 32 bytes or more>"}}`. The keys may
    /// also stand beside `active`: Secrets Manager can generate that form by itself. `pseudonyms` names
    /// the key that pseudonyms are made with; without it that is the active one.
    ///
    /// # Errors
    /// A sentence that says what is wrong and contains no key.
    pub fn parse(json: &str) -> Result<Self, String> {
        let wire: Wire = serde_json::from_str(json).map_err(|_| {
            r#"not of the form {"active":"k1","keys":{"k1":"<base64>"}}"#.to_owned()
        })?;
        let mut roots = BTreeMap::new();
        for (kid, encoded) in wire.keys.into_iter().chain(wire.beside) {
            let bytes = BASE64_STANDARD
                .decode(encoded)
                .map_err(|_| format!("key {kid} is not base64"))?;
            if bytes.len() < MIN_KEY_BYTES {
                return Err(format!("key {kid} is shorter than {MIN_KEY_BYTES} bytes"));
            }
            roots.insert(kid, Root::new(&bytes));
        }
        let pseudonyms = wire.pseudonyms.unwrap_or_else(|| wire.active.clone());
        for (role, kid) in [
            ("active key", &wire.active),
            ("pseudonyms' key", &pseudonyms),
        ] {
            if !roots.contains_key(kid) {
                return Err(format!("the {role} {kid} is not among the keys"));
            }
        }
        Ok(Self {
            active: wire.active,
            pseudonyms,
            roots,
        })
    }

    /// A ring for a function that knows no secret: nothing that it could make is good anywhere else.
    pub fn of_nobody(random: &[u8; MIN_KEY_BYTES]) -> Self {
        let nobody = "none".to_owned();
        let root = Root::new(random);
        Self {
            active: nobody.clone(),
            pseudonyms: nobody.clone(),
            roots: BTreeMap::from([(nobody, root)]),
        }
    }

    /// The id of the key that new codes and tokens are made with.
    pub fn active(&self) -> &str {
        &self.active
    }

    /// Whether the ring has this key, so that what was made with it can be read.
    pub fn has(&self, kid: &str) -> bool {
        self.roots.contains_key(kid)
    }

    /// The sub-key for one use of the active key.
    pub fn active_subkey(&self, usage: Use) -> [u8; 32] {
        // `parse` refuses a ring without its active key.
        self.roots[&self.active].subkey(usage)
    }

    /// The sub-key for one use of the key `kid`; `None` when the ring has no such key.
    pub fn subkey(&self, kid: &str, usage: Use) -> Option<[u8; 32]> {
        Some(self.roots.get(kid)?.subkey(usage))
    }

    /// HMAC-SHA256 under the sub-key for one use of the key `kid`; `None` when the ring has no such
    /// key.
    pub fn mac(&self, kid: &str, usage: Use, message: &[u8]) -> Option<hmac::Tag> {
        Some(sign(&self.subkey(kid, usage)?, message))
    }

    /// The pseudonym of a text.
    pub fn pseudonym(&self, text: &str) -> Pseudonym {
        // `parse` refuses a ring without this key.
        self.roots[&self.pseudonyms].pseudonym(text)
    }

    /// The pseudonyms that a text has, or had, under each key of the ring.
    pub fn pseudonyms(&self, text: &str) -> impl Iterator<Item = Pseudonym> {
        self.roots.values().map(move |root| root.pseudonym(text))
    }
}

fn sign(subkey: &[u8; 32], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, subkey), message)
}

/// The first 64 bits of an HMAC-SHA256.
pub(super) fn first_64_bits(mac: &hmac::Tag) -> u64 {
    let mut first_eight = [0; 8];
    first_eight.copy_from_slice(&mac.as_ref()[..8]);
    u64::from_be_bytes(first_eight)
}

impl Root {
    fn pseudonym(&self, text: &str) -> Pseudonym {
        let mac = sign(&self.subkey(Use::Pseudonym), text.as_bytes());
        Pseudonym(first_64_bits(&mac))
    }

    fn subkey(&self, usage: Use) -> [u8; 32] {
        *self.subkeys[usage as usize].get_or_init(|| {
            let info = [usage.label()];
            let mut subkey = [0; 32];
            let output = self.key.expand(&info, hkdf::HKDF_SHA256);
            output
                .and_then(|output| output.fill(&mut subkey))
                .expect("HKDF-SHA256 gives 32 bytes");
            subkey
        })
    }
}

/// A number that stands for a personal text (a phone, a slot, a name): the first 64 bits of
/// HMAC-SHA256 under a sub-key of the root key that the ring names for pseudonyms. It is printed as 16
/// hexadecimal digits.
///
/// The same text has the same pseudonym as long as that key stays the same, so log lines and counters of
/// one phone can be connected. Only a holder of the root key can compute it from the text.
///
/// So functions with different rings agree on pseudonyms while another key is added and activated.
/// They change when the ring names another key for them, at the end of a rotation. A log search then
/// needs one pseudonym per key; counters that are kept under a pseudonym (wrong passwords for unknown
/// accounts, the tags in a source's list) start again at zero; a decoy account gets another uid.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Pseudonym(u64);

impl Pseudonym {
    /// The 64 bits.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0.to_be_bytes()).fmt(f)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.roots.keys().collect();
        write!(f, "KeyRing {{ active: {}, keys: {kids:?} }}", self.active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

    const K2: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

    fn ring(active: &str) -> KeyRing {
        KeyRing::parse(&format!(
            r#"{{"active":"{active}","k1":"{K1}","k2":"{K2}"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn both_forms_give_the_same_ring() {
        let nested =
            KeyRing::parse(&format!(r#"{{"active":"k1","keys":{{"k1":"{K1}"}}}}"#)).unwrap();
        let flat = KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{K1}"}}"#)).unwrap();
        assert_eq!(nested.subkey("k1", Use::Code), flat.subkey("k1", Use::Code));
        assert!(nested.has("k1") && !nested.has("k2"));
    }

    #[test]
    fn each_use_has_its_own_key() {
        let ring = ring("k1");
        let uses = [
            Use::Code,
            Use::Session,
            Use::PhoneInfo,
            Use::Refresh,
            Use::Account,
            Use::Pseudonym,
        ];
        let keys = uses.map(|usage| ring.subkey("k1", usage).unwrap());
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[n + 1..].contains(key));
        }
        assert_eq!(uses.map(|usage| ring.subkey("k1", usage).unwrap()), keys);
    }

    #[test]
    fn a_complaint_names_the_fault_and_not_the_key() {
        for (ring, complaint) in [
            ("{}", "not of the form"),
            (
                r#"{"active":"k1"}"#,
                "the active key k1 is not among the keys",
            ),
            (
                r#"{"active":"k1","k1":"c2hvcnQ="}"#,
                "key k1 is shorter than 32 bytes",
            ),
            (r#"{"active":"k1","k1":"@@"}"#, "key k1 is not base64"),
        ] {
            let error = KeyRing::parse(ring).unwrap_err();
            assert!(error.starts_with(complaint), "{error}");
        }
        let one_byte_short = BASE64_STANDARD.encode([7; MIN_KEY_BYTES - 1]);
        let ring = format!(r#"{{"active":"k1","k1":"{one_byte_short}"}}"#);
        assert!(KeyRing::parse(&ring).is_err());
    }

    #[test]
    fn sub_keys_and_macs_belong_to_the_key_they_are_asked_of() {
        let ring = ring("k2");
        assert_eq!(ring.active(), "k2");
        let active = ring.active_subkey(Use::Code);
        assert_eq!(Some(active), ring.subkey("k2", Use::Code));
        assert_ne!(Some(active), ring.subkey("k1", Use::Code));
        assert_eq!(ring.subkey("k3", Use::Code), None);
        assert!(ring.mac("k3", Use::Code, b"text").is_none());
        let mac = |kid, message: &[u8]| ring.mac(kid, Use::Code, message).unwrap();
        assert_eq!(mac("k1", b"text").as_ref(), mac("k1", b"text").as_ref());
        assert_ne!(mac("k1", b"text").as_ref(), mac("k2", b"text").as_ref());
        assert_ne!(mac("k1", b"text").as_ref(), mac("k1", b"other").as_ref());
    }

    #[test]
    fn sub_keys_are_the_same_in_every_version() {
        // What was signed before an update is read after it. HKDF-SHA256 (RFC 5869), computed apart.
        let subkey = ring("k1").active_subkey(Use::Session);
        assert_eq!(
            Hex(&subkey).to_string(),
            "59ee289335502ddb811013a96128c84c3597feaa72aa46f3ba46b6d17bd54f72"
        );
    }

    #[test]
    fn a_pseudonym_depends_on_the_text_and_on_its_key() {
        let pseudonym = ring("k1").pseudonym("+8613800138001");
        assert_eq!(pseudonym, ring("k1").pseudonym("+8613800138001"));
        assert_ne!(pseudonym, ring("k1").pseudonym("+8613800138002"));
        assert_ne!(pseudonym, ring("k2").pseudonym("+8613800138001"));
        // The first 64 bits of the HMAC, computed apart.
        assert_eq!(pseudonym.to_string(), "a33952571cd4764f");
        assert_eq!(format!("{:016x}", pseudonym.number()), "a33952571cd4764f");
        assert_eq!(Pseudonym(0xab).to_string(), "00000000000000ab");
    }

    #[test]
    fn pseudonyms_stay_while_another_key_is_added_and_activated() {
        let ring = |roles: &str, keys: &[(&str, &str)]| {
            let keys = keys.iter().map(|(kid, key)| format!(r#","{kid}":"{key}""#));
            KeyRing::parse(&format!("{{{roles}{}}}", keys.collect::<String>())).unwrap()
        };
        let before = ring(r#""active":"k1""#, &[("k1", K1)]);
        let both = [("k1", K1), ("k2", K2)];
        let added = ring(r#""active":"k1","pseudonyms":"k1""#, &both);
        let activated = ring(r#""active":"k2","pseudonyms":"k1""#, &both);
        let pseudonym = before.pseudonym("text");
        assert_eq!(added.pseudonym("text"), pseudonym);
        assert_eq!(activated.pseudonym("text"), pseudonym);
        let dropped = ring(r#""active":"k2","pseudonyms":"k2""#, &[("k2", K2)]);
        assert_ne!(dropped.pseudonym("text"), pseudonym);
        let error = format!(r#"{{"active":"k2","pseudonyms":"k1","k2":"{K2}"}}"#);
        assert_eq!(
            KeyRing::parse(&error).unwrap_err(),
            "the pseudonyms' key k1 is not among the keys"
        );
    }

    #[test]
    fn debug_shows_ids_only() {
        let ring = KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{K1}"}}"#)).unwrap();
        assert_eq!(
            format!("{ring:?}"),
            r#"KeyRing { active: k1, keys: ["k1"] }"#
        );
    }

    #[test]
    fn what_nobodys_ring_makes_is_good_nowhere_else() {
        let [one, other] = [1, 2].map(|n| KeyRing::of_nobody(&[n; MIN_KEY_BYTES]));
        assert_eq!(one.active(), "none");
        for usage in [Use::Session, Use::Refresh, Use::Code] {
            assert_ne!(one.active_subkey(usage), other.active_subkey(usage));
        }
    }
}
