//! Brings accounts over from elsewhere: takes `{"users":[…]}` and reports on each. Invoked directly;
//! no route leads to it.

use std::sync::Arc;

use lambda_http::Error;
use shared::{
    App,
    domain::time::UnixMs,
    flow::import::{self, Import, Report},
};

/// Answers with a report; the invocation fails when DynamoDB does, and can be repeated.
///
/// # Errors
/// What failed.
pub async fn handle(app: Arc<App>, event: Import, now: UnixMs) -> Result<Report, Error> {
    import::import(&app, &event, now)
        .await
        .map_err(|error| format!("{error:?}").into())
}
