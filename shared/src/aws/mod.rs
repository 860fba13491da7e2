//! The SDK's clients, from one HTTP client and one set of credentials a process.
//!
//! Built by hand rather than through `aws-config`: a Lambda function finds region and credentials in
//! its environment and nowhere else, so the provider chain would only cost size and start time.

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};
use futures_util::future::join3;
use https::Https;
use tokio::time::timeout;

use crate::{config::AwsConfig, telemetry::metrics::Metric};

mod https;

pub(crate) use https::never_connected;

/// Attempts of a DynamoDB call, and what there is for their back-off together.
const DYNAMODB_ATTEMPTS: u32 = 3;
const DYNAMODB_BACK_OFF: Duration = Duration::from_millis(300);
/// SNS takes a message within a few hundred milliseconds. It gets one attempt.
const SNS_ATTEMPT: Duration = Duration::from_millis(4_000);

/// The longest that a function's start waits for its first connections.
const OPEN: Duration = Duration::from_millis(250);

/// The clients a function calls AWS with.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB, with retries: every write is conditional or idempotent.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SNS, without: a publish is not repeated. Only where messages are sent.
    pub sns: Option<aws_sdk_sns::Client>,
}

impl Clients {
    /// Clients over these connections.
    pub fn new(config: &AwsConfig, connections: &Connections) -> Self {
        let https = &connections.https;
        let sends = connections.sns.is_some();
        Self {
            dynamodb: dynamodb_client(config, https),
            sns: sends.then(|| sns_client(config, https)),
        }
    }
}

fn dynamodb_client(config: &AwsConfig, https: &Https) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(DYNAMODB_ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(50))
        .with_max_backoff(Duration::from_millis(200));
    let all_attempts = config.dynamodb_attempt * DYNAMODB_ATTEMPTS + DYNAMODB_BACK_OFF;
    let mut dynamodb = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(https, Metric::StoreLatency))
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials(config))
        .retry_config(retries)
        .timeout_config(timeouts(config.dynamodb_attempt, all_attempts));
    dynamodb.set_endpoint_url(config.dynamodb_endpoint.clone());
    aws_sdk_dynamodb::Client::from_conf(dynamodb.build())
}

fn sns_client(config: &AwsConfig, https: &Https) -> aws_sdk_sns::Client {
    let mut sns = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client(https, Metric::SmsLatency))
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials(config))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(SNS_ATTEMPT, SNS_ATTEMPT));
    sns.set_endpoint_url(config.sns_endpoint.clone());
    aws_sdk_sns::Client::from_conf(sns.build())
}

fn http_client(https: &Https, latency: Metric) -> SharedHttpClient {
    let connector = https.connector(latency);
    http_client_fn(move |_, _| connector.clone())
}

fn credentials(config: &AwsConfig) -> Credentials {
    let (id, secret) = (&config.access_key_id, &config.secret_access_key);
    Credentials::new(
        id,
        secret,
        config.session_token.clone(),
        None,
        "environment",
    )
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// The connections of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Connections {
    https: Https,
    dynamodb: String,
    /// Only where messages are sent.
    sns: Option<String>,
}

impl Connections {
    /// None yet, to the endpoints that the clients will ask: SNS's only if this function sends
    /// messages.
    ///
    /// # Errors
    /// A sentence about `AWS_CA_BUNDLE`, when it is set and cannot be used.
    pub fn new(config: &AwsConfig, sends: bool) -> Result<Self, String> {
        let region = &config.region;
        let dynamodb = config.dynamodb_endpoint.clone();
        let sns = config.sns_endpoint.clone();
        Ok(Self {
            https: Https::new(config.ca_bundle.as_deref())?,
            dynamodb: dynamodb.unwrap_or_else(|| endpoint("dynamodb", region)),
            sns: sends.then(|| sns.unwrap_or_else(|| endpoint("sns", region))),
        })
    }

    /// Opens the connections that the first request will use: in Lambda a start has the processor to
    /// itself, a request the share its memory buys
    /// (<https://github.com/aws/aws-sdk-java-v2/issues/1999>), and once the function polls for a
    /// request the environment may be frozen until one comes. An endpoint that is down delays the
    /// start by 250 ms at most, and fails it never: the request that needs it will tell.
    pub async fn open(&self) {
        let _ = timeout(OPEN, self.open_all()).await;
    }

    /// A send asks DynamoDB for two things at once, and then SNS; the other functions ask for one thing
    /// after another until they have answered. All are opened at the same time, so the others cost a
    /// start their handshakes' processor time, and the first request neither that nor the wait for it.
    async fn open_all(&self) {
        let to_dynamodb = || self.https.open(&self.dynamodb);
        if let Some(sns) = &self.sns {
            join3(to_dynamodb(), to_dynamodb(), self.https.open(sns)).await;
        } else {
            to_dynamodb().await;
        }
    }
}

/// Where a service is, as its SDK will find from a list that takes longer to read than to guess it
/// from: wrong, it is a connection that nobody uses.
fn endpoint(service: &str, region: &str) -> String {
    let domain = match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("https://{service}.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an SDK finds its service.
    macro_rules! resolved {
        ($sdk:ident, $region:expr) => {{
            use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
            let params = Params::builder().region($region).build().unwrap();
            let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
            endpoint.unwrap().url().to_owned()
        }};
    }

    #[tokio::test]
    async fn connections_are_opened_to_where_the_sdk_will_ask() {
        for region in [
            "us-east-1",
            "ap-east-1",
            "cn-north-1",
            "eusc-de-east-1",
            "us-gov-west-1",
        ] {
            assert_eq!(
                endpoint("dynamodb", region),
                resolved!(aws_sdk_dynamodb, region)
            );
            assert_eq!(endpoint("sns", region), resolved!(aws_sdk_sns, region));
        }
    }
}
