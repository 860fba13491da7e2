//! What the endpoints do: decide with the pure core, write through the store, send the SMS. No HTTP,
//! no dialect.

pub mod accounts;
mod challenge;
pub mod import;
pub mod login;
pub mod password;
pub mod phone;
pub mod recover;
pub mod session;
