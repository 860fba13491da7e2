//! What the endpoints do: decide with the pure core, write through the store, send the SMS. No HTTP,
//! no dialect.

mod challenge;
pub mod login;
