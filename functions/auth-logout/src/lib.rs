//! `POST /auth/v1/logout`: ends sessions (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with no content.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    gotrue::logout(&app, &request, now).await
}
