//! The key ring: root keys by id, one of them active, and a sub-key for each use.
//!
//! What is made is made with the active key; what is read names the key it was made with. So keys
//! rotate with overlap: add a key, make it active, and drop the old one when all it made has expired.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use crate::domain::hex::Hex;

/// The least a root key may hold: as much as HMAC-SHA256 gives out.
const MIN_KEY_BYTES: usize = 32;

/// What a sub-key is for. Two uses never share key material, so nothing made for one can pass for
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Deriving one-time codes.
    Code,
    /// Signing session tokens.
    Session,
    /// Signing phoneInfo tickets.
    PhoneInfo,
    /// Making pseudonyms.
    Pseudonym,
}

impl Use {
    /// How many uses there are.
    const COUNT: usize = Self::Pseudonym as usize + 1;

    /// The HKDF `info`: part of what is derived, so never to be changed.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Code => b"latchkey/1/code",
            Self::Session => b"latchkey/1/session",
            Self::PhoneInfo => b"latchkey/1/phone-info",
            Self::Pseudonym => b"latchkey/1/log-hash",
        }
    }
}

/// `KEY_RING`: `{"active":"k1","keys":{"k1":"<base64, 32 bytes or more>"}}`, or the same with the
/// keys beside `active`, which is the form Secrets Manager can generate by itself.
pub struct KeyRing {
    active: String,
    roots: BTreeMap<String, Root>,
}

struct Root {
    key: hkdf::Prk,
    /// The sub-keys that have been asked for.
    subkeys: [OnceLock<[u8; 32]>; Use::COUNT],
}

#[derive(Deserialize)]
struct Wire {
    active: String,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(flatten)]
    beside: BTreeMap<String, String>,
}

impl KeyRing {
    /// Reads the environment's form.
    ///
    /// # Errors
    /// A sentence that names what is wrong and holds no key.
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
            let key = hkdf::Salt::new(hkdf::HKDF_SHA256, b"latchkey").extract(&bytes);
            let subkeys = Default::default();
            roots.insert(kid, Root { key, subkeys });
        }
        if !roots.contains_key(&wire.active) {
            return Err(format!(
                "the active key {} is not among the keys",
                wire.active
            ));
        }
        Ok(Self {
            active: wire.active,
            roots,
        })
    }

    /// The id of the key that new things are made with.
    pub fn active(&self) -> &str {
        &self.active
    }

    /// Whether what was made with this key can still be read.
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

    /// The pseudonym of a text, made with the active key.
    pub fn pseudonym(&self, text: &str) -> Pseudonym {
        let mac = sign(&self.active_subkey(Use::Pseudonym), text.as_bytes());
        let first_eight = mac.as_ref().iter().take(8);
        Pseudonym(first_eight.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

fn sign(subkey: &[u8; 32], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, subkey), message)
}

impl Root {
    fn subkey(&self, usage: Use) -> [u8; 32] {
        *self.subkeys[usage as usize].get_or_init(|| {
            let info = [usage.label()];
            let mut subkey = [0; 32];
            let output = self.key.expand(&info, hkdf::HKDF_SHA256);
            output
                .and_then(|output| output.fill(&mut subkey))
                .expect("HKDF-SHA256 gives up to 255 blocks of 32 bytes, and this is one");
            subkey
        })
    }
}

/// A number that stands for a personal text (a phone, a slot, a name): the first 64 bits of
/// HMAC-SHA256 under a sub-key of the active root key. It is printed as 16 hexadecimal digits.
///
/// The same text has the same pseudonym as long as the active key stays the same, so log lines and
/// counters of one phone can be connected. Only a holder of the root key can compute it from the text.
///
/// Activating another key changes all pseudonyms. A log search then needs one pseudonym per key;
/// counters that are kept under a pseudonym (wrong passwords for unknown accounts, the tags in a
/// source's list) start again at zero; a decoy account gets another uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    #[test]
    fn reads_both_forms_alike() {
        let nested =
            KeyRing::parse(&format!(r#"{{"active":"k1","keys":{{"k1":"{K1}"}}}}"#)).unwrap();
        let flat = KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{K1}"}}"#)).unwrap();
        assert_eq!(nested.subkey("k1", Use::Code), flat.subkey("k1", Use::Code));
        assert!(nested.has("k1") && !nested.has("k2"));
    }

    #[test]
    fn each_use_has_its_own_key() {
        let ring = KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{K1}"}}"#)).unwrap();
        let uses = [Use::Code, Use::Session, Use::PhoneInfo, Use::Pseudonym];
        let keys = uses.map(|usage| ring.subkey("k1", usage).unwrap());
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[n + 1..].contains(key));
        }
        assert_eq!(uses.map(|usage| ring.subkey("k1", usage).unwrap()), keys);
    }

    #[test]
    fn what_is_wrong_is_named_without_the_key() {
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
    }

    #[test]
    fn printing_a_ring_shows_ids_only() {
        let ring = KeyRing::parse(&format!(r#"{{"active":"k1","k1":"{K1}"}}"#)).unwrap();
        assert_eq!(
            format!("{ring:?}"),
            r#"KeyRing { active: k1, keys: ["k1"] }"#
        );
    }
}
