//! `ANY /auth/v1/{proxy+}`: everything else under this path (dialect D, "gotrue").

use std::sync::Arc;

use lambda_http::{Body, Request, Response};
use shared::{App, dialect::gotrue, domain::time::UnixMs};

/// Refuses the request.
pub async fn handle(_: Arc<App>, request: Request, _: UnixMs) -> Response<Body> {
    gotrue::not_here(&request)
}
