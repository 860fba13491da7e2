//! `GET /auth/v1/.well-known/jwks.json` and `…/openid-configuration`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::{
    Answer, TestApp,
    gotrue::{DISCOVERY, EXCHANGE, JWKS},
    scenario, scenario_with,
};

#[track_caller]
fn assert_public(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "public, max-age=600");
    let json = "application/json; charset=utf-8";
    assert_eq!(answer.headers["content-type"], json);
}

async fn assert_discovery(app: &TestApp, issuer: &str) {
    let answer = app.get(DISCOVERY).await;
    assert_public(&answer);
    let expected = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/token"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "grant_types_supported": [EXCHANGE],
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn the_discovery_document_names_the_configured_issuer_or_the_api_s_own_host() {
    let issuer = "https://login.example.com/auth/v1";
    scenario_with(&[("ISSUER", issuer)], async |app| {
        assert_discovery(app, issuer).await;
    })
    .await;
    scenario_with(&[("ISSUER", "")], async |app| {
        let host = app.gateway_url().replace("http://", "https://");
        assert_discovery(app, &format!("{host}/auth/v1")).await;
    })
    .await;
}

#[tokio::test]
async fn the_public_keys_are_all_those_that_sign_or_will_sign() {
    for (keys, kids) in [
        ("local-a", vec!["local-a"]),
        ("local-b,local-a", vec!["local-b", "local-a"]),
    ] {
        scenario_with(&[("SIGNING_KEYS", keys)], async |app| {
            let answer = app.get(JWKS).await;
            assert_public(&answer);
            let published = answer.body["keys"].as_array().unwrap();
            for (key, kid) in published.iter().zip(&kids) {
                let n = key["n"].as_str().unwrap();
                let modulus = BASE64_URL_SAFE_NO_PAD.decode(n).unwrap();
                assert_eq!((modulus.len(), modulus[0] >= 0x80), (256, true));
                let expected = json!({
                    "kty": "RSA", "use": "sig", "key_ops": ["verify"], "alg": "RS256", "kid": kid,
                    "n": n, "e": "AQAB",
                });
                assert_eq!(*key, expected);
            }
            assert_eq!(published.len(), kids.len());
            // They are read once.
            app.get(JWKS).await;
            assert_eq!(app.kms.calls().len(), kids.len());
        })
        .await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_a_failure_that_passes_or_stays() {
    scenario(async |app| {
        app.kms.break_it(crate::support::fault::Fault::Refuses);
        let answer = app.get(JWKS).await;
        let message = "Processing this request timed out, please retry after a moment.";
        let body = json!({"code": 504, "error_code": "request_timeout", "msg": message});
        answer.assert(504, body);
        app.kms.mend().await;
        // One that stays is another.
        let denied = r#"{"__type":"AccessDeniedException"}"#.to_owned();
        let denies = crate::support::fault::Fault::Answers {
            status: 400,
            body: denied,
        };
        app.kms.break_it(denies);
        let answer = app.get(JWKS).await;
        let message = "Unexpected failure, please check server logs for more information";
        let body = json!({"code": 500, "error_code": "unexpected_failure", "msg": message});
        answer.assert(500, body);
        app.kms.mend().await;
        assert_public(&app.get(JWKS).await);
    })
    .await;
}
