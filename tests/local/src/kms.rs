//! A KMS endpoint with two RSA keys, which are made when the first of them is used and are gone with the process.
//!
//! It answers `Sign` and `GetPublicKey` in the protocol of the SDK, AWS JSON 1.1, and refuses as KMS does what
//! it does not know. <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>

use std::{net::SocketAddr, sync::OnceLock};

use aws_lc_rs::{
    digest::{Digest, SHA256},
    encoding::{AsDer, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{error::StartError, server::Server};

/// The ids of the keys.
pub const KEYS: [&str; 2] = ["local-a", "local-b"];

/// The only algorithm.
const ALGORITHM: &str = "RSASSA_PKCS1_V1_5_SHA_256";

/// Starts a KMS endpoint on `address`.
///
/// # Errors
/// [`StartError::Listen`].
pub async fn start(address: SocketAddr) -> Result<Server, StartError> {
    let router = Router::new().fallback(answer);
    Server::start("KMS", address, |listener, stopped| async move {
        let serve = axum::serve(listener, router);
        let stopped = async { drop(stopped.await) };
        // An error here means that it can't accept connections: its clients will report that.
        let _ = serve.with_graceful_shutdown(stopped).await;
    })
    .await
}

async fn answer(headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok());
    let asked = serde_json::from_slice(&body).unwrap_or_default();
    let answer = match target {
        Some("TrentService.Sign") => sign(&asked),
        Some("TrentService.GetPublicKey") => public_key(&asked),
        _ => Err(("UnknownOperationException", "Sign and GetPublicKey only")),
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err((kind, message)) => {
            let refusal = json!({"__type": kind, "message": message});
            (StatusCode::BAD_REQUEST, Json(refusal)).into_response()
        }
    }
}

/// The type and message of an error answer.
type Refusal = (&'static str, &'static str);

fn sign(asked: &Value) -> Result<Value, Refusal> {
    let (id, key) = key(asked)?;
    if asked["SigningAlgorithm"] != ALGORITHM || asked["MessageType"] != "DIGEST" {
        return Err((
            "ValidationException",
            "digests by RSASSA_PKCS1_V1_5_SHA_256 only",
        ));
    }
    let digest = asked["Message"].as_str().unwrap_or_default();
    let digest = BASE64_STANDARD.decode(digest).unwrap_or_default();
    let digest = Digest::import_less_safe(&digest, &SHA256);
    let digest = digest.map_err(|_| ("ValidationException", "Digest is invalid length"))?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature)
        .map_err(|_| FAILED)?;
    Ok(json!({
        "KeyId": id, "Signature": BASE64_STANDARD.encode(signature), "SigningAlgorithm": ALGORITHM
    }))
}

fn public_key(asked: &Value) -> Result<Value, Refusal> {
    let (id, key) = key(asked)?;
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| FAILED)?;
    Ok(json!({
        "KeyId": id, "PublicKey": BASE64_STANDARD.encode(der.as_ref()), "KeySpec": "RSA_2048",
        "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": [ALGORITHM]
    }))
}

const FAILED: Refusal = ("KMSInternalException", "AWS-LC failed");

/// The key that is asked for, by its id or its ARN.
fn key(asked: &Value) -> Result<(&'static str, &'static KeyPair), Refusal> {
    static PAIRS: [OnceLock<Option<KeyPair>>; 2] = [const { OnceLock::new() }; 2];
    let id = asked["KeyId"].as_str().unwrap_or_default();
    let known = KEYS
        .iter()
        .position(|key| id.rsplit('/').next() == Some(*key));
    let n = known.ok_or(("NotFoundException", "Invalid keyId"))?;
    let pair = PAIRS[n].get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok());
    pair.as_ref().map(|pair| (KEYS[n], pair)).ok_or(FAILED)
}
