//! Measures cold starts and requests of the release binaries. The benchmark implements the Lambda
//! Runtime API. It starts each binary many times and sends it requests, against the endpoints of the
//! local system, over plain HTTP and over TLS. Bare functions are measured beside it for comparison.
//!
//! # The ratios and their budgets
//!
//! Ratios of starts are of pairs, those of requests of lower quartiles; [`report`] holds the limits. The bare
//! functions are built with the functions' release profile. They are `bare-http`, a constant answer through
//! `lambda_http`, and `bare-sdk`, which builds the same SDK clients, opens the same connections and makes the
//! same calls as the function beside it, with the SDK's own HTTP client.
//!
//! - *start*: from the process's creation to the first poll, where nothing listens at the endpoints, over
//!   `bare-sdk`'s. `bare-http`'s start is in the JSON for comparison.
//! - *first*, *warm*: the first request after a start and the later ones, over TLS, over `bare-sdk`'s.
//! - *quicker*: with `--as-it-comes` only: start and first request over TLS with the SDK as it comes, over
//!   the function's.
//! - Functions that hash a password have budgets for their sizes only: the hash takes longer than the rest.
//!
//! # Layout
//!
//! - [`runtime_api`]: the Runtime API, which a function polls for its next request
//! - [`relay`]: the relay before DynamoDB or SNS, which records calls and terminates TLS;
//!   [`authority`]: its certificates, new for every run; [`transport`]: both relays together
//! - [`binaries`]: builds the bare functions and copies all binaries; [`subject`]: starts one
//! - [`requests`]: prepares requests that succeed
//! - [`measure`]: a run; [`samples`]: its figures; [`report`]: the table, the JSON, the budgets
//! - [`lambda`]: requests under Lambda's CPU share; [`share`]: the share, its price, its report;
//!   [`cgroup`]: the kernel's side of it
//! - [`hidden`]: whether time tells known phones from unknown ones; [`timing`]: which of two takes longer
//! - [`growth`]: what requests consume when the tables have grown

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark"
)]

pub mod authority;
pub mod binaries;
pub mod cgroup;
pub mod growth;
pub mod hidden;
pub mod lambda;
pub mod measure;
pub mod relay;
pub mod report;
pub mod requests;
pub mod runtime_api;
pub mod samples;
pub mod share;
pub mod subject;
pub mod timing;
pub mod transport;

/// An error, as one line.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
