//! The embedded DynamoDB behaves as the store expects. Checked through the SDK.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::{collections::HashMap, net::Ipv4Addr, path::Path};

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, ConditionCheck, KeysAndAttributes, Put,
        ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem,
    },
};
use local::{dynamodb, server::Server, template::Table};
use tokio::task::JoinSet;

type Item = HashMap<String, AttributeValue>;

async fn started(data_dir: Option<&Path>) -> (Server, Client) {
    let server = dynamodb::start((Ipv4Addr::LOCALHOST, 0).into(), data_dir)
        .await
        .unwrap();
    let client = dynamodb::client(&server.url());
    let tables = ["users", "codes"].map(|name| Table {
        resource: name.to_owned(),
        name: name.to_owned(),
        key: vec![("pk".to_owned(), "HASH".to_owned())],
        attributes: vec![("pk".to_owned(), "S".to_owned())],
        ttl: Some("ttl".to_owned()),
    });
    dynamodb::create_tables(&client, &tables).await.unwrap();
    dynamodb::create_tables(&client, &tables)
        .await
        .expect("tables that are there are no error");
    (server, client)
}

fn item(pk: &str, version: u64) -> Item {
    let version = AttributeValue::N(version.to_string());
    [("pk".to_owned(), text(pk)), ("version".to_owned(), version)].into()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

async fn get(client: &Client, table: &str, pk: &str) -> Option<Item> {
    let get = client
        .get_item()
        .table_name(table)
        .key("pk", text(pk))
        .consistent_read(true);
    get.send().await.unwrap().item
}

/// Moves a slot from version `seen` to the next if user `u` has version 1.
async fn transact(client: &Client, seen: u64) -> Result<(), Vec<CancellationReason>> {
    let put = Put::builder()
        .table_name("codes")
        .set_item(Some(item("slot", seen + 1)))
        .condition_expression("version = :seen")
        .expression_attribute_values(":seen", number(seen))
        .build();
    let check = ConditionCheck::builder()
        .table_name("users")
        .key("pk", text("u"))
        .condition_expression("version = :one")
        .expression_attribute_values(":one", number(1))
        .return_values_on_condition_check_failure(AllOld)
        .build();
    let sent = client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put.unwrap()).build())
        .transact_items(
            TransactWriteItem::builder()
                .condition_check(check.unwrap())
                .build(),
        )
        .send()
        .await;
    match sent.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
        Ok(_) => Ok(()),
        Err(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            Err(canceled.cancellation_reasons.unwrap())
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn codes(reasons: &[CancellationReason]) -> Vec<&str> {
    reasons
        .iter()
        .map(|reason| reason.code.as_deref().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_hundred_conditional_puts_wins() {
    let (_server, client) = started(None).await;
    let mut puts = JoinSet::new();
    for n in 0..100 {
        let put = client
            .put_item()
            .table_name("codes")
            .set_item(Some(item("slot", n)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(AllOld);
        puts.spawn(async move { (n, put.send().await) });
    }
    let (mut winners, mut shown) = (Vec::new(), Vec::new());
    for (n, put) in puts.join_all().await {
        match put.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) => winners.push(n),
            Err(PutItemError::ConditionalCheckFailedException(failed)) => {
                shown.push(failed.item.unwrap());
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((winners.len(), shown.len()), (1, 99));
    let kept = item("slot", winners[0]);
    assert!(shown.iter().all(|old| *old == kept));
    assert_eq!(get(&client, "codes", "slot").await, Some(kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_hundred_transactions_wins_each_version() {
    let (_server, client) = started(None).await;
    for (table, pk) in [("users", "u"), ("codes", "slot")] {
        let put = client
            .put_item()
            .table_name(table)
            .set_item(Some(item(pk, 1)));
        put.send().await.unwrap();
    }
    for version in 1..=3 {
        let mut transactions = JoinSet::new();
        for _ in 0..100 {
            let client = client.clone();
            transactions.spawn(async move { transact(&client, version).await });
        }
        let outcomes = transactions.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for reasons in outcomes.into_iter().filter_map(Result::err) {
            let lost = [
                ["ConditionalCheckFailed", "None"],
                ["TransactionConflict", "None"],
            ];
            assert!(
                lost.iter().any(|lost| codes(&reasons) == lost),
                "{reasons:?}"
            );
        }
    }
    assert_eq!(get(&client, "codes", "slot").await, Some(item("slot", 4)));
}

#[tokio::test]
async fn a_failed_check_shows_the_item_it_failed_on_and_writes_nothing() {
    let (_server, client) = started(None).await;
    let put = client
        .put_item()
        .table_name("codes")
        .set_item(Some(item("slot", 1)));
    put.send().await.unwrap();

    let absent = transact(&client, 1).await.unwrap_err();
    assert_eq!(codes(&absent), ["None", "ConditionalCheckFailed"]);
    assert!(absent[1].item.as_ref().is_none_or(HashMap::is_empty));

    let put = client
        .put_item()
        .table_name("users")
        .set_item(Some(item("u", 2)));
    put.send().await.unwrap();
    let wrong = transact(&client, 1).await.unwrap_err();
    assert_eq!(codes(&wrong), ["None", "ConditionalCheckFailed"]);
    assert_eq!(wrong[1].item, Some(item("u", 2)));
    assert_eq!(get(&client, "codes", "slot").await, Some(item("slot", 1)));
}

#[tokio::test]
async fn one_batch_reads_both_tables_and_leaves_out_what_is_not_there() {
    let (_server, client) = started(None).await;
    for (table, pk) in [("users", "u"), ("codes", "slot")] {
        let put = client
            .put_item()
            .table_name(table)
            .set_item(Some(item(pk, 1)));
        put.send().await.unwrap();
    }
    let keys = |pks: [&str; 2]| {
        let keys = pks.map(|pk| Item::from([("pk".to_owned(), text(pk))]));
        let keys = KeysAndAttributes::builder().set_keys(Some(keys.into()));
        keys.consistent_read(true).build().unwrap()
    };
    let batch = client
        .batch_get_item()
        .request_items("users", keys(["u", "nobody"]))
        .request_items("codes", keys(["slot", "nothing"]))
        .send()
        .await
        .unwrap();
    let both = [("users", "u"), ("codes", "slot")];
    let both = both.map(|(table, pk)| (table.to_owned(), vec![item(pk, 1)]));
    assert_eq!(batch.responses, Some(both.into()));
    assert!(batch.unprocessed_keys.is_none_or(|keys| keys.is_empty()));
}

#[tokio::test]
async fn expired_items_stay() {
    let (_server, client) = started(None).await;
    let mut expired = item("slot", 1);
    expired.insert("ttl".to_owned(), number(1));
    let put = client
        .put_item()
        .table_name("codes")
        .set_item(Some(expired.clone()));
    put.send().await.unwrap();
    assert_eq!(get(&client, "codes", "slot").await, Some(expired));
}

#[tokio::test]
async fn a_missing_table_is_an_error_with_its_code() {
    let (_server, client) = started(None).await;
    let get = client.get_item().table_name("none").key("pk", text("x"));
    let error = get.send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn a_data_directory_keeps_the_tables() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kept-{}", std::process::id()));
    let (server, client) = started(Some(&dir)).await;
    let put = client
        .put_item()
        .table_name("codes")
        .set_item(Some(item("slot", 1)));
    put.send().await.unwrap();
    server.stop().await;

    let (server, client) = started(Some(&dir)).await;
    assert_eq!(get(&client, "codes", "slot").await, Some(item("slot", 1)));
    server.stop().await;
    std::fs::remove_dir_all(dir).unwrap();
}
