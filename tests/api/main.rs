//! The API tests: the wire contract, row by row, against the whole system over HTTP; then what it
//! promises under races, faults and time.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod body;
mod faults;
mod limits;
mod login;
mod one_list;
mod races;
mod round_trips;
mod support;
