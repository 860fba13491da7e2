//! The process around a handler: configuration, logging, the Lambda loop.

use std::{
    io::{self, Write},
    panic,
    pin::{Pin, pin},
    sync::Arc,
};

use futures_util::future::{Either, select};
use lambda_http::{
    Body, Error, LambdaEvent, Request, Response,
    aws_lambda_events::apigw::ApiGatewayV2httpResponse,
    lambda_runtime::{
        self, Runtime, service_fn,
        tower::{self, util::Then},
    },
    request::LambdaRequest,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::task::yield_now;
use tracing::level_filters::LevelFilter;

use crate::{
    app::App,
    aws::Connections,
    clock,
    config::Config,
    domain::time::UnixMs,
    telemetry::{context, log, metrics},
};

/// Serves a handler until Lambda ends the environment.
///
/// # Errors
/// What is wrong with the environment, in one sentence; Lambda's loop otherwise never ends.
pub async fn serve<Answer>(
    handle: impl Fn(Arc<App>, Request, UnixMs) -> Answer,
) -> Result<(), Error>
where
    Answer: Future<Output = Response<Body>> + Send,
{
    let app = start().await?;
    let handler = service_fn(|event: LambdaEvent<LambdaRequest>| {
        let (context, now) = (event.context, clock::now());
        // Boxed at once: what is wrapped around it would otherwise hold it several times over, 190 KB.
        let answer = boxed(|| handle(app.clone(), event.payload.into(), now));
        let app = &app;
        boxed(|| async move {
            let (function, id) = (&context.env_config.function_name, &context.request_id);
            let answer = context::observed(app, function, id, now, answer);
            Ok::<_, Error>(for_gateway(answer.await))
        })
    });
    // The outermost layer is back when the answer has been posted, and what it waits for holds up
    // nobody but the next event.
    let settled = tower::layer::layer_fn(|answering| {
        Then::new(answering, |posted: Result<(), Error>| async {
            app.background.settle().await;
            posted
        })
    });
    Runtime::new(handler).layer(settled).run().await
}

/// Serves a handler of a function that no route leads to: its own JSON in, its own JSON out.
///
/// # Errors
/// What is wrong with the environment, in one sentence.
pub async fn serve_events<Event, Report, Answer>(
    handle: impl Fn(Arc<App>, Event, UnixMs) -> Answer,
) -> Result<(), Error>
where
    Event: DeserializeOwned,
    Report: Serialize,
    Answer: Future<Output = Result<Report, Error>>,
{
    let app = start().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| {
        let (context, now) = (event.context, clock::now());
        let report = boxed(|| handle(app.clone(), event.payload, now));
        let app = &app;
        boxed(|| async move {
            let (function, id) = (&context.env_config.function_name, &context.request_id);
            context::observed(app, function, id, now, report).await
        })
    }))
    .await
}

/// A future on the heap. In a frame of its own, as the loop's would otherwise have room for it, and
/// a start touch nine pages of stack that nothing has come for yet.
#[inline(never)]
fn boxed<Work: Future>(begin: impl FnOnce() -> Work) -> Pin<Box<Work>> {
    Box::pin(begin())
}

/// What comes before the first event.
async fn start() -> Result<Arc<App>, Error> {
    // An empty text would read as ERROR.
    let level = std::env::var("LOG_LEVEL")
        .ok()
        .filter(|level| !level.is_empty());
    let level = level.and_then(|level| level.parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    tracing::subscriber::set_global_default(log::subscriber(level, to_cloudwatch))?;
    metrics::write_to(to_cloudwatch);
    // The default hook prints the payload of a panic, which may quote what a request held.
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panic");
    }));
    let config = Config::from_env()?;
    let connections = Connections::new(&config.aws, config.sends())?;
    // While connections open there is time to build what uses them.
    let opening = tokio::spawn({
        let connections = connections.clone();
        async move { connections.open().await }
    });
    yield_now().await;
    let app = Arc::new(App::over(&connections, config));
    let preparing = app.prepare();
    if let Either::Right(((), opening)) = select(opening, pin!(preparing)).await {
        // It cannot fail, but to panic, and then the first request will open what it needs.
        let _ = opening.await;
    }
    Ok(app)
}

/// Lambda hands standard output to CloudWatch line by line, and what is JSON already as it is.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>
fn to_cloudwatch(line: &str) {
    // Who can't log has nobody to tell.
    let _ = writeln!(io::stdout(), "{line}");
}

/// An answer as API Gateway takes it. `lambda_http::run` would do the same, at the cost of 0.2 MB for
/// decoding every charset there is.
fn for_gateway(answer: Response<Body>) -> ApiGatewayV2httpResponse {
    let (head, body) = answer.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = head.status.as_u16().into();
    answer.headers = head.headers;
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(body);
    answer
}
