//! The API tests: the wire contract, row by row, against the whole system over HTTP; then what it
//! promises under races, faults and time.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod alarms;
mod body;
mod budget;
mod change_password;
mod crowd;
mod faults;
mod fraud;
mod hidden;
mod import_users;
mod life;
mod limits;
mod login;
mod lost_answers;
mod metrics;
mod mobile;
mod one_list;
mod password_login;
mod purposes;
mod races;
mod register;
mod reset_password;
mod rotation;
mod round_trips;
mod sessions;
mod sources;
mod support;
mod systems;
mod test_numbers;
mod three_dialects;
