//! The pure core: no I/O, no clock, no randomness. It imports nothing but itself.
//!
//! The imports form no circle. Each file imports only from lines above its own:
//!
//! 1. [`time`], [`error`], [`hex`], [`digits`], [`origin_secret`], [`web_origin`], `numbering`
//! 2. [`window`], [`region`], [`password`], [`keys`], [`name`], [`session`], [`signing_key`], [`metadata`]
//! 3. [`client_address`], [`phone`], [`budget`], [`stop`]
//! 4. [`client`], [`user`], [`fraud`]
//! 5. [`slot`]
//! 6. [`purpose`], [`code`]
//! 7. [`slot_key`], [`token`], [`test_numbers`]
//! 8. [`requester`], [`access_token`]

pub mod access_token;
pub mod budget;
pub mod client;
pub mod client_address;
pub mod code;
pub mod digits;
pub mod error;
pub mod fraud;
pub mod hex;
pub mod keys;
pub mod metadata;
pub mod name;
mod numbering;
pub mod origin_secret;
pub mod password;
pub mod phone;
pub mod purpose;
pub mod region;
pub mod requester;
pub mod session;
pub mod signing_key;
pub mod slot;
pub mod slot_key;
pub mod stop;
pub mod test_numbers;
pub mod time;
pub mod token;
pub mod user;
pub mod web_origin;
pub mod window;
