//! What is logged and measured of a request. It knows the domain only; everybody may use it.

pub mod context;
pub mod log;
pub mod metrics;
