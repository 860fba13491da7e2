//! The gateway: converts HTTP requests to API Gateway events, runs the functions' handlers on them
//! and sends their answers.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::{App, dialect::door};

use crate::{
    clock::Clock,
    event::{Context, event},
    functions::Handler,
    server::{Bound, Server},
    sns::Inbox,
    template::{Cors, Route},
    throttle::{Bucket, Throttle},
};

/// API Gateway's own limit, in bytes.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Deferred work begins this long after the answer. In Lambda the answer has left the machine by then.
/// Here the client shares the processors with the functions, so deferred work that began at once would
/// delay the answer and reveal itself by timing.
const HEAD_START: Duration = Duration::from_millis(50);

/// The header by which a request names its own source IP, where [`Gateway::trust_source_ip_header`]
/// allows it.
pub const SOURCE_IP_HEADER: &str = "x-local-source-ip";

/// A configured function.
#[derive(Clone)]
pub struct Function {
    /// Its name: `send-login-message`.
    pub name: String,
    /// Its handler.
    pub handler: Handler,
    /// Its configured app.
    pub app: Arc<App>,
}

/// The gateway's configuration.
pub struct Gateway {
    /// The function of each route.
    pub routes: HashMap<Route, Function>,
    /// The allowed origins.
    pub cors_origins: Vec<String>,
    /// What the CORS headers allow these origins.
    pub cors: Cors,
    /// The messages of `GET /_local/messages`.
    pub inbox: Inbox,
    /// The clock of the functions.
    pub clock: Clock,
    /// How many requests it admits; `None`: all.
    pub throttle: Option<Throttle>,
    /// How many it admits on routes that have settings of their own.
    pub route_throttles: HashMap<Route, Throttle>,
    /// Whether a request may name its source IP, in [`SOURCE_IP_HEADER`].
    pub trust_source_ip_header: bool,
}

struct Running {
    gateway: Gateway,
    bucket: Option<Mutex<Bucket>>,
    route_buckets: HashMap<Route, Mutex<Bucket>>,
    requests: AtomicU64,
    domain: String,
}

impl Running {
    fn admits(&self, route: &Route) -> bool {
        let bucket = self.route_buckets.get(route).or(self.bucket.as_ref());
        bucket.is_none_or(|bucket| {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.admits(self.gateway.clock.now())
        })
    }
}

/// Starts the gateway on the address that was taken for it.
pub(crate) fn start(bound: Bound, gateway: Gateway) -> Server {
    let domain = bound.address().to_string();
    bound.serve(|listener, stopped| async move {
        let full = |throttle| Mutex::new(Bucket::full(throttle, gateway.clock.now()));
        let bucket = gateway.throttle.map(full);
        let route_buckets = gateway.route_throttles.iter();
        let route_buckets = route_buckets.map(|(route, throttle)| (route.clone(), full(*throttle)));
        let route_buckets = route_buckets.collect();
        let router = Router::new()
            .route("/_local/messages", get(messages))
            .route("/_local/wait/{seconds}", post(wait))
            .fallback(answer)
            .with_state(Arc::new(Running {
                gateway,
                bucket,
                route_buckets,
                requests: AtomicU64::new(1),
                domain,
            }))
            .into_make_service_with_connect_info::<SocketAddr>();
        let stopped = async { drop(stopped.await) };
        // An error here means that it can't accept connections: its clients will report that.
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
    })
}

async fn messages(State(running): State<Arc<Running>>) -> Json<Vec<Value>> {
    let messages = running.gateway.inbox.messages().into_iter();
    let shown =
        messages.map(|sms| json!({"phone": sms.phone, "message": sms.message, "at": sms.at}));
    Json(shown.collect())
}

/// Lets time pass: for the functions it is so many seconds later.
async fn wait(State(running): State<Arc<Running>>, Path(seconds): Path<u32>) -> StatusCode {
    let clock = &running.gateway.clock;
    clock.advance(Duration::from_secs(seconds.into()));
    StatusCode::NO_CONTENT
}

