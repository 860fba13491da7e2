//! Dialect D's endpoints, and those who check its tokens.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use reqwest::Method;
use serde_json::{Value, json};

use super::{answer::Answer, app::TestApp, message::new_number};

pub const TOKEN: &str = "/auth/v1/token";
pub const OTP: &str = "/auth/v1/otp";
pub const VERIFY: &str = "/auth/v1/verify";
pub const USER: &str = "/auth/v1/user";
pub const RESEND: &str = "/auth/v1/resend";
pub const REAUTHENTICATE: &str = "/auth/v1/reauthenticate";
pub const LOGOUT: &str = "/auth/v1/logout";
pub const JWKS: &str = "/auth/v1/.well-known/jwks.json";
pub const DISCOVERY: &str = "/auth/v1/.well-known/openid-configuration";

pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The `n`-th number that no account has, with its country's code.
pub fn number(n: u32) -> String {
    format!("86{}", new_number(n))
}

impl TestApp {
    /// `GET` of a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], "").await
    }

    /// A request of an SDK that knows the API's version of 2024, with this access token.
    pub async fn sdk(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("apikey", "anon"),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json;charset=UTF-8"),
            ("x-client-info", "supabase-js-web/2"),
            ("x-supabase-api-version", "2024-01-01"),
        ];
        self.request(method, path, &headers, body.to_owned()).await
    }

    /// A `POST` of an SDK without a session: it shows its key.
    pub async fn sdk_post(&self, path: &str, body: Value) -> Answer {
        self.sdk(Method::POST, path, "anon", &body.to_string())
            .await
    }

    /// `POST /auth/v1/otp`, and the code that arrives.
    pub async fn otp_code(&self, phone: &str) -> String {
        let sent = self.sdk_post(OTP, json!({"phone": phone})).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        self.last_code(&phone[2..])
    }

    /// `POST /auth/v1/verify`.
    pub async fn verify(&self, phone: &str, code: &str) -> Answer {
        let body = json!({"type": "sms", "phone": phone, "token": code});
        self.sdk_post(VERIFY, body).await
    }

    /// A session by SMS.
    pub async fn signed_in(&self, phone: &str) -> Value {
        let code = self.otp_code(phone).await;
        let session = self.verify(phone, &code).await;
        assert_eq!(session.status, 200, "{session:?}");
        session.body
    }

    /// `POST /auth/v1/token` with this refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        let path = format!("{TOKEN}?grant_type=refresh_token");
        self.sdk_post(&path, json!({"refresh_token": token})).await
    }

    /// `GET /auth/v1/user`.
    pub async fn user(&self, access_token: &str) -> Answer {
        self.sdk(Method::GET, USER, access_token, "").await
    }

    /// `PUT /auth/v1/user`.
    pub async fn update_user(&self, access_token: &str, changes: Value) -> Answer {
        let changes = changes.to_string();
        self.sdk(Method::PUT, USER, access_token, &changes).await
    }

    /// `DELETE /auth/v1/user`.
    pub async fn delete_user(&self, access_token: &str, body: Value) -> Answer {
        let body = body.to_string();
        self.sdk(Method::DELETE, USER, access_token, &body).await
    }

    /// `POST /auth/v1/verify` of a change of the phone, showing this token or the SDK's key.
    pub async fn verify_move(&self, token: &str, phone: &str, code: &str) -> Answer {
        let body = json!({"type": "phone_change", "phone": phone, "token": code});
        self.sdk(Method::POST, VERIFY, token, &body.to_string())
            .await
    }

    /// `POST /auth/v1/resend`.
    pub async fn resend(&self, kind: &str, phone: &str) -> Answer {
        let body = json!({"type": kind, "phone": phone});
        self.sdk_post(RESEND, body).await
    }

    /// `GET /auth/v1/reauthenticate`, and the code that arrives.
    pub async fn nonce(&self, access_token: &str, phone: &str) -> String {
        let sent = self
            .sdk(Method::GET, REAUTHENTICATE, access_token, "")
            .await;
        sent.assert(200, json!({}));
        self.last_code(&phone[2..])
    }

    /// `GET /auth/v1/reauthenticate?for=delete`, and the code that arrives.
    pub async fn deletion_nonce(&self, access_token: &str, phone: &str) -> String {
        let path = format!("{REAUTHENTICATE}?for=delete");
        let sent = self.sdk(Method::GET, &path, access_token, "").await;
        sent.assert(200, json!({}));
        self.last_code(&phone[2..])
    }

    /// `POST /auth/v1/token` with this session token to exchange.
    pub async fn exchange(&self, session: &str) -> Answer {
        let body = json!({
            "grant_type": EXCHANGE, "subject_token": session, "subject_token_type": ACCESS_TOKEN
        });
        self.post(TOKEN, body).await
    }

    /// The access token for a session.
    pub async fn access_token(&self, session: &str) -> String {
        let answer = self.exchange(session).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// What the Lambda authorizer says of a header `Authorization`.
    pub async fn verdict_on(&self, header: &str) -> Value {
        let event = json!({"version": "2.0", "type": "REQUEST", "identitySource": [header]});
        self.authorize(event).await
    }
}

/// Header and claims of a token, unchecked.
pub fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let json = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&json).unwrap_or_default()
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

/// A JWT authorizer of API Gateway, with the keys that it has read.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>
pub struct JwtAuthorizer {
    pub issuer: String,
    pub audience: String,
    pub keys: JwkSet,
}

impl JwtAuthorizer {
    /// One that reads the keys where the issuer's discovery document says that they are.
    pub async fn of(app: &TestApp) -> Self {
        let discovery = app.get(DISCOVERY).await.body;
        let issuer = discovery["issuer"].as_str().unwrap().to_owned();
        let jwks = discovery["jwks_uri"].as_str().unwrap();
        let path = jwks.strip_prefix(&app.gateway_url()).unwrap();
        let keys = app.get(path).await.body;
        Self {
            issuer,
            audience: "authenticated".to_owned(),
            keys: serde_json::from_value(keys).unwrap(),
        }
    }

    /// Whether it lets a token in, at this moment in seconds: its key is among the keys by `kid`, the
    /// algorithm is RS256, the signature is right, `iss` is the issuer exactly, `aud` (or `client_id`) is an
    /// audience, `exp` is to come, `nbf` and `iat` are past.
    pub fn admits(&self, token: &str, now: u64) -> bool {
        let Ok(header) = jsonwebtoken::decode_header(token) else {
            return false;
        };
        let key = header.kid.and_then(|kid| self.keys.find(&kid));
        let Some(key) = key.and_then(|key| DecodingKey::from_jwk(key).ok()) else {
            return false;
        };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        let Ok(read) = jsonwebtoken::decode::<Value>(token, &key, &validation) else {
            return false;
        };
        let claim = |name: &str| read.claims[name].as_u64();
        let is_past = |name| claim(name).is_none_or(|at| at <= now);
        claim("exp").is_some_and(|exp| exp > now) && is_past("nbf") && is_past("iat")
    }
}

impl Answer {
    /// A refusal in the form since 2024.
    pub fn assert_d(&self, status: u16, code: &str, message: &str) {
        self.assert(status, json!({"code": code, "message": message}));
        let version = self.headers.get("x-supabase-api-version");
        assert_eq!(version.unwrap(), "2024-01-01");
    }
}
