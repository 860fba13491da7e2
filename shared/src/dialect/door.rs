//! The door: a request is refused before anything of it is read if a web page of a foreign origin makes it,
//! or if it lacks the origin secret, where one is configured.
//!
//! HTTP APIs know no resource policy and no web application firewall. An operator who has a front door with
//! one, such as a CloudFront distribution, closes the API to everybody else by the secret
//! (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html>).

use std::sync::Arc;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, header},
};
use serde_json::json;

use super::respond;
use crate::{
    app::App,
    domain::time::UnixMs,
    telemetry::record::{self, Forbidden},
};

/// The header that the front door adds.
pub const ORIGIN_SECRET_HEADER: &str = "x-origin-secret";

/// Answers a request by `handle`, if the door admits it. Otherwise the answer is API Gateway's: 403 and
/// `{"message":"Forbidden"}`, in every dialect.
pub async fn through<Answer>(
    app: Arc<App>,
    request: Request,
    now: UnixMs,
    handle: impl FnOnce(Arc<App>, Request, UnixMs) -> Answer,
) -> Response<Body>
where
    Answer: Future<Output = Response<Body>>,
{
    let depends_on_origin = !app.config.web_origins.is_empty();
    let mut answer = match refusal(&app, &request) {
        Some(refusal) => {
            record::forbidden(refusal);
            respond(403, &json!({"message": "Forbidden"}))
        }
        None => handle(app, request, now).await,
    };
    if depends_on_origin {
        // What one origin gets, a cache must not give to another.
        let origin = HeaderValue::from_static("Origin");
        answer.headers_mut().insert(header::VARY, origin);
    }
    answer
}

fn refusal(app: &App, request: &Request) -> Option<Forbidden> {
    let header = |name: &str| Some(request.headers().get(name)?.as_bytes());
    let (secret, origins) = (&app.config.origin_secret, &app.config.web_origins);
    let secret = secret.as_ref();
    if secret.is_some_and(|secret| !secret.admits(header(ORIGIN_SECRET_HEADER))) {
        Some(Forbidden::OriginSecret)
    } else if !origins.admits(header("origin"), header("sec-fetch-site")) {
        Some(Forbidden::ForeignOrigin)
    } else {
        None
    }
}
