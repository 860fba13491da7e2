//! The SDK's clients, from one HTTP client and one set of credentials a process.
//!
//! Built by hand rather than through `aws-config`: a Lambda function finds region and credentials in
//! its environment and nowhere else, so the provider chain would only cost size and start time.

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::http::http_client_fn;
use futures_util::future::join;
use https::Https;
use tokio::time::timeout;

use crate::{config::AwsConfig, metrics::Metric};

mod https;

pub(crate) use https::never_connected;

/// DynamoDB answers in single-digit milliseconds; one that takes a second is not going to. Three
/// attempts and their back-off stay within [`DYNAMODB_OPERATION`].
const DYNAMODB_ATTEMPT: Duration = Duration::from_millis(900);
const DYNAMODB_OPERATION: Duration = Duration::from_millis(3_000);
/// SNS takes a message within a few hundred milliseconds. It gets one attempt.
const SNS_ATTEMPT: Duration = Duration::from_millis(4_000);

/// The longest that a function's start waits for its first connections.
const OPEN: Duration = Duration::from_millis(250);

/// The clients a function calls AWS with.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB, with retries: every write is conditional or idempotent.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SNS, without: a publish is not repeated. Only where messages are sent: a client reads its list
    /// of endpoints when it is built.
    pub sns: Option<aws_sdk_sns::Client>,
    /// What they connect through.
    pub connections: Connections,
}

impl Clients {
    /// Builds the clients: SNS's, if this function sends messages. No connection is made.
    ///
    /// # Errors
    /// A sentence about `AWS_CA_BUNDLE`, when it is set and cannot be used.
    pub fn new(config: &AwsConfig, sends: bool) -> Result<Self, String> {
        let https = Https::new(config.ca_bundle.as_deref())?;
        let http = |latency| {
            let connector = https.connector(latency);
            http_client_fn(move |_, _| connector.clone())
        };
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
                .operation_attempt_timeout(attempt)
                .operation_timeout(operation)
                .build()
        };
        let mut dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http(Metric::StoreLatency))
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
        let sns = sends.then(|| {
            let mut sns = aws_sdk_sns::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(http(Metric::SmsLatency))
                .region(region)
                .credentials_provider(credentials)
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts(SNS_ATTEMPT, SNS_ATTEMPT));
            sns.set_endpoint_url(config.sns_endpoint.clone());
            aws_sdk_sns::Client::from_conf(sns.build())
        });
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sns,
            connections: Connections {
                https,
                region: config.region.clone(),
                dynamodb: config.dynamodb_endpoint.clone(),
                sns: config.sns_endpoint.clone(),
                sends,
            },
        })
    }
}

/// The connections of a process.
#[derive(Debug)]
pub struct Connections {
    https: Https,
    region: String,
    dynamodb: Option<String>,
    sns: Option<String>,
    sends: bool,
}

/// Where an SDK finds its service, unless it is told.
macro_rules! endpoint {
    ($sdk:ident, $region:expr) => {{
        use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        let params = Params::builder().region($region).build().ok()?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
        endpoint.ok()?.url().to_owned()
    }};
}

impl Connections {
    /// Opens the connections that the first request will use: in Lambda a start has the processor to
    /// itself, a request the share its memory buys
    /// (<https://github.com/aws/aws-sdk-java-v2/issues/1999>), and once the function polls for a
    /// request the environment may be frozen until one comes. An endpoint that is down delays the
    /// start by 250 ms at most, and fails it never: the request that needs it will tell.
    pub async fn open(&self) {
        let dynamodb = async { self.https.open(&self.dynamodb().await?).await };
        let sns = async {
            if self.sends {
                self.https.open(&self.sns().await?).await?;
            }
            Some(())
        };
        let _ = timeout(OPEN, join(dynamodb, sns)).await;
    }

    async fn dynamodb(&self) -> Option<String> {
        Some(match &self.dynamodb {
            Some(url) => url.clone(),
            None => endpoint!(aws_sdk_dynamodb, &self.region),
        })
    }

    async fn sns(&self) -> Option<String> {
        Some(match &self.sns {
            Some(url) => url.clone(),
            None => endpoint!(aws_sdk_sns, &self.region),
        })
    }
}
