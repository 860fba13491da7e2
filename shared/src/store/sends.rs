//! The latest sends to a phone, in one item that is counted up without being read first.
//!
//! The item is a shift register: `s0` the newest send, `s1` the one before, as many as the largest
//! limit. DynamoDB evaluates the right-hand sides of an update on the item as it was, so one update
//! shifts them all, and its condition is the rolling window itself: with five an hour, a send is
//! admitted if the fifth newest (`s4`) is an hour old. [`crate::window`] has the same rule in Rust,
//! and says from the refused item when to come back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, Update, builders::UpdateBuilder,
};

use super::{Item, TTL_MARGIN, number, primary_key};
use crate::{config::SendLimits, phone::Phone, time::UnixMs, window::Window};

/// The item's key.
pub(super) fn key(phone: &Phone) -> String {
    format!("sends#{}", phone.e164())
}

/// Counts a send at `now`, if the limits admit it.
pub(super) fn count(phone: &Phone, now: UnixMs, limits: &SendLimits) -> UpdateBuilder {
    let kept = limits.day.events;
    let shifts: Vec<String> = (1..kept)
        .map(|n| format!("s{n} = if_not_exists(s{}, :never)", n - 1))
        .collect();
    let update = format!("SET s0 = :now, #ttl = :ttl, {}", shifts.join(", "));
    let update = update.trim_end_matches(", ");
    let nth = |events: usize, horizon: &str| {
        let s = format!("s{}", events - 1);
        format!("(attribute_not_exists({s}) OR {s} <= {horizon})")
    };
    let condition = format!(
        "{} AND {}",
        nth(limits.hour.events, ":hour"),
        nth(limits.day.events, ":day")
    );
    let useless_from = now.plus(limits.day.span).plus(TTL_MARGIN);
    let builder = Update::builder()
        .set_key(Some(primary_key(key(phone))))
        .update_expression(update)
        .condition_expression(condition)
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":now", number(now.0))
        .expression_attribute_values(":ttl", number(useless_from.as_secs()))
        .expression_attribute_values(":hour", number(limits.hour.horizon(now).0))
        .expression_attribute_values(":day", number(limits.day.horizon(now).0))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match kept {
        // DynamoDB refuses a value that no expression uses.
        1 => builder,
        _ => builder.expression_attribute_values(":never", number(0)),
    }
}

/// Update, condition and values that take the newest send off again if it is the one at `sent_at`.
pub(super) fn uncount(sent_at: UnixMs, limits: &SendLimits) -> (String, &'static str, Item) {
    let kept = limits.day.events;
    let shifts = (1..kept).map(|n| format!("s{} = s{n}", n - 1));
    let shifts: Vec<String> = shifts.chain([format!("s{} = :never", kept - 1)]).collect();
    let values = HashMap::from([
        (":sent_at".to_owned(), number(sent_at.0)),
        (":never".to_owned(), number(0)),
    ]);
    (
        format!("SET {}", shifts.join(", ")),
        "s0 = :sent_at",
        values,
    )
}

/// The item as a window.
pub(super) fn window(item: Option<&Item>) -> Window {
    let nth = |n: usize| match item?.get(&format!("s{n}"))? {
        AttributeValue::N(at) => at.parse().ok().map(UnixMs),
        _ => None,
    };
    Window((0..).map_while(nth).collect())
}
