//! The whole of Latchkey in one process: an embedded DynamoDB, an SNS endpoint that delivers into an
//! inbox, a KMS endpoint with two keys, and a gateway that converts HTTP requests to API Gateway events and runs the functions' own
//! handlers on them, by the routes of template.yaml.
//!
//! Only endpoints differ from AWS, never types: the functions call DynamoDB, SNS and KMS through the AWS
//! SDK, over HTTP. The API tests use the same library, so they test what `cargo run -p local` runs.
//!
//! # Layout
//!
//! - [`system`]: starts and stops all parts; [`demo`]: the demo accounts
//! - [`template`]: reads functions, routes, tables and environment variables from template.yaml
//! - [`environment`]: the environment variables of one function
//! - [`functions`]: the list of handlers
//! - [`gateway`], [`event`]: HTTP to API Gateway v2 events and back; [`throttle`]: its limit on requests
//! - [`dynamodb`], [`sns`], [`kms`]: the three services; [`server`]: what all HTTP servers here share
//! - [`clock`]: the clock, which tests can move; [`error`]: why the system did not start

pub mod clock;
pub mod demo;
pub mod dynamodb;
pub mod environment;
pub mod error;
pub mod event;
pub mod functions;
pub mod gateway;
pub mod kms;
pub mod server;
pub mod sns;
pub mod system;
pub mod template;
pub mod throttle;

pub use clock::Clock;
pub use error::StartError;
pub use sns::{Inbox, Sms};
pub use system::{Options, System};
pub use template::Template;
