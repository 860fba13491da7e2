//! Logs: one JSON object a line, ours only.
//!
//! A subscriber of our own, because there are no spans here: the library's keeps a registry for them,
//! which was 0.1 ms of every start (6 %) and 0.13 MB.

use std::fmt;

use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::clock;

/// What is logged, as `LOG_LEVEL` says, given to `write` line by line: `timestamp` and `level` as Lambda
/// reads them (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>),
/// and the event's own fields.
///
/// Whatever the level, only this crate speaks: the SDK's debug output quotes requests, and requests
/// hold phone numbers and messages.
pub fn subscriber(
    level: LevelFilter,
    write: impl Fn(&str) + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    Lines { level, write }
}

struct Lines<W> {
    level: LevelFilter,
    write: W,
}

impl<W: Fn(&str) + Send + Sync + 'static> Subscriber for Lines<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        ours && metadata.is_event() && self.level >= *metadata.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields(Map::new());
        fields.put("timestamp", now());
        fields.put("level", name(metadata.level()));
        event.record(&mut fields);
        fields.put("target", metadata.target());
        (self.write)(&Value::Object(fields.0).to_string());
    }

    // No span is enabled, so none is ever asked about.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn now() -> Value {
    let now = i64::try_from(clock::now().0).map(DateTime::from_millis);
    let now = now.ok().and_then(|now| now.fmt(Format::DateTime).ok());
    now.into()
}

fn name(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    /// What is written at this level, but for when.
    fn lines(level: LevelFilter, log: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = lines.clone();
        let subscriber = subscriber(level, move |line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let at = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            let at = DateTime::from_str(at.as_str().unwrap(), Format::DateTime).unwrap();
            let age = clock::now().0 as i64 - at.to_millis().unwrap();
            assert!((0..60_000).contains(&age), "{at}");
            written.lock().unwrap().push(line);
        });
        tracing::subscriber::with_default(subscriber, log);
        std::mem::take(&mut lines.lock().unwrap())
    }

    #[test]
    fn a_line_is_an_object_with_the_fields_and_the_message() {
        let logged = lines(LevelFilter::INFO, || {
            let (none, some): (Option<&str>, _) = (None, Some("\"x\"\n"));
            tracing::warn!(n = 5, yes = true, none, some, text = %7, debug = ?some, "said");
        });
        assert_eq!(
            logged,
            [json!({
                "level": "WARN", "target": "shared::log::tests", "message": "said", "n": 5,
                "yes": true, "some": "\"x\"\n", "text": "7", "debug": "Some(\"\\\"x\\\"\\n\")",
            })]
        );
    }

    #[test]
    fn nothing_below_the_level_nothing_of_others_and_no_span_is_logged() {
        let logged = lines(LevelFilter::WARN, || {
            let _span = tracing::error_span!("span", field = 1).entered();
            tracing::info!("too little");
            tracing::error!(target: "aws_sdk_dynamodb", "somebody else's");
            tracing::error!("ours");
        });
        let messages: Vec<_> = logged.iter().map(|line| &line["message"]).collect();
        assert_eq!(messages, ["ours"]);
    }
}
