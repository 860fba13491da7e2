//! What is logged and measured of a request. This wing knows the domain only; every wing above may
//! use it.

pub mod context;
pub mod emf;
pub mod log;
pub mod metrics;
pub mod record;
