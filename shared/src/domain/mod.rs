//! The pure core: no I/O, no clock, no randomness. It imports nothing but itself.

pub mod budget;
pub mod client_address;
pub mod code;
pub mod error;
pub mod fraud;
pub mod hex;
pub mod keys;
mod numbering;
pub mod password;
pub mod phone;
pub mod purpose;
pub mod slot;
pub mod slot_key;
pub mod test_numbers;
pub mod time;
pub mod token;
pub mod user;
pub mod window;
