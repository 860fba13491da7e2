//! Seed 004, "change the phone number", dialect C: every request, response and error row.

mod change;
mod code;
mod documents;
mod fields;
mod send;
mod session;
