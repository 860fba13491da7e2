//! `POST /auth/v1/resend`: sends a code again (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with the id of a message.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    gotrue::resend(&app, &request, now).await
}
