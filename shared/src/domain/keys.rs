//! The key ring: root keys by id, one of them active, and a sub-key for each use.
//!
//! What is made is made with the active key; what is read names the key it was made with. So keys
//! rotate with overlap: add a key, make it active, and drop the old one when all it made has expired.

use std::{collections::BTreeMap, fmt, sync::OnceLock};

use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

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
    /// Hashing phone numbers for the log.
    LogHash,
}

impl Use {
    /// How many uses there are.
    const COUNT: usize = Self::LogHash as usize + 1;

    /// The HKDF `info`: part of what is derived, so never to be changed.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Code => b"latchkey/1/code",
            Self::Session => b"latchkey/1/session",
            Self::PhoneInfo => b"latchkey/1/phone-info",
            Self::LogHash => b"latchkey/1/log-hash",
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

    /// The sub-key for one use; `None` for an unknown key id.
    pub fn subkey(&self, kid: &str, usage: Use) -> Option<[u8; 32]> {
        let root = self.roots.get(kid)?;
        let known = &root.subkeys[usage as usize];
        if let Some(subkey) = known.get() {
            return Some(*subkey);
        }
        let info = [usage.label()];
        // Expanding fails only beyond 255 blocks of output; this asks for one.
        let okm = root.key.expand(&info, hkdf::HKDF_SHA256).ok()?;
        let mut subkey = [0; 32];
        okm.fill(&mut subkey).ok()?;
        Some(*known.get_or_init(|| subkey))
    }

    /// HMAC-SHA256 under the sub-key for one use; `None` for an unknown key id.
    pub fn mac(&self, kid: &str, usage: Use, message: &[u8]) -> Option<hmac::Tag> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.subkey(kid, usage)?);
        Some(hmac::sign(&key, message))
    }

    /// A stable stand-in for a phone number in logs: 8 bytes of a keyed hash, so that a log can be
    /// searched by whoever has the key and tells nobody else anything.
    pub fn log_hash(&self, text: &str) -> String {
        let tag = self.mac(&self.active, Use::LogHash, text.as_bytes());
        let bytes = tag.as_ref().map_or(&[][..], |tag| &tag.as_ref()[..8]);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
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
        let uses = [Use::Code, Use::Session, Use::PhoneInfo, Use::LogHash];
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
