//! Shows operators what is stored, and writes nothing. It has no route and is invoked directly.

use std::sync::Arc;

use lambda_http::Error;
use serde_json::Value;
use shared::{
    App,
    dialect::operator::{self, Read},
    domain::time::UnixMs,
};

/// Answers whether it is done, or why not. The invocation fails when DynamoDB fails, and can be repeated.
///
/// # Errors
/// What failed, for the log.
pub async fn handle(app: Arc<App>, event: Read, now: UnixMs) -> Result<Value, Error> {
    let done = operator::read(&app, event, now).await;
    done.map_err(|error| format!("{error:?}").into())
}
