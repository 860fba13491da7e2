//! What the tests share: a system under test, methods named for what people do with it, and checks.

pub mod acts;
mod answer;
mod app;
pub mod calls;

mod checkout;
mod codes;
pub mod costs;
pub mod fault;
pub mod gotrue;
pub mod keys;
pub mod left;
mod log;
pub mod message;
pub mod metrics;
pub mod mobile;
pub mod pair;
mod people;
pub mod permissions;
mod person;
mod relay;
mod scenario;
mod secrets;
pub mod systems;
mod tables;
pub mod timing;
mod tokens;

pub use answer::Answer;
pub use app::{DAY, FORM, HOUR, PATIENT, TestApp};
pub use checkout::{paths, root, routes, template, template_yaml};
pub use codes::{digits_of, wrong};
pub use people::{
    ANNA, ERIC, ERIC_PASSWORD, HOME, MARY, ZOE, account, eric, eric_named, mary, md5,
};
pub use person::Person;
pub use scenario::{scenario, scenario_with};
pub use tokens::claims;
