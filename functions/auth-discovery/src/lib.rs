//! `GET /auth/v1/.well-known/openid-configuration`: where the keys and the endpoints are (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with the document.
pub async fn handle(app: Arc<App>, request: Request, _now: UnixMs) -> Response<Body> {
    gotrue::discovery(&app, &request)
}
