//! The operator's switch: `control#stop` stops sends for as long as it is there.
//!
//! Without the attribute `countries` it stops all sends, otherwise those to the regions that this set of strings
//! names. It has no `ttl`. Operators write it, with `admin-support` or by hand; the other functions' roles may not.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Key, Seen, Store, failure::failed, item::primary_key, repeat};
use crate::domain::{error::Error, stop::Stop};

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

impl Store {
    /// Stops the sends to the regions that these names mean, or all where there are none.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn stop_sends(&self, names: Vec<String>) -> Result<(), Error> {
        let mut item = primary_key(Key::stop().pk);
        if !names.is_empty() {
            item.insert("countries".to_owned(), AttributeValue::Ss(names));
        }
        let put = self.client.put_item().table_name(&self.codes);
        let put = repeat::put(put.set_item(Some(item))).await;
        put.map(drop).map_err(|error| failed("PutItem", &error))
    }
}
