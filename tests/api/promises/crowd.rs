//! A thousand independent users at once.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::support::{PATIENT, TestApp, costs::Table, scenario_with};

const CROWD: u32 = 1_000;

/// How many of their requests run at any moment. In Lambda each would have an environment of its own;
/// here they share one machine, and a function repeats a DynamoDB request after 900 ms. The keys that
/// they write show that a larger crowd would not conflict either.
const AT_ONCE: usize = 25;

fn phone(n: u32) -> String {
    format!("137{n:08}")
}

async fn create_users(app: &TestApp) {
    let create = |n: u32| async move {
        let name = format!("person{n}");
        app.create_user(1_000 + u64::from(n), &name, &phone(n))
            .await;
    };
    let created = stream::iter(0..CROWD).map(create).buffer_unordered(AT_ONCE);
    created.collect::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sends_to_different_numbers_do_not_meet() {
    // With little money left, a shard may be used up and the next one read.
    let environment = [("DAILY_SPEND_USD", "100000"), PATIENT];
    scenario_with(&environment, async |app| {
        create_users(app).await;
        let before = app.calls().0.len();
        let send = |n: u32| async move { app.send_login_code(&phone(n)).await.status };
        let sent = stream::iter(0..CROWD).map(send).buffer_unordered(AT_ONCE);
        let statuses: Vec<u16> = sent.collect().await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");

        // No request was repeated: no time-out, no lost race, no cancelled transaction.
        let (dynamodb, sns) = app.calls();
        let calls = &dynamodb[before..];
        let mut asked: HashMap<&str, u32> = HashMap::new();
        for call in calls {
            *asked.entry(&call.operation).or_default() += 1;
        }
        let mut expected: HashMap<&str, u32> = HashMap::new();
        let table = Table::documented();
        for operation in table.operations("send-login-message") {
            *expected.entry(operation).or_default() += CROWD;
        }
        assert_eq!(asked, expected);
        assert_eq!(sns.len(), usize::try_from(CROWD).unwrap());

        // Two transactions at one item would be a conflict. A single write waits its turn, as long as
        // not all requests write the same item.
        let mut transactions: HashMap<&str, u32> = HashMap::new();
        let mut single: HashMap<&str, u32> = HashMap::new();
        for call in calls {
            let writes = match call.operation.as_str() {
                "TransactWriteItems" => &mut transactions,
                _ => &mut single,
            };
            for key in &call.writes {
                *writes.entry(key).or_default() += 1;
            }
        }
        assert!(
            transactions.len() >= 2 * sns.len(),
            "{}",
            transactions.len()
        );
        let met = transactions.iter().find(|(_, times)| **times > 1);
        assert_eq!(met, None, "two transactions at one item");
        let crowded = single.iter().find(|(_, times)| **times > CROWD / 16);
        assert_eq!(crowded, None, "an item that every request writes");
    })
    .await;
}
