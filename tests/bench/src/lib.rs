//! What a cold start costs, measured: each release binary is started many times by a Lambda Runtime
//! API of the benchmark's own, against the local system's endpoints, over plain HTTP and over TLS,
//! beside bare functions built for comparison. No accelerator, no AWS.
//!
//! # Layout
//!
//! - [`runtime_api`]: the Runtime API, which a function polls for its next request
//! - [`relay`]: what stands before DynamoDB and SNS: counts what passes, and ends TLS;
//!   [`authority`]: the certificates for it, made anew for every run
//! - [`subject`]: a binary to measure, and its process
//! - [`requests`]: requests that succeed, a new one for every call
//! - [`measure`]: a run of it all; [`report`]: the table, the JSON, the budgets
//! - [`growth`]: what requests consume when the tables have grown

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark"
)]

pub mod authority;
pub mod growth;
pub mod measure;
pub mod relay;
pub mod report;
pub mod requests;
pub mod runtime_api;
pub mod subject;

/// Whatever has gone wrong, said in one line.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
