//! The process around a handler: configuration, logging, the Lambda loop.

use std::{panic, sync::Arc};

use lambda_http::{Body, Error, Request, Response, service_fn};
use tracing::level_filters::LevelFilter;

use crate::{app::App, config::Config, log, time::UnixMs};

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
    let level = std::env::var("LOG_LEVEL").unwrap_or_default();
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    tracing::subscriber::set_global_default(log::subscriber(level, std::io::stdout))?;
    // The default hook prints the payload of a panic, which may quote what a request held.
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panic");
    }));
    let app = Arc::new(App::new(Config::from_env()?)?);
    lambda_http::run(service_fn(|request: Request| {
        let answer = handle(app.clone(), request, UnixMs::now());
        async { Ok::<_, Error>(answer.await) }
    }))
    .await
}
