//! What the tests share: a system under test, methods named for what people do with it, and checks.

pub mod acts;
mod answer;
mod app;
pub mod calls;

mod checkout;
mod codes;
pub mod costs;
pub mod fault;
pub mod keys;
pub mod left;
mod log;
pub mod message;
pub mod metrics;
pub mod mobile;
pub mod pair;
mod people;
pub mod permissions;
mod relay;
mod scenario;
mod secrets;
pub mod systems;
mod tables;
pub mod timing;

pub use answer::Answer;
pub use app::{FORM, PATIENT, TestApp, batches_are_snapshots};
pub use checkout::{root, template_yaml};
pub use codes::{digits_of, wrong};
pub use people::{ANNA, ERIC, ERIC_PASSWORD, MARY, eric, md5};
pub use scenario::{scenario, scenario_with};
