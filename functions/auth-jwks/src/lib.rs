//! `GET /auth/v1/.well-known/jwks.json`: the public keys that check access tokens (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with the keys.
pub async fn handle(app: Arc<App>, request: Request, _now: UnixMs) -> Response<Body> {
    gotrue::jwks(&app, &request).await
}
