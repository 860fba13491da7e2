//! The connections that a function opens while it starts.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use bench::relay::Relay;
use local::{Clock, Inbox};
use shared::{
    aws::AwsConfig,
    aws::{Clients, Connections},
};
use tokio::{net::TcpListener, time::sleep};

fn clients(dynamodb: &str, sns: &str, sends: bool) -> (Connections, Clients) {
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        sms_region: "us-east-1".to_owned(),
        access_key_id: "local".to_owned(),
        secret_access_key: "local".to_owned(),
        session_token: None,
        dynamodb_endpoint: Some(dynamodb.to_owned()),
        sns_endpoint: Some(sns.to_owned()),
        ca_bundle: None,
        dynamodb_attempt: Duration::from_millis(900),
    };
    let connections = Connections::new(&config, sends).unwrap();
    let clients = Clients::new(&config, &connections);
    (connections, clients)
}

#[tokio::test]
async fn the_first_request_opens_no_connection() {
    for sends in [true, false] {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let dynamodb = local::dynamodb::start(any, None).await.unwrap();
        let inbox = Inbox::default();
        let sns = local::sns::start(any, inbox, Clock::default())
            .await
            .unwrap();
        let dynamodb = Relay::start(&dynamodb.url(), None).await.unwrap();
        let sns = Relay::start(&sns.url(), None).await.unwrap();

        let (connections, clients) = clients(&dynamodb.url(), &sns.url(), sends);
        connections.open().await;
        // The relay may see the second connection only after the first one has been answered.
        let expected = if sends { (2, 1) } else { (1, 0) };
        let opened = || (dynamodb.connections(), sns.connections());
        let begun = Instant::now();
        while opened() != expected && begun.elapsed() < Duration::from_secs(1) {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(opened(), expected);

        let list = || clients.dynamodb.list_tables().send();
        list().await.unwrap();
        if let Some(sns) = clients.sns {
            let (first, second) = tokio::join!(list(), list());
            first.and(second).unwrap();
            let publish = sns.publish().phone_number("+8613800138001");
            publish.message("hello").send().await.unwrap();
        }
        assert_eq!(opened(), expected);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_down_delays_a_start_by_a_quarter_of_a_second_at_most() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let refusing = "http://127.0.0.1:1";
    for (dynamodb, sns) in [
        (refusing, refusing),
        (&silent, refusing),
        (&silent, &silent),
    ] {
        let (connections, _) = clients(dynamodb, sns, true);
        let before = Instant::now();
        connections.open().await;
        assert!(before.elapsed() < Duration::from_millis(400));
    }
}
