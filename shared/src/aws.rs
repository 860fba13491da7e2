//! The SDK's clients, from one HTTP client and one set of credentials a process.
//!
//! Built by hand rather than through `aws-config`: a Lambda function finds region and credentials in
//! its environment and nowhere else, so the provider chain would only cost size and start time.

use std::{ops::Deref, sync::OnceLock, time::Duration};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::http::http_client_fn;
use futures_util::future::{join, join_all};
use https::Https;
use tokio::{task::yield_now, time::timeout};

use crate::{config::AwsConfig, metrics::Metric};

mod https;

pub(crate) use https::never_connected;

/// Attempts of a DynamoDB call, and what there is for their back-off together.
const DYNAMODB_ATTEMPTS: u32 = 3;
const DYNAMODB_BACK_OFF: Duration = Duration::from_millis(300);
/// SNS takes a message within a few hundred milliseconds. It gets one attempt.
const SNS_ATTEMPT: Duration = Duration::from_millis(4_000);

/// The longest that a function's start waits for its first connections.
const OPEN: Duration = Duration::from_millis(250);

/// How many connections to DynamoDB the start of a function that sends messages opens: a send asks for
/// as many things at once. They are opened at the same time, so the second costs a start its handshake's
/// processor time, and the first request neither that nor the wait for it. The other functions ask for
/// one thing after another until they have answered.
const TO_SEND: usize = 2;

/// The clients a function calls AWS with.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB, with retries: every write is conditional or idempotent.
    pub dynamodb: Dynamodb,
    /// SNS, without: a publish is not repeated. Only where messages are sent.
    pub sns: Option<Sns>,
}

impl Clients {
    /// Builds the clients. No connection is made.
    pub fn new(config: &AwsConfig, connections: &Connections) -> Self {
        let http = |latency| {
            let connector = connections.https.connector(latency);
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
                    .with_max_attempts(DYNAMODB_ATTEMPTS)
                    .with_initial_backoff(Duration::from_millis(50))
                    .with_max_backoff(Duration::from_millis(200)),
            )
            .timeout_config(timeouts(
                config.dynamodb_attempt,
                config.dynamodb_attempt * DYNAMODB_ATTEMPTS + DYNAMODB_BACK_OFF,
            ));
        dynamodb.set_endpoint_url(config.dynamodb_endpoint.clone());
        let sns = connections.sns.is_some().then(|| {
            let mut sns = aws_sdk_sns::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(http(Metric::SmsLatency))
                .region(region)
                .credentials_provider(credentials)
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts(SNS_ATTEMPT, SNS_ATTEMPT));
            sns.set_endpoint_url(config.sns_endpoint.clone());
            Lazy::new(sns.build(), aws_sdk_sns::Client::from_conf)
        });
        Self {
            dynamodb: Lazy::new(dynamodb.build(), aws_sdk_dynamodb::Client::from_conf),
            sns,
        }
    }
}

/// DynamoDB's client.
pub type Dynamodb = Lazy<aws_sdk_dynamodb::Config, aws_sdk_dynamodb::Client>;
/// SNS's client.
pub type Sns = Lazy<aws_sdk_sns::Config, aws_sdk_sns::Client>;

/// A client, built when it is first used or when there is time: it parses a list of AWS's partitions,
/// which takes a fifth of a millisecond.
#[derive(Debug, Clone)]
pub struct Lazy<Config, Client> {
    config: Config,
    build: fn(Config) -> Client,
    client: OnceLock<Client>,
}

impl<Config: Clone, Client> Lazy<Config, Client> {
    fn new(config: Config, build: fn(Config) -> Client) -> Self {
        let client = OnceLock::new();
        Self {
            config,
            build,
            client,
        }
    }

    /// Builds the client, if what runs beside this is still waiting for something.
    pub async fn prepare(&self) {
        // What is refused at once, as nobody listens, has been refused by then.
        for _ in 0..3 {
            yield_now().await;
        }
        let _: &Client = self;
    }
}

impl<Config: Clone, Client> Deref for Lazy<Config, Client> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
            .get_or_init(|| (self.build)(self.config.clone()))
    }
}

impl From<aws_sdk_dynamodb::Client> for Dynamodb {
    fn from(client: aws_sdk_dynamodb::Client) -> Self {
        Self::new(client.config().clone(), aws_sdk_dynamodb::Client::from_conf)
    }
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
        let dynamodb = if self.sns.is_some() { TO_SEND } else { 1 };
        let dynamodb = (0..dynamodb).map(|_| self.https.open(&self.dynamodb));
        let sns = self.sns.iter().map(|sns| self.https.open(sns));
        let _ = timeout(OPEN, join(join_all(dynamodb), join_all(sns))).await;
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
