//! The API tests, over HTTP, against the whole system on this machine.
//!
//! - `contract`: what each endpoint answers, row by row of the documents
//! - `promises`: what holds under races, faults, limits and time
//! - `template`: template.yaml, events and permissions agree with the code
//! - `tree`: who imports whom in the source tree
//! - `support`: what the tests share; the other modules import nothing from each other

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod contract;
mod promises;
mod support;
mod template;
mod tree;
