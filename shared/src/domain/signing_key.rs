//! The keys that sign access tokens: RSA keys at KMS, of which nobody has the private half.

use pkcs1::{RsaPublicKeyRef, der::Decode};
use spki::SubjectPublicKeyInfoRef;

/// The keys' ids or ARNs: the first one signs, and all are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys(Vec<String>);

/// How many keys there may be: one, and another one during a rotation.
const MOST: usize = 2;

impl SigningKeys {
    /// Reads ids or ARNs, comma-separated.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn parse(list: &str) -> Result<Self, &'static str> {
        let keys: Vec<String> = list.split(',').map(|key| key.trim().to_owned()).collect();
        let are_different = keys.first() != keys.get(1);
        if keys.iter().any(|key| kid(key).is_empty()) || keys.len() > MOST || !are_different {
            return Err("must be one or two different ids or ARNs of KMS keys, comma-separated");
        }
        Ok(Self(keys))
    }

    /// The key that signs.
    pub fn active(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// All keys.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The id of a key in tokens (`kid`): the end of its ARN, or its id.
pub fn kid(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its id in tokens.
    pub kid: String,
    /// The modulus, big-endian, without a leading zero.
    pub modulus: Vec<u8>,
    /// The exponent, big-endian, without a leading zero.
    pub exponent: Vec<u8>,
}

impl PublicKey {
    /// Reads the public half of `key` in the form in which KMS gives it: a SubjectPublicKeyInfo (RFC 5280,
    /// 4.1.2.7) in DER. `None` if it is not that of an RSA key.
    pub fn from_der(key: &str, der: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        let rsa = RsaPublicKeyRef::from_der(info.subject_public_key.as_bytes()?).ok()?;
        Some(Self {
            kid: kid(key).to_owned(),
            modulus: rsa.modulus.as_bytes().to_vec(),
            exponent: rsa.public_exponent.as_bytes().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        rsa::{KeyPair, KeySize},
        signature::KeyPair as _,
    };

    use super::*;

    #[test]
    fn one_or_two_keys_are_named() {
        let arn = "arn:aws:kms:us-east-1:123456789012:key/0a1b";
        let keys = SigningKeys::parse(&format!("{arn}, other")).unwrap();
        assert_eq!(keys.active(), arn);
        assert_eq!(keys.all().map(kid).collect::<Vec<_>>(), ["0a1b", "other"]);
        for bad in ["", "a,", "a,a", "a,b,c", "arn:aws:kms:::key/"] {
            assert!(SigningKeys::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_key_is_read_from_its_der() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = PublicKey::from_der("arn:aws:kms:::key/k", der.as_ref()).unwrap();
        assert_eq!(key.kid, "k");
        assert_eq!(key.modulus.len(), 256);
        assert_ne!(key.modulus[0], 0);
        assert_eq!(key.exponent, [1, 0, 1]);
        assert_eq!(PublicKey::from_der("k", &der.as_ref()[1..]), None);
    }
}
