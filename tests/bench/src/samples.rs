//! The measured figures.

use std::time::Duration;

/// The samples of one binary over one transport.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Starts: from the process's creation to its first poll.
    pub start: Vec<Duration>,
    /// First requests.
    pub first: Vec<Duration>,
    /// The part of each first request during which it waited for the endpoints.
    pub first_waited: Vec<Duration>,
    /// Warm requests.
    pub warm: Vec<Duration>,
    /// The part of each warm request during which it waited for the endpoints.
    pub warm_waited: Vec<Duration>,
    /// Start plus first request.
    pub cold: Vec<Duration>,
    /// The highest peak memory of any process, in bytes.
    pub memory: u64,
}

/// The calls of one request to the endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// The operations of DynamoDB and SNS before the answer, in rounds: the calls of a round run at the
    /// same time, the rounds one after the other.
    pub rounds: Vec<Vec<String>>,
    /// Requests to DynamoDB, including those after the answer.
    pub dynamodb: usize,
    /// Sequential DynamoDB round trips before the answer.
    pub depth: usize,
    /// Requests to SNS.
    pub sns: usize,
    /// How long the request waited for the endpoints.
    pub waited: Duration,
}

/// A function's samples, and those of the bare functions beside it.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The function's name.
    pub name: String,
    /// Whether it hashes a password.
    pub hashes: bool,
    /// Whether its requests are compared with the bare functions'.
    pub compared: bool,
    /// The sizes of its binary and of its zip file, in bytes.
    pub sizes: (u64, u64),
    /// The calls of one request.
    pub cost: Cost,
    /// The function where nothing listens at the endpoints: starts only.
    pub alone: Samples,
    /// The function over plain HTTP.
    pub plain: Samples,
    /// The function over TLS.
    pub tls: Samples,
    /// `bare-http`, a constant answer through `lambda_http`: starts only.
    pub bare_http: Samples,
    /// `bare-sdk` with the remedies, where nothing listens at the endpoints: starts only.
    pub bare_sdk_alone: Samples,
    /// `bare-sdk`, the same SDK calls with the same remedies, over plain HTTP.
    pub bare_sdk_plain: Samples,
    /// `bare-sdk` over TLS.
    pub bare_sdk: Samples,
    /// `bare-sdk` with the SDK as it comes, over TLS. Empty unless asked for.
    pub as_it_comes: Samples,
}
