//! Access tokens: JWTs of an hour for other services, which check them with public keys (RS256, RFC 7518).
//!
//! KMS signs them, so a token is made in two steps: [`unsigned`], and [`Unsigned::signed`].

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use super::{
    error::Error,
    metadata::Metadata,
    phone::Phone,
    session::{Held, Method, SessionId},
    signing_key::{self, PublicKey},
    time::UnixMs,
    token::Token,
    user::{AccountId, Uid, User},
};

/// How long an access token is valid.
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// Who may take the tokens: every service that trusts the issuer. It is also the role in them.
pub const AUDIENCE: &str = "authenticated";

#[derive(Serialize)]
struct JwtHeader<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// The claims, in GoTrue's names and order.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: AccountId,
    aud: &'a str,
    role: &'a str,
    email: &'a str,
    phone: String,
    session_id: SessionId,
    aal: &'a str,
    amr: [Amr; 1],
    is_anonymous: bool,
    iat: u64,
    exp: u64,
    user_metadata: &'a Metadata,
    app_metadata: AppMetadata,
    /// The account's number, which the dialects' own clients know it by.
    uuid: Uid,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exchanged: bool,
}

/// How and when the session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Amr {
    method: Method,
    timestamp: u64,
}

/// How an account may sign in.
#[derive(Serialize)]
pub struct AppMetadata {
    provider: &'static str,
    providers: [&'static str; 1],
}

/// Every account signs in by its phone.
pub const APP_METADATA: AppMetadata = AppMetadata {
    provider: "phone",
    providers: ["phone"],
};

/// A token that is still to be signed.
pub struct Unsigned {
    /// Header and claims, encoded.
    input: String,
    /// When it will expire.
    expires: UnixMs,
}

/// A token, and how long it is valid.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Token,
    /// The seconds from now until it expires.
    pub expires_in: u64,
}

/// How a client came by an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obtained {
    /// With a session of dialect D.
    WithSession,
    /// In exchange for a session token of another dialect: to be shown to other services.
    ByExchange,
}

/// Makes an access token for a session of an account, which expires in an hour or when the session does.
///
/// # Errors
/// [`Error::Internal`] if it cannot be written as JSON.
pub fn unsigned(
    issuer: &str,
    key: &str,
    user: &User,
    (id, session): (SessionId, &Held),
    session_expires: UnixMs,
    obtained: Obtained,
    now: UnixMs,
) -> Result<Unsigned, Error> {
    let expires = now.plus(LIFE).min(session_expires);
    let phone = user.phone.as_ref().map(Phone::digits);
    let claims = Claims {
        iss: issuer,
        sub: user.id,
        aud: AUDIENCE,
        role: AUDIENCE,
        email: "",
        phone: phone.unwrap_or_default(),
        session_id: id,
        aal: "aal1",
        amr: [Amr {
            method: session.method,
            timestamp: session.began.as_secs(),
        }],
        is_anonymous: false,
        iat: now.as_secs(),
        exp: expires.as_secs(),
        user_metadata: &user.metadata,
        app_metadata: APP_METADATA,
        uuid: user.uid,
        exchanged: obtained == Obtained::ByExchange,
    };
    let header = JwtHeader {
        alg: "RS256",
        typ: "JWT",
        kid: signing_key::kid(key),
    };
    Ok(Unsigned {
        input: format!("{}.{}", encoded(&header)?, encoded(&claims)?),
        expires,
    })
}

fn encoded(part: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(part);
    json.map(|json| BASE64_URL_SAFE_NO_PAD.encode(json))
        .map_err(|error| Error::internal(format!("access token: {error}")))
}

impl Unsigned {
    /// What is to be signed: the SHA-256 of header and claims.
    pub fn digest(&self) -> Vec<u8> {
        let digest = digest::digest(&digest::SHA256, self.input.as_bytes());
        digest.as_ref().to_vec()
    }

    /// The token, with the signature of its digest.
    pub fn signed(self, signature: &[u8], now: UnixMs) -> AccessToken {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        AccessToken {
            token: Token::signed(format!("{}.{signature}", self.input)),
            expires_in: self.expires.as_secs().saturating_sub(now.as_secs()),
        }
    }
}

/// What an access token says of who shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Bearer {
    /// The account's number.
    #[serde(rename = "uuid")]
    pub uid: Uid,
    /// The account's id.
    pub sub: AccountId,
    /// The session.
    pub session_id: SessionId,
    amr: [Amr; 1],
    /// Whether it was obtained by exchange.
    #[serde(default)]
    pub exchanged: bool,
    /// In seconds since 1970.
    exp: u64,
}

impl Bearer {
    /// When the session began.
    pub fn session_began(&self) -> UnixMs {
        UnixMs(self.amr[0].timestamp * 1000)
    }
}

