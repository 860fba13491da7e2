//! Updates that count once, although the SDK repeats an update whose answer was lost.
//!
//! An update that sets values can be repeated; one that shifts or adds cannot. Such an update leaves
//! its [`Op`] on the item, on condition that it is not there yet. If the condition fails and the item
//! has the op, an earlier attempt has done the work. This costs no request and no capacity. Should another
//! update replace the op between the two attempts, the work is done twice: a limit is then stricter by
//! one event, a count higher by one.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Item;
use crate::{
    domain::{error::Error, hex::Hex},
    random,
};

/// The random name of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op(String);

/// The attribute that holds it.
const OP: &str = "op";

impl Op {
    /// What the update sets.
    pub(super) const SET: &str = "op = :op";
    /// The condition of the update.
    pub(super) const IS_NEW: &str = "(attribute_not_exists(op) OR op <> :op)";
    /// The name of the value in both.
    pub(super) const VALUE: &str = ":op";

    /// Draws a name.
    ///
    /// # Errors
    /// [`Error::Internal`] without randomness.
    pub(super) fn draw() -> Result<Self, Error> {
        Ok(Self(Hex(&random::bytes::<8>()?).to_string()))
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// The name as an attribute.
    pub(super) fn value(&self) -> AttributeValue {
        AttributeValue::S(self.0.clone())
    }

    /// Whether the last such write of the item was this one.
    pub(super) fn made(&self, item: Option<&Item>) -> bool {
        let there = item.and_then(|item| item.get(OP)?.as_s().ok());
        there.is_some_and(|there| *there == self.0)
    }
}
