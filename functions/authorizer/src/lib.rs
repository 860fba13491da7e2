//! A Lambda authorizer for other APIs: lets in who shows an access token whose session goes on. It has no
//! route; API Gateway invokes it.

use std::sync::Arc;

use lambda_http::Error;
use shared::{
    App,
    dialect::authorizer::{self, Asked, Verdict},
    domain::time::UnixMs,
};

/// Answers with a verdict.
///
/// # Errors
/// What failed, for the log.
pub async fn handle(app: Arc<App>, asked: Asked, now: UnixMs) -> Result<Verdict, Error> {
    authorizer::authorize(&app, &asked, now)
        .await
        .map_err(|error| format!("{error:?}").into())
}
