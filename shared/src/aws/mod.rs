//! The SDK's clients, from one HTTP client and one set of credentials per process.
//!
//! They are built by hand and not by `aws-config`: a Lambda function finds region and credentials in
//! its environment and nowhere else, so the provider chain would add size and start time only.

pub(crate) mod failure;
mod https;

use std::{fmt, time::Duration};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};
use futures_util::future::{join, join3};
use tokio::time::timeout;

use crate::telemetry::metrics::Metric;
use https::Https;
pub(crate) use https::never_connected;

/// Where AWS is, and the function's credentials. `Debug` hides the credentials.
#[derive(Clone)]
pub struct AwsConfig {
    /// The region's name.
    pub region: String,
    /// The name of the region whose SNS sends the messages.
    pub sms_region: String,
    /// The credentials' id.
    pub access_key_id: String,
    /// Their secret.
    pub secret_access_key: String,
    /// The session token of temporary credentials, as Lambda's are.
    pub session_token: Option<String>,
    /// The URL of a DynamoDB other than AWS's.
    pub dynamodb_endpoint: Option<String>,
    /// The URL of an SNS other than AWS's.
    pub sns_endpoint: Option<String>,
    /// The URL of a KMS other than AWS's.
    pub kms_endpoint: Option<String>,
    /// The path of a PEM file of certificate authorities to trust beside Amazon's own.
    pub ca_bundle: Option<String>,
    /// How long one of the three attempts of a DynamoDB call may take. DynamoDB answers in
    /// single-digit milliseconds: an attempt that takes a second will not be answered.
    pub dynamodb_attempt: Duration,
}

impl fmt::Debug for AwsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsConfig")
            .field("region", &self.region)
            .field("sms_region", &self.sms_region)
            .field("dynamodb_endpoint", &self.dynamodb_endpoint)
            .field("sns_endpoint", &self.sns_endpoint)
            .field("kms_endpoint", &self.kms_endpoint)
            .finish_non_exhaustive()
    }
}

/// Attempts of a DynamoDB call, and the time that all its back-offs take together.
const DYNAMODB_ATTEMPTS: u32 = 3;
const DYNAMODB_BACK_OFF: Duration = Duration::from_millis(300);
/// The one attempt of an SNS call. SNS accepts a message within a few hundred milliseconds.
const SNS_ATTEMPT: Duration = Duration::from_millis(4_000);

/// Attempts of a KMS call, and the longest that each may take. KMS signs in some 10 ms. A repeated signature
/// harms nothing.
const KMS_ATTEMPTS: u32 = 2;
const KMS_ATTEMPT: Duration = Duration::from_millis(1_500);

/// The longest that a start waits for its first connections.
const OPEN: Duration = Duration::from_millis(250);

/// The clients a function calls AWS with.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB's, with retries: the [`store`](crate::store) writes so that it can be repeated.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SNS's, without retries: a publish is never repeated. Only where messages are sent.
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
        .region(Region::new(config.sms_region.clone()))
        .credentials_provider(credentials(config))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(SNS_ATTEMPT, SNS_ATTEMPT));
    sns.set_endpoint_url(config.sns_endpoint.clone());
    aws_sdk_sns::Client::from_conf(sns.build())
}

/// What makes KMS's client.
#[derive(Debug, Clone)]
pub struct KmsClient {
    config: AwsConfig,
    https: Https,
}

impl KmsClient {
    /// For these connections.
    pub fn new(config: &AwsConfig, connections: &Connections) -> Self {
        Self {
            config: config.clone(),
            https: connections.https.clone(),
        }
    }

    /// The client.
    pub fn client(&self) -> aws_sdk_kms::Client {
        let retries = RetryConfig::standard().with_max_attempts(KMS_ATTEMPTS);
        let mut kms = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(&self.https, Metric::KmsLatency))
            .region(Region::new(self.config.region.clone()))
            .credentials_provider(credentials(&self.config))
            .retry_config(retries.with_initial_backoff(Duration::from_millis(100)))
            .timeout_config(timeouts(KMS_ATTEMPT, KMS_ATTEMPT * KMS_ATTEMPTS));
        kms.set_endpoint_url(self.config.kms_endpoint.clone());
        aws_sdk_kms::Client::from_conf(kms.build())
    }
}

fn http_client(https: &Https, latency: Metric) -> SharedHttpClient {
    let connector = https.connector(latency);
    http_client_fn(move |_, _| connector.clone())
}

fn credentials(config: &AwsConfig) -> Credentials {
    let (id, secret) = (&config.access_key_id, &config.secret_access_key);
    let token = config.session_token.clone();
    Credentials::new(id, secret, token, None, "environment")
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
    /// Only where access tokens are signed or checked.
    kms: Option<String>,
}

/// Which services a function calls beside DynamoDB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uses {
    /// SNS: it sends messages.
    pub sns: bool,
    /// KMS: it signs access tokens, or checks them.
    pub kms: bool,
}

impl Connections {
    /// For the endpoints that the clients will call. No connection is opened yet.
    ///
    /// # Errors
    /// A sentence about `AWS_CA_BUNDLE`, when it is set and cannot be used.
    pub fn new(config: &AwsConfig, uses: Uses) -> Result<Self, String> {
        let (region, sms_region) = (&config.region, &config.sms_region);
        let dynamodb = config.dynamodb_endpoint.clone();
        let (sns, kms) = (config.sns_endpoint.clone(), config.kms_endpoint.clone());
        Ok(Self {
            https: Https::new(config.ca_bundle.as_deref())?,
            dynamodb: dynamodb.unwrap_or_else(|| endpoint("dynamodb", region)),
            sns: uses
                .sns
                .then(|| sns.unwrap_or_else(|| endpoint("sns", sms_region))),
            kms: uses
                .kms
                .then(|| kms.unwrap_or_else(|| endpoint("kms", region))),
        })
    }

    /// Opens the connections that the first request will use. In Lambda a start has a whole core, and
    /// a request the share that its memory buys
    /// (<https://github.com/aws/aws-sdk-java-v2/issues/1999>). Once the function asks for a request,
    /// its environment may be frozen until there is one.
    ///
    /// An endpoint that is down delays the start by 250 ms at most and does not fail it: the request
    /// that needs the endpoint reports it.
    pub async fn open(&self) {
        let _ = timeout(OPEN, self.open_all()).await;
    }

    /// A send makes two DynamoDB calls at once, and then one to SNS. The other functions make one call
    /// after another until they have answered. All connections are opened at the same time.
    async fn open_all(&self) {
        let dynamodb = || self.https.open(&self.dynamodb);
        match (&self.sns, &self.kms) {
            (Some(sns), _) => {
                join3(dynamodb(), dynamodb(), self.https.open(sns)).await;
            }
            (None, Some(kms)) => {
                join(dynamodb(), self.https.open(kms)).await;
            }
            (None, None) => {
                dynamodb().await;
            }
        }
    }
}

/// The endpoint that the service's SDK will resolve. It is computed by hand, because the SDK's resolver
/// takes 0.2 ms. If it were wrong, the connection opened in advance would not be used.
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

    /// The endpoint that an SDK resolves.
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
            assert_eq!(endpoint("kms", region), resolved!(aws_sdk_kms, region));
        }
    }
}