/// Answers a request, and adds the CORS headers for an allowed origin. As in AWS, a preflight request
/// reaches no function.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>
async fn answer(
    State(running): State<Arc<Running>>,
    peer: ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (origins, cors) = (&running.gateway.cors_origins, &running.gateway.cors);
    let (parts, body) = request.into_parts();
    let body = read(body).await;
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let allowed = origin.filter(|origin| origins.iter().any(|allowed| origin == allowed.as_str()));
    let is_preflight = !origins.is_empty() && parts.method == Method::OPTIONS;
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        invoke(running.clone(), peer, parts, body).await
    };
    let headers = response.headers_mut();
    if !origins.is_empty() {
        // Even for an origin that is not allowed: a cache must not give its answer to one that is.
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = allowed else {
        return response;
    };
    let list = |names: &[String]| HeaderValue::try_from(names.join(",")).ok();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let mut set = |name, value: Option<_>| value.map(|value| headers.insert(name, value));
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, list(&cors.exposed));
    if is_preflight {
        set(header::ACCESS_CONTROL_ALLOW_METHODS, list(&cors.methods));
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, list(&cors.headers));
        set(header::ACCESS_CONTROL_MAX_AGE, Some(cors.max_age.into()));
    }
    response
}

/// Reads a body to its end, and gives it unless it is too large. A connection that is closed before its
/// end may lose the answer.
async fn read(mut body: Body) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut is_too_large = false;
    while let Some(frame) = body.frame().await {
        // Nobody is left to answer.
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        is_too_large |= all.len() + data.len() > MAX_BODY;
        if !is_too_large {
            all.extend_from_slice(&data);
        }
    }
    (!is_too_large).then_some(all)
}

async fn invoke(
    running: Arc<Running>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut parts: Parts,
    body: Option<Vec<u8>>,
) -> Response {
    let gateway = &running.gateway;
    let asked = Route {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
    };
    let mut greedy = gateway.routes.iter();
    let found = gateway.routes.get_key_value(&asked);
    let found = found.or_else(|| greedy.find(|(route, _)| route.leads(&asked)));
    let Some((route, function)) = found.map(|(route, function)| (route, function.clone())) else {
        return refusal(StatusCode::NOT_FOUND, "Not Found");
    };
    if !running.admits(route) {
        return refusal(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
    }
    let Some(body) = body else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    // Removed in any case: the functions must not see it.
    let source_ip_header = parts.headers.remove(SOURCE_IP_HEADER);
    let claimed_ip = source_ip_header
        .filter(|_| gateway.trust_source_ip_header)
        .and_then(|ip| ip.to_str().ok()?.parse::<IpAddr>().ok());
    let number = running.requests.fetch_add(1, Ordering::Relaxed);
    let id = format!("local-{number}");
    let now = gateway.clock.now();
    let context = Context {
        route,
        domain: &running.domain,
        source_ip: claimed_ip.unwrap_or(peer.ip().to_canonical()),
        request_id: &id,
        now,
    };
    let event = event(&parts, &body, &context).to_string();
    // In a task of its own: as in AWS, the function continues when the client hangs up, and a panic
    // ends only its own request.
    let invocation = tokio::spawn(async move {
        let request = lambda_http::request::from_str(&event).ok()?;
        let app = function.app;
        let answer = door::through(app.clone(), request, now, function.handler);
        let answer = app.in_request(&function.name, &id, now, answer).await;
        tokio::spawn(async move {
            tokio::time::sleep(HEAD_START).await;
            app.background.start();
        });
        Some(answer)
    });
    match invocation.await {
        Ok(Some(response)) => response.map(body_of).into_response(),
        _ => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

fn body_of(body: lambda_http::Body) -> Body {
    match body {
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(bytes) => bytes.into(),
        _ => Body::empty(),
    }
}

/// An error answer of API Gateway itself.
fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}
