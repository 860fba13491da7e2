//! What a request costs: DynamoDB requests and how many of them wait for each other, counted at the
//! endpoint.

use crate::{
    login::wrong,
    support::{ERIC, scenario, sequential_depth},
};

#[tokio::test]
async fn a_send_and_a_login_wait_for_dynamodb_twice() {
    scenario(async |app| {
        let mut before = app.calls();
        let mut since = || {
            let now = app.calls();
            let new = (
                now.0[before.0.len()..].to_vec(),
                now.1[before.1.len()..].to_vec(),
            );
            before = now;
            new
        };
        let operations = |calls: &[crate::support::relay::Call]| -> Vec<String> {
            calls.iter().map(|call| call.operation.clone()).collect()
        };

        let (ticket, code) = app.login_code(ERIC).await;
        let (dynamodb, sns) = since();
        assert_eq!(
            operations(&dynamodb),
            ["BatchGetItem", "TransactWriteItems"]
        );
        assert_eq!(operations(&sns), ["Publish"]);
        assert_eq!(sequential_depth(&dynamodb), 2);
        assert!(
            sns[0].during.0 >= dynamodb[1].during.1,
            "stored before it is sent"
        );

        assert_eq!(app.log_in(&ticket, &wrong(&code, 0)).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem", "PutItem"]);

        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let (dynamodb, sns) = since();
        assert_eq!(operations(&dynamodb), ["BatchGetItem", "PutItem"]);
        assert_eq!(sequential_depth(&dynamodb), 2);
        assert!(sns.is_empty());

        // Refusals: a spent code is read about, a throttled send reads the account too.
        assert_eq!(app.log_in(&ticket, &code).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem"]);
        assert_eq!(app.send_login_code(ERIC).await.status, 400);
        assert_eq!(operations(&since().0), ["BatchGetItem", "GetItem"]);
    })
    .await;
}
