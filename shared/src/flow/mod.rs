//! What the endpoints do: decide with the domain, write through the store, send the SMS. The flows
//! know no HTTP and no dialect.

pub mod access_token;
pub mod change_name;
pub mod change_password;
pub mod change_phone;
mod client;
pub mod delete;
mod hiding;
pub mod import;
pub mod login;
pub mod move_phone;
mod new_password;
mod notice;
pub mod operator;
mod race;
pub mod recover;
mod redeem;
pub mod register;
pub mod reset_password;
mod send;
pub mod session;
pub mod sign_in;
pub mod update;
