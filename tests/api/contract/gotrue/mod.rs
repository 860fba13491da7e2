//! Dialect D: access tokens, their keys, and who checks them.

mod authorizer;
mod delete;
mod exchange;
mod not_here;
mod published;
mod refresh;
mod resend;
mod sign_in;
mod update;

use shared::domain::time::UnixMs;

/// A time as the dialect writes it.
fn rfc_3339(at: UnixMs) -> String {
    let at = aws_sdk_dynamodb::primitives::DateTime::from_millis(at.0.try_into().unwrap());
    let format = aws_sdk_dynamodb::primitives::DateTimeFormat::DateTime;
    at.fmt(format).unwrap()
}
