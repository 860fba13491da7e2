//! Tokens that clients hold: session tokens, refresh tokens, phoneInfo tickets, and reset tokens.
//!
//! All but reset tokens are JWTs (RFC 7519), signed with HS256, with the key's id in the header.
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
    keys::{KeyRing, Use, first_64_bits},
    phone::Phone,
    purpose::Purpose,
    session::{SessionId, SessionLife},
    slot::ChallengeId,
    time::UnixMs,
    user::{Name, Uid, User},
};

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

    /// A token that is signed elsewhere.
    pub(super) fn signed(text: String) -> Self {
        Self(text)
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

/// The content of a session token, as far as it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// When it began: with the login, at a whole second.
    pub began: UnixMs,
    /// The account.
    pub uid: Uid,
    /// The account's epoch when the token was made. A higher epoch of the account revokes the token.
    pub epoch: u64,
}

/// The session that a token of ours is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownSession {
    /// The account.
    pub uid: Uid,
    /// The session's id.
    pub id: SessionId,
    /// The account's epoch when the token was made; `None` for a refresh token, which does not say it.
    pub epoch: Option<u64>,
}

impl ShownSession {
    /// Whether it shows the account who asks: a logout or a new password has not ended the session, and used
    /// daily it would still go on at `now`.
    pub fn is_known_to(&self, user: &User, life: &SessionLife, now: UnixMs) -> bool {
        let held = user.honours(self.id, self.epoch.unwrap_or(user.epoch));
        held.is_some_and(|held| held.began.plus(life.total) > now)
    }
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
    sid: SessionId,
    began: u64,
    uuid: u64,
    /// For clients to show. The account can have another name by now.
    #[serde(default)]
    name: String,
    epoch: u64,
    iat: u64,
    exp: u64,
}

/// The content of a refresh token (dialect D): a session, and how often its token had been renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The account.
    pub uid: Uid,
    /// The session's id.
    pub session: SessionId,
    /// The count of refreshes.
    pub count: u64,
}

/// No time is in it: the same content gives the same token, so the newest one need not be stored.
#[derive(Serialize, Deserialize)]
struct RefreshClaims {
    aud: String,
    sid: SessionId,
    uuid: u64,
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct PhoneInfoClaims {
    aud: String,
    purpose: Purpose,
    country: String,
    /// Filled up, so that all tickets of a country have one length.
    phone: String,
    /// The account's number or 0, as [`masked`].
    account: String,
    challenge: String,
    exp: u64,
}

/// The most digits of an E.164 number, its calling code included.
const MOST_DIGITS: usize = 15;

/// What fills the phone up.
const FILLER: char = '-';

const SESSION_AUDIENCE: &str = "session";
const REFRESH_AUDIENCE: &str = "refresh";
const PHONE_INFO_AUDIENCE: &str = "phone-info";

/// Makes a token of a session that is used at `now`. It is valid until the session ends unused, and never
/// longer than the session lasts in all. It shows the account's number and its present `name`, which clients
/// display, and no phone and no e-mail address, because proxies may log tokens.
///
/// # Errors
/// [`Error::Internal`] when the claims cannot be written as JSON, which their types rule out.
pub fn session(
    ring: &KeyRing,
    session: Session,
    name: &Name,
    life: &SessionLife,
    now: UnixMs,
) -> Result<Token, Error> {
    let ends = now.plus(life.idle).min(session.began.plus(life.total));
    let claims = SessionClaims {
        aud: SESSION_AUDIENCE.into(),
        sid: session.id,
        began: session.began.as_secs(),
        uuid: session.uid.0,
        name: name.as_str().to_owned(),
        epoch: session.epoch,
        iat: now.as_secs(),
        exp: ends.as_secs(),
    };
    sign(ring, Use::Session, &claims)
}

/// Makes a refresh token.
///
/// # Errors
/// [`Error::Internal`] when the claims cannot be written as JSON, which their types rule out.
pub fn refresh(ring: &KeyRing, token: RefreshToken) -> Result<Token, Error> {
    let claims = RefreshClaims {
        aud: REFRESH_AUDIENCE.into(),
        sid: token.session,
        uuid: token.uid.0,
        count: token.count,
    };
    sign(ring, Use::Refresh, &claims)
}

/// Reads a refresh token. Whether it is good, its session has to say.
///
/// # Errors
/// [`NotRefresh`].
pub fn read_refresh(ring: &KeyRing, text: &str) -> Result<RefreshToken, NotRefresh> {
    if jsonwebtoken::decode_header(text).is_err() {
        return Err(NotRefresh::Malformed);
    }
    let read = verify::<RefreshClaims>(ring, Use::Refresh, REFRESH_AUDIENCE, text);
    let (claims, _) = read.ok_or(NotRefresh::Unknown)?;
    Ok(RefreshToken {
        uid: Uid(claims.uuid),
        session: claims.sid,
        count: claims.count,
    })
}

/// Why a text is no refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRefresh {
    /// It has not the form of one.
    Malformed,
    /// It has no valid signature of ours.
    Unknown,
}

