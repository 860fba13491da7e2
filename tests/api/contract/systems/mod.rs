//! Seed 002, "forgotten password", dialect B: every request, response and error row.

mod change;
mod documents;
mod make_sure;
mod send;
