//! `PUT /auth/v1/user`: changes the account: its phone, its password, what the app keeps with it (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Answers with the account.
pub async fn handle(app: Arc<App>, request: Request, now: UnixMs) -> Response<Body> {
    gotrue::update_user(&app, &request, now).await
}
