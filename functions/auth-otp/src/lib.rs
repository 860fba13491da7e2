//! `POST /auth/v1/otp`: sends a code to sign in with (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with the id of the message.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    gotrue::otp(&app, &request, now).await
}
