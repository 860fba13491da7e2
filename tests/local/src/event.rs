//! An HTTP request as the event that an API Gateway HTTP API hands a function (payload format 2.0).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use shared::domain::time::UnixMs;
use time::{OffsetDateTime, macros::format_description};

use crate::template::Route;

/// What API Gateway adds to a request.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The route it took.
    pub route: &'a Route,
    /// The API's host name. API Gateway passes on no other `Host`.
    pub domain: &'a str,
    /// The client's address.
    pub source_ip: IpAddr,
    /// The request's id.
    pub request_id: &'a str,
    /// When it was received.
    pub now: UnixMs,
}

/// Converts a request's head and body to an event.
pub fn event(request: &Parts, body: &[u8], context: &Context<'_>) -> Value {
    let route_key = format!("{} {}", context.route.method, context.route.path);
    let (domain, source_ip) = (context.domain, context.source_ip.to_string());
    let query = request.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.uri.path(),
        "rawQueryString": query,
        "headers": headers(&request.headers, domain, &source_ip),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": "local",
            "http": {
                "method": request.method.as_str(),
                "path": request.uri.path(),
                "protocol": format!("{:?}", request.version),
                "sourceIp": source_ip,
                "userAgent": text(&request.headers, &header::USER_AGENT),
            },
            "requestId": context.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": time(context.now),
            "timeEpoch": context.now.0,
        },
        "isBase64Encoded": false,
    });
    let cookies: Vec<_> = request
        .headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| {
            String::from_utf8_lossy(line.as_bytes())
                .split("; ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !body.is_empty() {
        match std::str::from_utf8(body) {
            Ok(text) if is_text(&request.headers) => event["body"] = text.into(),
            _ => {
                event["body"] = BASE64_STANDARD.encode(body).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
    event
}

/// The headers as API Gateway passes them on: names in lower case, repeated headers joined with commas,
/// no cookies (the event lists them separately), and API Gateway's own headers. The client's
/// `X-Forwarded-For` stays in front of the source IP, as in AWS, so a function that trusted it could be
/// deceived here too.
fn headers(headers: &HeaderMap, domain: &str, source_ip: &str) -> Value {
    let mut all: Map<String, Value> = headers
        .keys()
        .filter(|name| **name != header::COOKIE)
        .map(|name| (name.to_string(), text(headers, name).into()))
        .collect();
    let forwarded = match all.get("x-forwarded-for").and_then(Value::as_str) {
        Some(claimed) => format!("{claimed}, {source_ip}"),
        None => source_ip.to_owned(),
    };
    all.insert("host".to_owned(), domain.into());
    all.insert("x-forwarded-for".to_owned(), forwarded.into());
    all.insert("x-forwarded-port".to_owned(), "443".into());
    all.insert("x-forwarded-proto".to_owned(), "https".into());
    all.into()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let decode = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let values: Vec<String> = headers.get_all(name).iter().map(decode).collect();
    values.join(",")
}

/// The decoded parameters. Values of a repeated parameter are joined with commas.
fn query_parameters(query: &str) -> Value {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let joined = match parameters.get(&*name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.into_owned(),
        };
        parameters.insert(name.into_owned(), joined.into());
    }
    parameters.into()
}

/// Whether API Gateway passes a body of this type on unchanged. Other bodies, forms included, are
/// Base64-encoded.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = text(headers, &header::CONTENT_TYPE).to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || [
            "application/json",
            "application/javascript",
            "application/xml",
        ]
        .contains(&media_type)
}

/// The time in the format of access logs: `12/Mar/2020:19:03:58 +0000`.
fn time(at: UnixMs) -> String {
    let format =
        format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
