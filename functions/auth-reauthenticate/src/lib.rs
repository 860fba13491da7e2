//! `GET /auth/v1/reauthenticate`: sends the code that permits an old session to set a password (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with an empty object.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    gotrue::reauthenticate(&app, &request, now).await
}