/// Makes a phoneInfo ticket. It shows nothing of the account: its number is masked, and all tickets for a
/// country's phones have one length.
///
/// # Errors
/// [`Error::Internal`] when the claims cannot be written as JSON, which their types rule out.
pub fn phone_info(ring: &KeyRing, info: &PhoneInfo, now: UnixMs) -> Result<Token, Error> {
    let country = info.phone.country().to_string();
    let width = MOST_DIGITS - country.len();
    let account = masked(
        ring,
        ring.active(),
        info.challenge,
        info.uid.map_or(0, |uid| uid.0),
    );
    let account = account.ok_or_else(|| Error::internal("no active key"))?;
    let claims = PhoneInfoClaims {
        aud: PHONE_INFO_AUDIENCE.into(),
        purpose: info.purpose,
        phone: format!("{:-<width$}", info.phone.national()),
        country,
        account: format!("{account:016x}"),
        challenge: BASE64_URL_SAFE_NO_PAD.encode(info.challenge.0),
        exp: now.plus(PHONE_INFO_LIFE).as_secs(),
    };
    sign(ring, Use::PhoneInfo, &claims)
}

/// Reads a session token. Whether the account honours it, the account has to say.
///
/// # Errors
/// [`Error::TokenInvalid`] without a valid signature of ours; [`Error::TokenExpired`].
pub fn read_session(ring: &KeyRing, text: &str, now: UnixMs) -> Result<SessionRead, Error> {
    let read = verified_session(ring, text).ok_or(Error::TokenInvalid)?;
    if read.expires <= now {
        return Err(Error::TokenExpired);
    }
    Ok(read)
}

/// The session of a session token that only has to show who asks: an expired one counts. `None` without a valid
/// signature of ours.
pub fn shown_session(ring: &KeyRing, text: &str) -> Option<ShownSession> {
    let Session { uid, id, epoch, .. } = verified_session(ring, text)?.session;
    let epoch = Some(epoch);
    Some(ShownSession { uid, id, epoch })
}

/// The session of a refresh token, old or new, that only has to show who asks. `None` without a valid signature
/// of ours.
pub fn shown_by_refresh(ring: &KeyRing, text: &str) -> Option<ShownSession> {
    let RefreshToken { uid, session, .. } = read_refresh(ring, text).ok()?;
    let (id, epoch) = (session, None);
    Some(ShownSession { uid, id, epoch })
}

/// What a session token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRead {
    /// The session.
    pub session: Session,
    /// The account's name when the token was made.
    pub name: Name,
    /// When the token expires.
    pub expires: UnixMs,
}

