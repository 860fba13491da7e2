//! What apps keep with an account for themselves (dialect D).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The largest metadata in bytes of JSON. Access tokens carry it, and API Gateway takes 10,240 bytes of headers
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
pub const MOST_BYTES: usize = 2048;

/// A JSON object that the account's owner has written. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// This with the keys of `changes`; a key that is `null` there is dropped. `None` if it would be too large.
    pub fn with(&self, changes: Map<String, Value>) -> Option<Self> {
        let mut merged = self.0.clone();
        for (key, value) in changes {
            if value.is_null() {
                merged.remove(&key);
            } else {
                merged.insert(key, value);
            }
        }
        let merged = Self(merged);
        (merged.to_json().len() <= MOST_BYTES).then_some(merged)
    }

    /// The JSON for the store.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Metadata from the store. `None` unless it is a JSON object.
    pub fn from_stored(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metadata(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn keys_are_merged_and_null_drops_one() {
        let before = Metadata(object(json!({"a": 1, "b": {"c": 2}, "d": 3})));
        let after = before.with(object(json!({"a": null, "b": {"e": 4}, "f": []})));
        let expected = json!({"b": {"e": 4}, "d": 3, "f": []});
        assert_eq!(after, Some(Metadata(object(expected))));
    }

    #[test]
    fn it_has_2_kib_at_most() {
        let of = |length: usize| {
            let changes = object(json!({"k": "x".repeat(length)}));
            Metadata::default().with(changes)
        };
        let largest = MOST_BYTES - r#"{"k":""}"#.len();
        let stored = of(largest).unwrap().to_json();
        assert_eq!(stored.len(), MOST_BYTES);
        assert_eq!(Metadata::from_stored(&stored), of(largest));
        assert_eq!(of(largest + 1), None);
        assert_eq!(Metadata::from_stored("[]"), None);
    }
}
