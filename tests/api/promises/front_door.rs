//! The operator's front door: with an origin secret, a request that has not passed it is refused before
//! anything is read.

use serde_json::json;
use shared::{dialect::door::ORIGIN_SECRET_HEADER, telemetry::metrics::Metric};

use crate::support::{Answer, ERIC, TestApp, metrics::counted, scenario_with};

/// An origin secret, and the environment variable that holds it.
pub const SECRET: &str = "a-secret-of-thirty-two-characters";
/// See [`SECRET`].
pub const ORIGIN_SECRET: &str = r#"{"current":"a-secret-of-thirty-two-characters"}"#;

const PATHS: [&str; 4] = [
    "/v1/user/sendLoginMessage",
    "/v1/user/info",
    "/Systems/sendVerificationCode",
    "/v1/user/verify_code",
];

async fn with(app: &TestApp, path: &str, secret: Option<&str>) -> Answer {
    let body = json!({"phone": ERIC, "username": "eric", "mobile_phone": ERIC}).to_string();
    let secret = secret.map(|secret| (ORIGIN_SECRET_HEADER, secret));
    let headers: Vec<_> = secret.into_iter().collect();
    app.post_raw(path, &headers, body).await
}

#[tokio::test]
async fn without_the_secret_every_path_answers_403_and_reads_nothing() {
    scenario_with(&[("ORIGIN_SECRET", ORIGIN_SECRET)], async |app| {
        let calls = app.calls().0.len();
        for path in PATHS {
            for secret in [None, Some(""), Some("another"), Some(&SECRET[1..])] {
                let answer = with(app, path, secret).await;
                assert_eq!(
                    (answer.status, &answer.body),
                    (403, &json!({"message": "Forbidden"})),
                    "{path}"
                );
            }
        }
        assert_eq!(app.calls().0.len(), calls, "nothing is read");
        let refusals = counted(app, Metric::Refusals, Some(("Reason", "OriginSecret")));
        assert_eq!(refusals, 16.0);
        for path in PATHS {
            let answer = with(app, path, Some(SECRET)).await;
            assert_ne!(answer.status, 403, "{path}");
        }
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn while_the_secret_rotates_both_are_taken() {
    scenario_with(&[("ORIGIN_SECRET", ORIGIN_SECRET)], async |app| {
        let new = "another-secret-of-thirty-three-chars";
        let both = json!({"current": new, "previous": SECRET}).to_string();
        app.redeploy(&[("ORIGIN_SECRET", &both)]).await;
        for secret in [SECRET, new] {
            let answer = with(app, "/v1/user/info", Some(secret)).await;
            answer.assert_invalid_token();
        }
        let alone = json!({ "current": new }).to_string();
        app.redeploy(&[("ORIGIN_SECRET", &alone)]).await;
        let answer = with(app, "/v1/user/info", Some(new)).await;
        answer.assert_invalid_token();
        let old = with(app, "/v1/user/info", Some(SECRET)).await;
        assert_eq!(old.status, 403);
    })
    .await;
}
