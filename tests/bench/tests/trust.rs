//! The functions trust Amazon's certificate authorities and those of `AWS_CA_BUNDLE`, and no others.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{fs, net::Ipv4Addr, path::PathBuf, time::Duration};

use aws_sdk_dynamodb::error::DisplayErrorContext;
use bench::{
    authority::Authority,
    relay::{AT_ONCE, Relay},
};
use shared::{
    aws::AwsConfig,
    aws::{Clients, Connections, Uses},
};

/// Calls an endpoint with a certificate of this authority, as a function with this bundle does.
async fn list_tables(endpoint_of: &Authority, bundle: Option<&str>) -> Result<(), String> {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let dynamodb = local::dynamodb::start(address, None).await.unwrap();
    let server = Some(endpoint_of.server.clone());
    let relay = Relay::start(&dynamodb.url(), server, AT_ONCE)
        .await
        .unwrap();
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        sms_region: "us-east-1".to_owned(),
        access_key_id: "local".to_owned(),
        secret_access_key: "local".to_owned(),
        session_token: None,
        dynamodb_endpoint: Some(relay.url()),
        sns_endpoint: Some(relay.url()),
        kms_endpoint: None,
        ca_bundle: bundle.map(str::to_owned),
        dynamodb_attempt: Duration::from_millis(900),
    };
    let clients = Clients::new(
        &config,
        &Connections::new(
            &config,
            Uses {
                sns: true,
                kms: false,
            },
        )?,
    );
    let listed = clients.dynamodb.list_tables().send().await;
    assert!(relay.connections() > 0, "the endpoint was not called");
    listed
        .map(drop)
        .map_err(|error| DisplayErrorContext(error).to_string())
}

fn bundle(name: &str, pem: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, pem).unwrap();
    file
}

#[tokio::test]
async fn a_foreign_certificate_is_refused() {
    let (foreign, ours) = (Authority::new().unwrap(), Authority::new().unwrap());
    let refused = list_tables(&foreign, None).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");

    let other = bundle("other.pem", &ours.pem);
    let refused = list_tables(&foreign, other.to_str()).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_the_bundles_authority_is_accepted() {
    let authority = Authority::new().unwrap();
    let own = bundle("own.pem", &authority.pem);
    assert_eq!(list_tables(&authority, own.to_str()).await, Ok(()));
}

#[tokio::test]
async fn the_error_of_an_unusable_bundle_names_it() {
    let authority = Authority::new().unwrap();
    let broken = bundle(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    for file in [broken.to_str().unwrap(), "/no/such/file"] {
        let refused = list_tables(&authority, Some(file)).await.unwrap_err();
        assert!(refused.contains("AWS_CA_BUNDLE"), "{refused}");
        assert!(refused.contains(file), "{refused}");
    }
}
