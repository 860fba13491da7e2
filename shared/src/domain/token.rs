//! What clients carry: session tokens, and phoneInfo tickets.
//!
//! Both are JWTs (RFC 7519), HS256, with the key's id in the header. Each has a sub-key and an
//! audience of its own, so neither passes for the other. Expiry is compared with the `now` of the
//! request, like every other time in the core.

use std::{fmt, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::{
    error::Error,
    hex::Hex,
    keys::{KeyRing, Use},
    phone::Phone,
    purpose::Purpose,
    slot::ChallengeId,
    time::UnixMs,
    user::Uid,
};

/// How long a session token lives.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a ticket lives: as long as a challenge can.
pub const PHONE_INFO_LIFE: Duration = Duration::from_secs(10 * 60);

/// A signed token, to be handed to a client. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A reset token made from random bytes (dialect B): 256 bits in base64url, 43 characters.
    pub fn reset(random: [u8; 32]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(random))
    }

    /// As sent to the client, and for nothing else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As sent to the client, and for nothing else.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Who a session token speaks for. No personal data: it travels through other people's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The account.
    pub uid: Uid,
    /// The account's session epoch when the token was made; a higher one on the account revokes it.
    pub epoch: u64,
}

/// What a phoneInfo ticket says: which send it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneInfo {
    /// What the code is for.
    pub purpose: Purpose,
    /// Where it was sent.
    pub phone: Phone,
    /// Which account asked, or was asked for; none when one is to be made.
    pub uid: Option<Uid>,
    /// Which challenge it belongs to.
    pub challenge: ChallengeId,
}

#[derive(Serialize, Deserialize)]
struct SessionClaims {
    aud: String,
    uid: u64,
    epoch: u64,
    iat: u64,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct PhoneInfoClaims {
    aud: String,
    purpose: Purpose,
    country: String,
    phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Uid>,
    challenge: String,
    exp: u64,
}

const SESSION_AUDIENCE: &str = "session";
const PHONE_INFO_AUDIENCE: &str = "phone-info";

/// Makes a session token.
///
/// # Errors
/// [`Error::Internal`] when the claims cannot be written as JSON, which their types rule out.
pub fn session(ring: &KeyRing, session: Session, now: UnixMs) -> Result<Token, Error> {
    let claims = SessionClaims {
        aud: SESSION_AUDIENCE.into(),
        uid: session.uid.0,
        epoch: session.epoch,
        iat: now.as_secs(),
        exp: now.plus(SESSION_LIFE).as_secs(),
    };
    sign(ring, Use::Session, &claims)
}

/// Makes a phoneInfo ticket.
///
/// # Errors
/// [`Error::Internal`] when the claims cannot be written as JSON, which their types rule out.
pub fn phone_info(ring: &KeyRing, info: &PhoneInfo, now: UnixMs) -> Result<Token, Error> {
    let claims = PhoneInfoClaims {
        aud: PHONE_INFO_AUDIENCE.into(),
        purpose: info.purpose,
        country: info.phone.country().to_string(),
        phone: info.phone.national().to_owned(),
        uid: info.uid,
        challenge: BASE64_URL_SAFE_NO_PAD.encode(info.challenge.0),
        exp: now.plus(PHONE_INFO_LIFE).as_secs(),
    };
    sign(ring, Use::PhoneInfo, &claims)
}

/// Reads a session token. Whether the account still honours it, its epoch says.
///
/// # Errors
/// [`Error::TokenInvalid`] for anything we did not sign; [`Error::TokenExpired`].
pub fn read_session(ring: &KeyRing, text: &str, now: UnixMs) -> Result<Session, Error> {
    let claims: SessionClaims =
        verify(ring, Use::Session, SESSION_AUDIENCE, text).ok_or(Error::TokenInvalid)?;
    if claims.exp <= now.as_secs() {
        return Err(Error::TokenExpired);
    }
    Ok(Session {
        uid: Uid(claims.uid),
        epoch: claims.epoch,
    })
}

/// How long a reset token lives (dialect B).
pub const RESET_LIFE: Duration = Duration::from_secs(10 * 60);

/// What the store keeps of a reset token: SHA-256, in hex. The token itself is 256 random bits, so
/// there is nothing to guess from its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetHash(String);

impl ResetHash {
    /// The hash of a token as a client presents it.
    pub fn of(token: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        Self(Hex(hash.as_ref()).to_string())
    }

