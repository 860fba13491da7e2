//! The process around a handler: configuration, log, the Lambda event loop.

use std::{
    io::{self, Write},
    panic,
    pin::Pin,
    sync::Arc,
};

use futures_util::future::join;
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

use crate::{
    app::App,
    aws::Connections,
    clock,
    config::Config,
    dialect::door,
    domain::time::UnixMs,
    telemetry::{emf, log},
};

/// Serves a handler until Lambda ends the environment.
///
/// # Errors
/// What is wrong with the environment, in one sentence. Otherwise the event loop never ends.
pub async fn serve<Answer>(
    handle: impl Fn(Arc<App>, Request, UnixMs) -> Answer,
) -> Result<(), Error>
where
    Answer: Future<Output = Response<Body>> + Send,
{
    let app = start().await?;
    let handler = service_fn(|event: LambdaEvent<LambdaRequest>| {
        let (context, now) = (event.context, clock::now());
        // Boxed at once: the layers around it would otherwise hold it several times over, 190 KB.
        let handle = |app, request, now| boxed(|| handle(app, request, now));
        let answer = door::through(app.clone(), event.payload.into(), now, handle);
        let app = &app;
        boxed(|| async move {
            let (function, id) = (&context.env_config.function_name, &context.request_id);
            let answer = app.in_request(function, id, now, answer).await;
            Ok::<_, Error>(for_gateway(answer))
        })
    });
    // The outermost layer returns when the answer has been posted. Waiting there delays the next event
    // and nothing else.
    let settled = tower::layer::layer_fn(|answering| {
        Then::new(answering, |posted: Result<(), Error>| async {
            app.background.settle().await;
            posted
        })
    });
    Runtime::new(handler).layer(settled).run().await
}

/// Serves a handler of a function without a route: its own JSON in, its own JSON out.
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
            app.in_request(function, id, now, report).await
        })
    }))
    .await
}

/// A future on the heap. `inline(never)`: otherwise the stack frame of the event loop would reserve
/// room for the unboxed future, and every start would touch 36 KB of stack for it.
#[inline(never)]
fn boxed<Work: Future>(make: impl FnOnce() -> Work) -> Pin<Box<Work>> {
    Box::pin(make())
}

/// Builds the app and opens its connections.
async fn start() -> Result<Arc<App>, Error> {
    panic::set_hook(Box::new(log::panic));
    let config = Config::from_env()?;
    tracing::subscriber::set_global_default(log::subscriber(config.log_level, to_cloudwatch))?;
    emf::write_to(to_cloudwatch);
    let connections = Connections::new(&config.aws, config.uses())?;
    // The clients are built while the handshakes are in flight: `join` polls `open` first.
    let build = async { App::over(&connections, config) };
    let ((), app) = join(connections.open(), build).await;
    Ok(Arc::new(app))
}

/// Lambda passes standard output to CloudWatch line by line, and JSON lines as they are.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>
fn to_cloudwatch(line: &str) {
    // A process that cannot write its log has nowhere to report that.
    let _ = writeln!(io::stdout(), "{line}");
}

/// An answer in API Gateway's form. `lambda_http::run` would do the same, and add 0.2 MB for decoding
/// every charset.
fn for_gateway(answer: Response<Body>) -> ApiGatewayV2httpResponse {
    let (head, body) = answer.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = head.status.as_u16().into();
    answer.headers = head.headers;
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(body);
    answer
}
