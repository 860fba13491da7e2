//! What the endpoints do: decide with the pure core, write through the store, send the SMS. No HTTP,
//! no dialect.

pub mod accounts;
pub mod budget;
pub mod import;
pub mod login;
pub mod password;
pub mod phone;
mod race;
pub mod recover;
mod redeem;
mod send;
pub mod session;
