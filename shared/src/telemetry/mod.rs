//! The log and the metrics of a request.

pub mod context;
pub mod emf;
pub mod log;
pub mod metrics;
pub mod record;