/// Reads a session token, expired or not. `None` without a valid signature of ours.
fn verified_session(ring: &KeyRing, text: &str) -> Option<SessionRead> {
    let (claims, _) = verify::<SessionClaims>(ring, Use::Session, SESSION_AUDIENCE, text)?;
    let session = Session {
        id: claims.sid,
        began: UnixMs(claims.began * 1000),
        uid: Uid(claims.uuid),
        epoch: claims.epoch,
    };
    Some(SessionRead {
        session,
        name: Name::from_stored(claims.name),
        expires: UnixMs(claims.exp * 1000),
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
    let (claims, kid) = verify::<PhoneInfoClaims>(ring, Use::PhoneInfo, PHONE_INFO_AUDIENCE, text)
        .ok_or(Error::PhoneInfoInvalid)?;
    if claims.purpose != purpose {
        return Err(Error::PhoneInfoInvalid);
    }
    if claims.exp <= now.as_secs() {
        return Err(Error::CodeExpired { retry_after: None });
    }
    let phone = Phone::from_parts(&claims.country, claims.phone.trim_end_matches(FILLER));
    let challenge = sixteen_bytes(&claims.challenge).map(ChallengeId);
    let challenge = challenge.ok_or(Error::PhoneInfoInvalid)?;
    let account = u64::from_str_radix(&claims.account, 16).ok();
    let account = account.and_then(|account| masked(ring, &kid, challenge, account));
    let account = account.ok_or(Error::PhoneInfoInvalid)?;
    Ok(PhoneInfo {
        purpose,
        phone: phone.ok_or(Error::PhoneInfoInvalid)?,
        uid: (account != 0).then_some(Uid(account)),
        challenge,
    })
}

/// Masks an account's number, or unmasks it, with bits that only we can derive from the challenge: so a
/// ticket tells nobody whether there is an account, nor which. `None` when the ring has no such key.
fn masked(ring: &KeyRing, kid: &str, challenge: ChallengeId, account: u64) -> Option<u64> {
    let mac = ring.mac(kid, Use::Account, &challenge.0)?;
    Some(account ^ first_64_bits(&mac))
}

fn sixteen_bytes(encoded: &str) -> Option<[u8; 16]> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
    bytes.try_into().ok()
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
        .map_err(|error| Error::internal(format!("signing failed: {error}")))
}

/// The claims of a token, and the id of the key that signed it; `None` unless that is a key of the ring,
/// for this use and audience. The caller has to compare the expiry.
fn verify<C: DeserializeOwned>(
    ring: &KeyRing,
    usage: Use,
    audience: &str,
    text: &str,
) -> Option<(C, String)> {
    let kid = jsonwebtoken::decode_header(text).ok()?.kid?;
    let subkey = ring.subkey(&kid, usage)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["aud"]);
    let key = DecodingKey::from_secret(&subkey);
    let token = jsonwebtoken::decode::<C>(text, &key, &validation).ok()?;
    Some((token.claims, kid))
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
        let token = session(&ring, who(), &name(), &LIFE, NOW).unwrap().0;
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

    const LIFE: SessionLife = SessionLife {
        idle: Duration::from_secs(30 * 86_400),
        total: Duration::from_secs(180 * 86_400),
    };
    const DAY_MS: u64 = 86_400_000;

    fn who() -> Session {
        Session {
            id: SessionId::from_random([9; 16]),
            began: NOW,
            uid: Uid(5),
            epoch: 7,
        }
    }

    fn name() -> Name {
        Name::parse("Eric").unwrap()
    }

    #[test]
    fn a_session_token_shows_the_account_s_number_and_name_and_nothing_else_of_it() {
        let ring = ring("k1", &[("k1", K1)]);
        let token = session(&ring, who(), &name(), &LIFE, NOW).unwrap().0;
        let claims = token.split('.').nth(1).unwrap();
        let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(
            claims,
            r#"{"aud":"session","sid":"09090909-0909-4909-8909-090909090909","began":1800000000,"uuid":5,"name":"Eric","epoch":7,"iat":1800000000,"exp":1802592000}"#
        );
    }

    #[test]
    fn a_session_lasts_thirty_days_from_its_last_use_and_180_in_all() {
        let ring = ring("k1", &[("k1", K1)]);
        let used =
            |day| session(&ring, who(), &name(), &LIFE, UnixMs(NOW.0 + day * DAY_MS)).unwrap();
        let expired = Err(Error::TokenExpired);
        for (used_on, ends_on) in [
            (0, 30),
            (29, 59),
            (149, 179),
            (150, 180),
            (151, 180),
            (179, 180),
        ] {
            let token = used(used_on);
            let read = |now| {
                let read = read_session(&ring, token.as_str(), UnixMs(now));
                read.map(|read| (read.session, read.name))
            };
            let end = NOW.0 + ends_on * DAY_MS;
            assert_eq!(read(NOW.0), Ok((who(), name())), "{used_on}");
            assert_eq!(read(end - 1), Ok((who(), name())), "{used_on}");
            assert_eq!(read(end), expired, "{used_on}");
            assert_eq!(read(end + 100 * DAY_MS), expired, "{used_on}");
        }
        let ticket = phone_info(&ring, &info(), NOW).unwrap();
        let read = read_session(&ring, ticket.as_str(), NOW);
        assert_eq!(read, Err(Error::TokenInvalid));
    }

    #[test]
    fn a_ticket_tells_nothing_of_the_account_and_has_one_length_in_a_country() {
        let ring = ring("k1", &[("k1", K1)]);
        let claims_of = |info: &PhoneInfo| -> serde_json::Value {
            let ticket = phone_info(&ring, info, NOW).unwrap();
            assert_eq!(
                read_phone_info(&ring, ticket.as_str(), info.purpose, NOW).as_ref(),
                Ok(info)
            );
            let claims = ticket.as_str().split('.').nth(1).unwrap();
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
        };
        let mut accounts = std::collections::BTreeSet::new();
        for (n, uid) in [None, Some(1), Some(5), Some(1 << 31), Some((1 << 53) - 1)]
            .into_iter()
            .enumerate()
        {
            for challenge in 0..20 {
                let info = PhoneInfo {
                    uid: uid.map(Uid),
                    challenge: ChallengeId([20 * n as u8 + challenge; 16]),
                    ..info()
                };
                let claims = claims_of(&info);
                let account = claims["account"].as_str().unwrap();
                assert_eq!(account.len(), 16);
                let high_bits = u64::from_str_radix(account, 16).unwrap() >> 53;
                assert!(high_bits != 0 || challenge != 0 || uid.is_some());
                assert!(accounts.insert(account.to_owned()), "{uid:?} {challenge}");
                assert!(claims.get("uid").is_none());
            }
        }
        let length = |national: &str| {
            let phone = Phone::from_parts("49", national).unwrap();
            let info = PhoneInfo { phone, ..info() };
            phone_info(&ring, &info, NOW).unwrap().as_str().len()
        };
        assert_eq!(length("1512345678"), length("15123456789"));
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
            sid: who().id,
            began: NOW.as_secs(),
            uuid: 5,
            name: "eric".into(),
            epoch: 0,
            iat: NOW.as_secs(),
            exp: NOW.as_secs() + 1000,
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
