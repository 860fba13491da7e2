//! The wire. Each dialect parses requests and renders answers, and knows nothing of the others.

pub mod authorizer;
pub mod body;
pub mod door;
pub mod gotrue;
mod guard;
pub mod import;
pub mod message;
pub mod mobile;
mod number;
pub mod operator;
pub mod systems;

use std::net::IpAddr;

use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{HeaderValue, StatusCode, header},
    request::RequestContext,
};
use serde::Serialize;

use crate::{
    app::App,
    domain::{
        client_address::{Source, client_address},
        error::Error,
        requester::Requester,
        time::retry_after_secs,
        token,
    },
};

/// The address of a request's client, as its account keeps it. Empty when API Gateway did not say it.
pub fn client_ip(request: &Request, app: &App) -> String {
    let address = address(request, app);
    address.map_or_else(String::new, |address| address.to_string())
}

/// Where a request comes from.
pub fn source(request: &Request, app: &App) -> Source {
    Source::of_client(address(request, app))
}

/// Who asks, by a request's source and by the session token that it shows: in `Authorization`, else in the
/// header `Token`, else `in_body`.
pub fn requester(request: &Request, in_body: Option<&str>, app: &App) -> Requester {
    let token = token_in_headers(request).or(in_body);
    Requester {
        source: source(request, app),
        session: token.and_then(|token| token::shown_session(&app.config.keys, token)),
    }
}

/// The token in the header `Authorization`, as a bearer's, or else in the header `Token`.
fn token_in_headers(request: &Request) -> Option<&str> {
    let header = request.headers().get("authorization");
    header
        .and_then(|header| bearer(header.to_str().ok()?))
        .or(token_header(request))
        .filter(|token| !token.is_empty())
}

/// The header `Token`.
fn token_header(request: &Request) -> Option<&str> {
    let header = request.headers().get("token")?;
    header.to_str().ok().map(str::trim)
}

/// The token of `Bearer x`, the scheme in any case (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The address of a request's client, behind the trusted proxies.
fn address(request: &Request, app: &App) -> Option<IpAddr> {
    let forwarded = request.headers().get("x-forwarded-for");
    let forwarded = forwarded.and_then(|value| value.to_str().ok());
    let source_ip = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    let proxies = app.config.limits.trusted_proxies;
    client_address(forwarded, source_ip.unwrap_or_default(), proxies)
}

/// A JSON answer with the headers of every answer.
fn respond(status: u16, body: &impl Serialize) -> Response<Body> {
    // These bodies are strings, numbers and maps with string keys: serialising them cannot fail.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    let status = StatusCode::from_u16(status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `Retry-After`, on a refusal that passes with time.
fn set_retry_after(response: &mut Response<Body>, error: &Error) {
    if let Some(wait) = error.retry_after() {
        let value = HeaderValue::from(retry_after_secs(wait));
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
}
