//! What is published for those who check access tokens: the public keys (RFC 7517), and where they are
//! (OpenID Connect Discovery 1.0).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, header},
};
use serde::Serialize;

use super::{issuer::issuer, refusal::refuse_for};
use crate::{
    app::App,
    dialect::{guard::guard, respond},
    domain::{error::Error, signing_key::PublicKey},
    telemetry::record,
};

/// Readers may keep the documents for ten minutes.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=600");

#[derive(Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

/// An RSA key (RFC 7518, 6.3.1).
#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    r#use: &'static str,
    key_ops: [&'static str; 1],
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl From<&PublicKey> for Jwk {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: "RSA",
            r#use: "sig",
            key_ops: ["verify"],
            alg: "RS256",
            kid: key.kid.clone(),
            n: BASE64_URL_SAFE_NO_PAD.encode(&key.modulus),
            e: BASE64_URL_SAFE_NO_PAD.encode(&key.exponent),
        }
    }
}

/// Answers with the public keys.
pub async fn jwks(app: &App, request: &Request) -> Response<Body> {
    let keys = guard(app.signing.public_keys()).await;
    let keys = keys.map(|keys| Jwks {
        keys: keys.iter().map(Jwk::from).collect(),
    });
    publish("jwks", request, keys)
}

#[derive(Serialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    token_endpoint: String,
    /// The standard wants one. Nobody is authorised there.
    authorization_endpoint: String,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 1],
}

/// Answers with the discovery document.
pub fn discovery(app: &App, request: &Request) -> Response<Body> {
    let document = issuer(request, app).map(|issuer| Discovery {
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        token_endpoint: format!("{issuer}/token"),
        authorization_endpoint: format!("{issuer}/authorize"),
        issuer,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
        grant_types_supported: ["urn:ietf:params:oauth:grant-type:token-exchange"],
    });
    publish("discovery", request, document)
}

fn publish(
    endpoint: &'static str,
    request: &Request,
    document: Result<impl Serialize, Error>,
) -> Response<Body> {
    match document {
        Ok(document) => {
            record::answered(endpoint, "OK", None);
            let mut answer = respond(200, &document);
            answer.headers_mut().insert(header::CACHE_CONTROL, CACHED);
            answer
        }
        Err(error) => refuse_for(endpoint, request, error.into()),
    }
}
