//! Imports accounts from another system: takes `{"users":[…]}` and reports on each. It has no route and
//! is invoked directly.

use std::sync::Arc;

use lambda_http::Error;
use shared::{
    App,
    dialect::import::{self, Import, Report},
    domain::time::UnixMs,
};

/// Answers with a report. The invocation fails when DynamoDB fails, and can be repeated.
///
/// # Errors
/// What failed, for the log.
pub async fn handle(app: Arc<App>, event: Import, now: UnixMs) -> Result<Report, Error> {
    import::run(&app, &event, now)
        .await
        .map_err(|error| format!("{error:?}").into())
}
