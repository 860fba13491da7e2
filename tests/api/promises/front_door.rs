//! The operator's front door: with an origin secret, a request that has not passed it is refused before
//! anything is read.

use reqwest::Method;
use serde_json::json;
use shared::{dialect::door::ORIGIN_SECRET_HEADER, telemetry::metrics::Metric};

use crate::support::{Answer, ERIC, TestApp, metrics::counted, routes, scenario_with};

/// An origin secret, and the environment variable that holds it.
pub const SECRET: &str = "a-secret-of-thirty-two-characters";
/// See [`SECRET`].
pub const ORIGIN_SECRET: &str = r#"{"current":"a-secret-of-thirty-two-characters"}"#;

async fn with(app: &TestApp, (method, path): &(Method, String), secret: Option<&str>) -> Answer {
    let body = json!({"phone": ERIC, "username": "eric", "mobile_phone": ERIC}).to_string();
    let secret = secret.map(|secret| (ORIGIN_SECRET_HEADER, secret));
    let headers: Vec<_> = secret.into_iter().collect();
    app.request(method.clone(), path, &headers, body).await
}

#[tokio::test]
async fn without_the_secret_every_route_answers_403_and_reads_nothing() {
    scenario_with(&[("ORIGIN_SECRET", ORIGIN_SECRET)], async |app| {
        let calls = app.calls().0.len();
        let wrong = [None, Some(""), Some("another"), Some(&SECRET[1..])];
        for route in &routes() {
            for secret in wrong {
                with(app, route, secret).await.assert_forbidden();
            }
        }
        assert_eq!(app.calls().0.len(), calls, "nothing is read");
        let refusals = counted(app, Metric::Refusals, Some(("Reason", "OriginSecret")));
        assert_eq!(refusals, (routes().len() * wrong.len()) as f64);
        for route in &routes() {
            let answer = with(app, route, Some(SECRET)).await;
            assert_ne!(answer.status, 403, "{route:?}");
            app.wait(60);
        }
        // Of a login, a changed password and a recovered one; a registration is refused, as he has an account.
        assert_eq!(app.texts(ERIC).len(), 3);
    })
    .await;
}

#[tokio::test]
async fn while_the_secret_rotates_both_are_taken() {
    scenario_with(&[("ORIGIN_SECRET", ORIGIN_SECRET)], async |app| {
        let info = (Method::POST, "/v1/user/info".to_owned());
        let new = "another-secret-of-thirty-three-chars";
        let both = json!({"current": new, "previous": SECRET}).to_string();
        app.redeploy(&[("ORIGIN_SECRET", &both)]).await;
        for secret in [SECRET, new] {
            let answer = with(app, &info, Some(secret)).await;
            answer.assert_invalid_token();
        }
        let alone = json!({ "current": new }).to_string();
        app.redeploy(&[("ORIGIN_SECRET", &alone)]).await;
        let answer = with(app, &info, Some(new)).await;
        answer.assert_invalid_token();
        let old = with(app, &info, Some(SECRET)).await;
        old.assert_forbidden();
    })
    .await;
}
