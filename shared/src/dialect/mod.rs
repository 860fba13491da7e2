//! The wire: each dialect parses and renders in one file and knows nothing of the others.

pub mod body;
mod guard;
pub mod message;
