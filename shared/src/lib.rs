//! Latchkey's core: one-time codes by SMS on DynamoDB and SNS.
//!
//! # Layout
//! Arrows point one way: functions → [`dialect`] → [`flow`] → {[`slot`], [`store`], [`sms`],
//! [`token`]} → [`error`].
//!
//! - [`slot`], [`window`], [`code`], [`phone`], [`source`], [`spend`], [`fraud`], [`keys`]: pure. No
//!   I/O, no clock; time and randomness are arguments.
//! - [`store`], [`sms`], [`aws`]: the rim. Every DynamoDB condition lives in [`store`].
//! - [`flow`]: what the endpoints do. Knows no HTTP and no dialect.
//! - [`dialect`]: what the endpoints say. One dialect a file.
//! - [`request`], [`metrics`], [`log`]: what is told of a request when it has been answered.
//! - [`config`], [`app`], [`runtime`]: the environment, read once; what is built from it; the process.

pub mod app;
pub mod aws;
pub mod background;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod domain;
pub mod flow;
pub mod random;
pub mod runtime;
pub mod sms;
pub mod store;
pub mod telemetry;

pub use app::App;
pub use config::Config;
