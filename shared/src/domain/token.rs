//! Tokens that clients hold: session tokens, phoneInfo tickets, and reset tokens.
//!
//! Session tokens and tickets are JWTs (RFC 7519), signed with HS256, with the key's id in the header.
//! Each kind has its own sub-key and audience, so none is valid as the other. Expiry is compared with
//! `now`, as all times in the domain. A reset token is a random number.

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

/// How long a session token is valid.
pub const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a ticket is valid: as long as a challenge can live.
pub const PHONE_INFO_LIFE: Duration = Duration::from_secs(10 * 60);

/// A token for a client. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A reset token made from random bytes (dialect B): 256 bits in base64url, 43 characters.
    pub fn reset(random: [u8; 32]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(random))
    }

    /// The text for the client.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text for the client.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The content of a session token. It has no personal data, because proxies may log tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The account.
    pub uid: Uid,
    /// The account's epoch when the token was made. A higher epoch of the account revokes the token.
    pub epoch: u64,
}

/// The content of a phoneInfo ticket: the send that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneInfo {
    /// The purpose of the code.
    pub purpose: Purpose,
    /// The phone that the code was sent to.
    pub phone: Phone,
    /// The account that the code is for; `None` when the code is to create one.
    pub uid: Option<Uid>,
    /// The challenge of the send.
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

/// Reads a session token. The caller has to compare its epoch with that of the account.
///
/// # Errors
/// [`Error::TokenInvalid`] without a valid signature of ours; [`Error::TokenExpired`].
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

/// Reads a phoneInfo ticket for `purpose`.
///
/// # Errors
/// [`Error::PhoneInfoInvalid`] without a valid signature of ours, and for another purpose;
/// [`Error::CodeExpired`] for an expired ticket, whose code has expired as well.
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
    let phone = Phone::from_parts(&claims.country, &claims.phone);
    let challenge_bytes = BASE64_URL_SAFE_NO_PAD.decode(&claims.challenge).ok();
    let challenge = challenge_bytes.and_then(|bytes| bytes.try_into().ok());
    Ok(PhoneInfo {
        purpose,
        phone: phone.ok_or(Error::PhoneInfoInvalid)?,
        uid: claims.uid,
        challenge: ChallengeId(challenge.ok_or(Error::PhoneInfoInvalid)?),
    })
}

/// How long a reset token is valid (dialect B).
pub const RESET_LIFE: Duration = Duration::from_secs(10 * 60);

/// The SHA-256 of a reset token in hexadecimal, which the store keeps in place of the token. The token
/// has 256 random bits, so it cannot be found from the hash by guessing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetHash(String);

impl ResetHash {
    /// The hash of a token that a client presents.
    pub fn of(token: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        Self(Hex(hash.as_ref()).to_string())
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn sign(ring: &KeyRing, usage: Use, claims: &impl Serialize) -> Result<Token, Error> {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(ring.active().to_owned());
    let key = EncodingKey::from_secret(&ring.active_subkey(usage));
    jsonwebtoken::encode(&header, claims, &key)
        .map(Token)
        .map_err(|error| Error::Internal(format!("signing failed: {error}")))
}

/// The claims of a token; `None` unless a key of the ring signed it for this use and audience. The
/// caller has to compare the expiry.
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
    fn a_ticket_is_valid_for_ten_minutes() {
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
    fn a_session_token_or_a_changed_ticket_is_no_valid_ticket() {
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
        // RFC 8725 §3.1: the reader chooses the algorithm, not the token.
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#);
        let claims = ticket.split('.').nth(1).unwrap();
        assert_eq!(
            read(&format!("{none}.{claims}.")),
            Err(Error::PhoneInfoInvalid)
        );
    }

    #[test]
    fn a_session_token_is_valid_for_thirty_days() {
        let ring = ring("k1", &[("k1", K1)]);
        let who = Session {
            uid: Uid(5),
            epoch: 7,
        };
        let token = session(&ring, who, NOW).unwrap().into_string();
        let read = |now| read_session(&ring, &token, now);
        let thirty_days = 30 * 24 * 60 * 60 * 1000;
        assert_eq!(read(NOW), Ok(who));
        assert_eq!(read(UnixMs(NOW.0 + thirty_days - 1)), Ok(who));
        let expired = Err(Error::TokenExpired);
        assert_eq!(read(UnixMs(NOW.0 + thirty_days)), expired);
        assert_eq!(read(UnixMs(NOW.0 + 2 * thirty_days)), expired);
        let ticket = phone_info(&ring, &info(), NOW).unwrap();
        let read = read_session(&ring, ticket.as_str(), NOW);
        assert_eq!(read, Err(Error::TokenInvalid));
    }

    #[test]
    fn an_expired_ticket_stays_expired_and_another_purpose_has_none() {
        let ring = ring("k1", &[("k1", K1)]);
        let ticket = phone_info(&ring, &info(), NOW).unwrap();
        let read = |purpose, now| read_phone_info(&ring, ticket.as_str(), purpose, now);
        let a_day_later = UnixMs(NOW.0 + 86_400_000);
        let expired = Err(Error::CodeExpired { retry_after: None });
        assert_eq!(read(Purpose::Login, a_day_later), expired);
        let invalid = Err(Error::PhoneInfoInvalid);
        assert_eq!(read(Purpose::Register, NOW), invalid);
    }

    #[test]
    fn an_audience_is_checked_beside_the_sub_key() {
        // A token for another audience, signed with the right sub-key.
        let ring = ring("k1", &[("k1", K1)]);
        let claims = SessionClaims {
            aud: PHONE_INFO_AUDIENCE.into(),
            uid: 5,
            epoch: 0,
            iat: NOW.as_secs(),
            exp: NOW.plus(SESSION_LIFE).as_secs(),
        };
        let token = sign(&ring, Use::Session, &claims).unwrap();
        let read = read_session(&ring, token.as_str(), NOW);
        assert_eq!(read, Err(Error::TokenInvalid));
    }

    #[test]
    fn a_reset_token_is_its_random_bytes_and_is_stored_as_a_sha_256() {
        let token = Token::reset([0xff; 32]);
        assert_eq!(token.as_str(), format!("{}8", "_".repeat(42)));
        // FIPS 180-4, the example "abc".
        let hash = ResetHash::of("abc");
        assert_eq!(
            hash.as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(RESET_LIFE, Duration::from_secs(600));
    }

    #[test]
    fn debug_hides_a_token() {
        let token = Token::reset([7; 32]);
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
