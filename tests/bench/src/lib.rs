//! Measures cold starts and requests of the release binaries. The benchmark implements the Lambda
//! Runtime API. It starts each binary many times and sends it requests, against the endpoints of the
//! local system, over plain HTTP and over TLS. Bare functions are measured beside it for comparison.
//!
//! # The ratios and their budgets
//!
//! All ratios are of lower quartiles. [`report`] holds the budgets.
//!
//! # Layout
//!
//! - [`runtime_api`]: the Runtime API, which a function polls for its next request
//! - [`relay`]: the relay before DynamoDB or SNS, which records calls and terminates TLS;
//!   [`authority`]: its certificates, new for every run; [`transport`]: both relays together
//! - [`binaries`]: builds the bare functions and copies all binaries; [`subject`]: starts one
//! - [`requests`]: prepares requests that succeed
//! - [`measure`]: a run; [`samples`]: its figures; [`report`]: the table, the JSON, the budgets
//! - [`growth`]: what requests consume when the tables have grown

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark"
)]

pub mod authority;
pub mod binaries;
pub mod growth;
pub mod measure;
pub mod relay;
pub mod report;
pub mod requests;
pub mod runtime_api;
pub mod samples;
pub mod subject;
pub mod transport;

/// An error, as one line.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
