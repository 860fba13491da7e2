//! The Lambda authorizer for other APIs: payload 2.0 in, the simple response out.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{TestApp, fault::Fault, gotrue::parts, scenario};

async fn assert_refused(app: &TestApp, header: &str) {
    let verdict = app.verdict_on(header).await;
    assert_eq!(verdict, json!({"isAuthorized": false}), "{header}");
}

#[tokio::test]
async fn who_shows_an_access_token_is_let_in_and_named() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let token = app.access_token(&session).await;
        let before = app.calls().0.len();
        for header in [format!("Bearer {token}"), format!("bearer  {token}")] {
            let expected = json!({
                "isAuthorized": true,
                "context": {
                    "sub": "00000000-0000-4000-8000-000000000005", "uuid": 5,
                    "session_id": parts(&token).1["session_id"],
                },
            });
            assert_eq!(app.verdict_on(&header).await, expected);
        }
        assert_eq!(app.calls().0.len() - before, 2, "one read each");
        let reads = app.kms.calls();
        let reads = reads.iter().filter(|call| call.operation == "GetPublicKey");
        assert_eq!(reads.count(), 1, "one read of the key in all");
    })
    .await;
}

#[tokio::test]
async fn nobody_else_is() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let token = app.access_token(&session).await;
        for header in ["", "Bearer", "Bearer x", "Basic eDp5", &token] {
            assert_refused(app, header).await;
        }
        let changed = format!("Bearer {}x", &token[..token.len() - 3]);
        assert_refused(app, &changed).await;
        assert_refused(app, &format!("Bearer {session}")).await;
        let nothing = app.authorize(json!({"version": "2.0", "type": "REQUEST"}));
        assert_eq!(nothing.await, json!({"isAuthorized": false}));
        app.wait(3600);
        assert_refused(app, &format!("Bearer {token}")).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_is_refused_at_once() {
    scenario(async |app| {
        let by_logout = app.session_of_eric().await;
        let by_password = app.session_of_eric().await;
        let by_operator = app.session_of_eric().await;
        let bearer = async |session: &str| format!("Bearer {}", app.access_token(session).await);
        let out = bearer(&by_logout).await;
        app.log_out(&by_logout).await.assert_ok(&json!(true));
        assert_refused(app, &out).await;

        let (other, own) = (bearer(&by_password).await, bearer(&by_operator).await);
        let old = crate::support::ERIC_PASSWORD;
        let changed = app.change_known_password(&by_operator, old, "second-password");
        assert_eq!(changed.await.status, 200);
        assert_refused(app, &other).await;
        assert_eq!(app.verdict_on(&own).await["isAuthorized"], true);

        let status = AttributeValue::N("1".into());
        app.operator_sets(5, "status", status).await;
        assert_refused(app, &own).await;
        app.operator_deletes(5).await;
        assert_refused(app, &own).await;
    })
    .await;
}

#[tokio::test]
async fn a_failure_on_our_side_lets_nobody_in_and_logs_nobody_out() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let bearer = format!("Bearer {}", app.access_token(&session).await);
        for relay in [&app.kms, &app.dynamodb] {
            relay.break_it(Fault::Refuses);
            let event = json!({"identitySource": [bearer]});
            assert!(app.try_authorize(event).await.is_err());
            relay.mend().await;
        }
        assert_eq!(app.verdict_on(&bearer).await["isAuthorized"], true);
    })
    .await;
}