/// Reads an access token that one of these keys has signed. Whether its session goes on, the account has to
/// say.
///
/// # Errors
/// [`Error::TokenInvalid`], [`Error::TokenExpired`].
pub fn read(keys: &[PublicKey], text: &str, now: UnixMs) -> Result<Bearer, Error> {
    let header = jsonwebtoken::decode_header(text).map_err(|_| Error::TokenInvalid)?;
    let key = keys
        .iter()
        .find(|key| Some(&key.kid) == header.kid.as_ref());
    let key = key.ok_or(Error::TokenInvalid)?;
    let key = DecodingKey::from_rsa_raw_components(&key.modulus, &key.exponent);
    // RFC 8725, 3.1: the reader chooses the algorithm, not the token.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["aud"]);
    let read = jsonwebtoken::decode::<Bearer>(text, &key, &validation);
    let bearer = read.map_err(|_| Error::TokenInvalid)?.claims;
    if bearer.exp <= now.as_secs() {
        return Err(Error::TokenExpired);
    }
    Ok(bearer)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        digest::{Digest, SHA256},
        encoding::{AsDer, PublicKeyX509Der},
        rsa::{KeyPair, KeySize},
        signature::{KeyPair as _, RSA_PKCS1_SHA256},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::name::Name;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);
    const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/k1";

    struct Signer(KeyPair);

    impl Signer {
        fn new() -> Self {
            Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
        }

        fn public(&self, key: &str) -> PublicKey {
            let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
            PublicKey::from_der(key, der.as_ref()).unwrap()
        }

        fn sign(&self, unsigned: Unsigned) -> AccessToken {
            let digest = Digest::import_less_safe(&unsigned.digest(), &SHA256).unwrap();
            let mut signature = vec![0; 256];
            self.0
                .sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature)
                .unwrap();
            unsigned.signed(&signature, NOW)
        }
    }

    fn eric() -> User {
        let (id, name) = (
            AccountId::from_random([5; 16]),
            Name::parse("eric").unwrap(),
        );
        User::new(
            Uid(5),
            id,
            name,
            Phone::from_parts("86", "13800138001"),
            UnixMs(0),
        )
    }

    fn session() -> (SessionId, Held) {
        let held = Held::beginning(Method::Password, UnixMs(NOW.0 - 60_000));
        (SessionId::from_random([9; 16]), held)
    }

    fn token_until(session_expires: UnixMs) -> Unsigned {
        let (id, held) = session();
        let issuer = "https://api.example.com/auth/v1";
        unsigned(
            issuer,
            KEY,
            &eric(),
            (id, &held),
            session_expires,
            Obtained::WithSession,
            NOW,
        )
        .unwrap()
    }

    #[test]
    fn a_token_has_the_claims_of_gotrue_s_and_the_account_s_number() {
        let token = token_until(UnixMs(u64::MAX));
        let mut parts = token.input.split('.').map(|part| {
            let json = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice::<Value>(&json).unwrap()
        });
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
        assert_eq!(parts.next(), Some(header));
        let claims = json!({
            "iss": "https://api.example.com/auth/v1",
            "sub": "05050505-0505-4505-8505-050505050505",
            "aud": "authenticated",
            "role": "authenticated",
            "email": "",
            "phone": "8613800138001",
            "session_id": "09090909-0909-4909-8909-090909090909",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": 1_799_999_940}],
            "is_anonymous": false,
            "iat": 1_800_000_000,
            "exp": 1_800_003_600,
            "user_metadata": {},
            "app_metadata": {"provider": "phone", "providers": ["phone"]},
            "uuid": 5,
        });
        assert_eq!(parts.next(), Some(claims));
    }

    #[test]
    fn a_token_is_read_by_its_key_until_it_expires() {
        let (signer, other) = (Signer::new(), Signer::new());
        let keys = [other.public("key/k0"), signer.public(KEY)];
        let signed = signer.sign(token_until(UnixMs(u64::MAX)));
        assert_eq!(signed.expires_in, 3600);
        let read = |keys: &[PublicKey], secs: u64| {
            read(keys, signed.token.as_str(), UnixMs(NOW.0 + secs * 1000))
        };
        let bearer = read(&keys, 3599).unwrap();
        assert_eq!(bearer.uid, Uid(5));
        assert_eq!(bearer.sub, eric().id);
        assert_eq!(bearer.session_id, session().0);
        assert_eq!(read(&keys, 3600), Err(Error::TokenExpired));
        // Another key, by its own id or by that of the right one.
        for keys in [[other.public("key/k0")], [other.public(KEY)]] {
            assert_eq!(read(&keys, 0), Err(Error::TokenInvalid));
        }
    }

    #[test]
    fn a_token_does_not_outlive_its_session() {
        let token = token_until(UnixMs(NOW.0 + 10_000));
        assert_eq!(Signer::new().sign(token).expires_in, 10);
    }

    #[test]
    fn a_changed_token_and_another_algorithm_are_refused() {
        let signer = Signer::new();
        let keys = [signer.public(KEY)];
        let signed = signer.sign(token_until(UnixMs(u64::MAX)));
        let text = signed.token.as_str();
        let parts: Vec<&str> = text.split('.').collect();
        let header = |alg: &str| {
            BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"k1"}}"#))
        };
        for changed in [
            text[..text.len() - 2].to_owned(),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.", header("none"), parts[1]),
            format!("{}.{}.{}", header("HS256"), parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], parts[0], parts[2]),
            String::new(),
        ] {
            assert_eq!(
                read(&keys, &changed, NOW),
                Err(Error::TokenInvalid),
                "{changed}"
            );
        }
    }
}