    /// In hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a phoneInfo ticket that must be for `purpose`.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`] for anything we did not sign for this purpose;
/// [`Error::CodeExpired`] when it is too old: so is the code it belongs to.
pub fn read_phone_info(
    ring: &KeyRing,
    text: &str,
    purpose: Purpose,
    now: UnixMs,
) -> Result<PhoneInfo, Error> {
    let claims: PhoneInfoClaims =
        verify(ring, Use::PhoneInfo, PHONE_INFO_AUDIENCE, text).ok_or(Error::PhoneInfoInvalid)?;
    if claims.purpose != purpose {
        return Err(Error::PhoneInfoInvalid);
    }
    if claims.exp <= now.as_secs() {
        return Err(Error::CodeExpired { retry_after: None });
    }
    let challenge = BASE64_URL_SAFE_NO_PAD.decode(&claims.challenge).ok();
    let challenge = challenge.and_then(|bytes| bytes.try_into().ok());
    let phone = Phone::from_parts(&claims.country, &claims.phone);
    Ok(PhoneInfo {
        purpose,
        phone: phone.ok_or(Error::PhoneInfoInvalid)?,
        uid: claims.uid,
        challenge: ChallengeId(challenge.ok_or(Error::PhoneInfoInvalid)?),
    })
}

fn sign(ring: &KeyRing, usage: Use, claims: &impl Serialize) -> Result<Token, Error> {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(ring.active().to_owned());
    let key = EncodingKey::from_secret(&ring.active_subkey(usage));
    jsonwebtoken::encode(&header, claims, &key)
        .map(Token)
        .map_err(|error| Error::Internal(format!("signing failed: {error}")))
}

/// The claims, if one of our keys signed them for this audience. Expiry is the caller's to judge.
fn verify<C: DeserializeOwned>(
    ring: &KeyRing,
    usage: Use,
    audience: &str,
    text: &str,
) -> Option<C> {
    let kid = jsonwebtoken::decode_header(text).ok()?.kid?;
    let subkey = ring.subkey(&kid, usage)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["aud"]);
    let key = DecodingKey::from_secret(&subkey);
    let token = jsonwebtoken::decode::<C>(text, &key, &validation).ok()?;
    Some(token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
    const K2: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
    const NOW: UnixMs = UnixMs(1_800_000_000_000);

    fn ring(active: &str, keys: &[(&str, &str)]) -> KeyRing {
        let keys: std::collections::BTreeMap<_, _> = keys.iter().copied().collect();
        let ring = serde_json::json!({ "active": active, "keys": keys });
        KeyRing::parse(&ring.to_string()).unwrap()
    }

    fn info() -> PhoneInfo {
        PhoneInfo {
            purpose: Purpose::Login,
            phone: Phone::from_parts("86", "13800138001").unwrap(),
            uid: Some(Uid(5)),
            challenge: ChallengeId([7; 16]),
        }
    }

    #[test]
    fn a_ticket_comes_back_as_it_was_made_until_it_is_too_old() {
        let ring = ring("k1", &[("k1", K1)]);
        let ticket = phone_info(&ring, &info(), NOW).unwrap().0;
        let read = |now| read_phone_info(&ring, &ticket, Purpose::Login, now);
        assert_eq!(read(NOW), Ok(info()));
        assert_eq!(read(UnixMs(NOW.0 + 599_999)), Ok(info()));
        let expired = Err(Error::CodeExpired { retry_after: None });
        assert_eq!(read(UnixMs(NOW.0 + 600_000)), expired);
    }

    #[test]
    fn keys_rotate_with_overlap() {
        let ticket = phone_info(&ring("k1", &[("k1", K1)]), &info(), NOW)
            .unwrap()
            .0;
        let read = |ring: KeyRing| read_phone_info(&ring, &ticket, Purpose::Login, NOW);
        assert_eq!(read(ring("k2", &[("k1", K1), ("k2", K2)])), Ok(info()));
        assert_eq!(
            read(ring("k2", &[("k2", K2)])),
            Err(Error::PhoneInfoInvalid)
        );
        assert_eq!(
            read(ring("k1", &[("k1", K2)])),
            Err(Error::PhoneInfoInvalid)
        );
    }

    #[test]
    fn a_session_token_is_no_ticket_and_a_changed_ticket_is_none() {
        let ring = ring("k1", &[("k1", K1)]);
        let who = Session {
            uid: Uid(5),
            epoch: 0,
        };
        let token = session(&ring, who, NOW).unwrap().0;
        let ticket = phone_info(&ring, &info(), NOW).unwrap().0;
        let read = |text: &str| read_phone_info(&ring, text, Purpose::Login, NOW);
        assert_eq!(read(&token), Err(Error::PhoneInfoInvalid));
        for cut in 0..ticket.len() {
            assert_eq!(read(&ticket[..cut]), Err(Error::PhoneInfoInvalid), "{cut}");
        }
        // The claims of one ticket under the signature of another.
        let other = phone_info(
            &ring,
            &PhoneInfo {
                uid: Some(Uid(6)),
                ..info()
            },
            NOW,
        )
        .unwrap()
        .0;
        let (head_and_claims, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = ticket.rsplit_once('.').unwrap();
        assert_eq!(
            read(&format!("{head_and_claims}.{signature}")),
            Err(Error::PhoneInfoInvalid)
        );
        // RFC 8725 §3.1: the algorithm is ours to choose, not the token's.
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#);
        let claims = ticket.split('.').nth(1).unwrap();
        assert_eq!(
            read(&format!("{none}.{claims}.")),
            Err(Error::PhoneInfoInvalid)
        );
    }

    #[test]
    fn printing_a_token_hides_it() {
        let ring = ring("k1", &[("k1", K1)]);
        let token = session(
            &ring,
            Session {
                uid: Uid(5),
                epoch: 0,
            },
            NOW,
        )
        .unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
