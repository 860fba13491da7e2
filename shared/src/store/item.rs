//! Items: maps of attributes, in the SDK's form.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::domain::{error::Error, metadata::Metadata, phone::Phone};

/// An item, or the values of an expression.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The key attribute of both tables.
pub(super) const PK: &str = "pk";

/// The key of an item, as a call takes it.
pub(super) fn primary_key(pk: String) -> Item {
    HashMap::from([(PK.to_owned(), AttributeValue::S(pk))])
}

pub(super) fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// The number in an attribute; 0 if there is none.
pub(super) fn count(item: &Item, name: &str) -> u64 {
    match item.get(name) {
        Some(AttributeValue::N(n)) => n.parse().unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn serialize(item: &impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(item).map_err(|error| Error::internal(format!("item: {error}")))
}

/// A value as an attribute.
pub(super) fn attribute(value: &impl Serialize) -> Result<AttributeValue, Error> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|error| Error::internal(format!("item: {error}")))
}

pub(super) fn parse<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|error| Error::internal(format!("item: {error}")))
}

/// The JSON that an item holds.
pub(super) fn parse_json(json: &str) -> Result<Value, Error> {
    serde_json::from_str(json).map_err(|_| Error::internal("item: not JSON"))
}

/// The metadata that an item holds.
pub(super) fn parse_metadata(json: &str) -> Result<Metadata, Error> {
    let metadata = Metadata::from_stored(json);
    metadata.ok_or_else(|| Error::internal("item: not metadata"))
}

/// The phone that an item holds in two attributes.
pub(super) fn parse_phone(country: &str, national: &str) -> Result<Phone, Error> {
    let phone = Phone::from_parts(country, national);
    phone.ok_or_else(|| Error::internal("item: not a phone"))
}
