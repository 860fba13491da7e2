//! The whole of Latchkey in one process: an embedded DynamoDB, an SNS endpoint that delivers into an
//! inbox, and a gateway that turns HTTP into API Gateway events and runs the functions' own handlers
//! on them, as template.yaml routes them.
//!
//! What is swapped is endpoints, never types: the functions reach DynamoDB and SNS through the AWS
//! SDK, over HTTP, as they do in AWS. The API tests are built from the same parts, so that what they
//! exercise is what people run.
//!
//! # Layout
//!
//! - [`system`]: everything together; [`demo`]: the accounts to try it with
//! - [`template`]: what template.yaml says of functions, routes, tables and environment
//! - [`environment`]: what one function finds in its environment here
//! - [`functions`]: the handlers, the one list of them
//! - [`gateway`], [`event`]: HTTP to API Gateway v2 events and back
//! - [`dynamodb`], [`sns`]: the two services; [`server`]: what their HTTP servers share
//! - [`clock`]: the time everything here goes by; tests can move it

pub mod clock;
pub mod demo;
pub mod dynamodb;
pub mod environment;
pub mod error;
pub mod event;
pub mod functions;
pub mod gateway;
pub mod server;
pub mod sns;
pub mod system;
pub mod template;

pub use clock::Clock;
pub use error::StartError;
pub use sns::{Inbox, Sms};
pub use system::{Options, System};
pub use template::Template;
