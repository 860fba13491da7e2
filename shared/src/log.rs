//! Logs: one JSON object a line, ours only.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::FilterExt, filter::filter_fn, fmt::MakeWriter, layer::SubscriberExt,
};

/// What is logged, as `LOG_LEVEL` says, to `writer`.
///
/// Whatever the level, only this crate speaks: the SDK's debug output quotes requests, and requests
/// hold phone numbers and messages.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = filter_fn(|metadata| metadata.target().starts_with(env!("CARGO_PKG_NAME")));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
        .with_filter(level.and(ours));
    tracing_subscriber::registry().with(lines)
}
