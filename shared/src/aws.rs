//! The SDK's clients, from one HTTP client and one set of credentials a process.
//!
//! Built by hand rather than through `aws-config`: a Lambda function finds region and credentials in
//! its environment and nowhere else, so the provider chain would only cost size and start time.

use std::{error::Error as StdError, io, time::Duration};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedHttpClient, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{
    Builder,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::config::AwsConfig;

/// The certificate authorities AWS endpoints are signed by (<https://www.amazontrust.com/repository/>).
/// Trusting only these makes the start quicker (the system's list takes milliseconds to parse) and
/// a mis-issued certificate of anybody else's worthless.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// DynamoDB answers in single-digit milliseconds; one that takes a second is not going to. Three
/// attempts and their back-off stay within [`DYNAMODB_OPERATION`].
const DYNAMODB_ATTEMPT: Duration = Duration::from_millis(900);
const DYNAMODB_OPERATION: Duration = Duration::from_millis(3_000);
/// SNS takes a message within a few hundred milliseconds. It gets one attempt.
const SNS_ATTEMPT: Duration = Duration::from_millis(4_000);
const CONNECT: Duration = Duration::from_millis(800);

/// The clients a function calls AWS with.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB, with retries: every write is conditional or idempotent.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SNS, without: a publish is not repeated.
    pub sns: aws_sdk_sns::Client,
}

impl Clients {
    /// Builds the clients. No connection is made.
    ///
    /// # Errors
    /// A sentence about `AWS_CA_BUNDLE`, when it is set and cannot be used.
    pub fn new(config: &AwsConfig) -> Result<Self, String> {
        let http = http_client(config.ca_bundle.as_deref())?;
        let region = Region::new(config.region.clone());
        let credentials = Credentials::new(
            &config.access_key_id,
            &config.secret_access_key,
            config.session_token.clone(),
            None,
            "environment",
        );
        let timeouts = |attempt, operation| {
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .operation_attempt_timeout(attempt)
                .operation_timeout(operation)
                .build()
        };
        let mut dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.clone())
            .region(region.clone())
            .credentials_provider(credentials.clone())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(50))
                    .with_max_backoff(Duration::from_millis(200)),
            )
            .timeout_config(timeouts(DYNAMODB_ATTEMPT, DYNAMODB_OPERATION));
        dynamodb.set_endpoint_url(config.dynamodb_endpoint.clone());
        let mut sns = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(region)
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(SNS_ATTEMPT, SNS_ATTEMPT));
        sns.set_endpoint_url(config.sns_endpoint.clone());
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
        })
    }
}

fn http_client(ca_bundle: Option<&str>) -> Result<SharedHttpClient, String> {
    let mut trusted = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(path) = ca_bundle {
        let pem = std::fs::read(path)
            .map_err(|error| format!("environment variable AWS_CA_BUNDLE: {path}: {error}"))?;
        trusted = trusted.with_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| format!("environment variable AWS_CA_BUNDLE: {error}"))?;
    Ok(Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

/// Whether a request cannot have reached the other side, because there was no connection.
pub(crate) fn never_connected(error: &ConnectorError) -> bool {
    let mut source: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let refused = [
                io::ErrorKind::ConnectionRefused,
                io::ErrorKind::HostUnreachable,
                io::ErrorKind::NetworkUnreachable,
            ];
            if refused.contains(&error.kind()) {
                return true;
            }
        }
        source = error.source();
    }
    false
}
