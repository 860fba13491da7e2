//! The operator's switch: `control#stop` stops sends for as long as it is there.
//!
//! An operator writes it by hand. Without the attribute `countries` it stops all sends, otherwise those
//! to the regions that this set of strings names. It has no `ttl`, and the functions' roles may not
//! write it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Key, Seen};
use crate::domain::stop::Stop;

impl Key {
    /// The switch.
    pub fn stop() -> Self {
        Self::of_codes("control#stop".to_owned())
    }
}

impl Seen {
    /// Which sends are stopped.
    pub fn stop(&self) -> Stop {
        match self.item(&Key::stop()).map(|item| item.get("countries")) {
            None => Stop::Nothing,
            Some(Some(AttributeValue::Ss(names))) => Stop::named(names.iter().map(String::as_str)),
            Some(_) => Stop::All,
        }
    }
}
