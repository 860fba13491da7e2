//! Dialect D: access tokens, their keys, and who checks them.

mod authorizer;
mod exchange;
mod published;
mod refresh;
mod sign_in;
