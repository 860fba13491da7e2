//! The log: one JSON object a line, with the function and the request that the line belongs to.
//!
//! The subscriber is our own, because the log needs no spans: the registry that the library keeps for
//! them costs 0.1 ms of every start (6 %) and 0.13 MB. What a span would add to a line, the function
//! and the request id, comes from [`super::context`].

use std::{fmt, panic::PanicHookInfo};

use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use super::context;
use crate::clock;

/// A subscriber that gives each event of `level` and above to `write`, as one line.
///
/// A line has `timestamp` and `level` as Lambda reads them
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>),
/// `function` and `request_id` while a request is worked for, and the event's own fields.
///
/// Events of other crates are dropped at every level: the SDK's debug output quotes requests, and
/// requests hold phone numbers and messages.
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
        let mut fields = LineFields(Map::new());
        fields.put("timestamp", now());
        fields.put("level", name(metadata.level()));
        if let Some(request) = context::current() {
            fields.put("function", request.function.as_str());
            fields.put("request_id", request.request_id.as_str());
        }
        event.record(&mut fields);
        fields.put("target", metadata.target());
        (self.write)(&Value::Object(fields.0).to_string());
    }

    // No span is enabled, so the methods on spans are never called.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Logs a panic by its place. The default hook would print its payload too, which may quote what a
/// request held.
pub fn panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    tracing::error!(at, "panic");
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

struct LineFields(Map<String, Value>);

impl LineFields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for LineFields {
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
    use std::{
        panic::{self, AssertUnwindSafe},
        sync::{Arc, Mutex},
    };

    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::{domain::keys::KeyRing, telemetry::context::RequestInfo};

    /// The lines written at this level, without their time.
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
                "level": "WARN", "target": "shared::telemetry::log::tests", "message": "said", "n": 5,
                "yes": true, "some": "\"x\"\n", "text": "7", "debug": "Some(\"\\\"x\\\"\\n\")",
            })]
        );
    }

    #[tokio::test]
    async fn a_line_names_its_function_and_request_and_so_does_that_of_a_panic() {
        let written = Arc::new(Mutex::new(Vec::<Value>::new()));
        let lines = written.clone();
        let _default =
            tracing::subscriber::set_default(subscriber(LevelFilter::INFO, move |line| {
                lines
                    .lock()
                    .unwrap()
                    .push(serde_json::from_str(line).unwrap());
            }));
        let keys = r#"{"active":"k","k":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#;
        let request = RequestInfo {
            function: "mobile".to_owned(),
            request_id: "r1".to_owned(),
            namespace: "Latchkey".to_owned(),
            keys: Arc::new(KeyRing::parse(keys).unwrap()),
        };
        let usual = panic::take_hook();
        panic::set_hook(Box::new(super::panic));
        let work = async {
            tracing::warn!("a warning");
            panic!("hidden-secret");
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        let panicked: Result<(), _> = context::scope(Arc::new(request), clock::now(), work).await;
        panic::set_hook(usual);
        assert!(panicked.is_err());
        let written = written.lock().unwrap();
        let messages: Vec<_> = written.iter().map(|line| &line["message"]).collect();
        assert_eq!(messages, ["a warning", "panic"]);
        for line in written.iter() {
            assert_eq!(
                (&line["function"], &line["request_id"]),
                (&json!("mobile"), &json!("r1"))
            );
            assert!(!line.to_string().contains("hidden-secret"), "{line}");
        }
    }

    #[test]
    fn nothing_below_the_level_nothing_of_others_and_no_span_is_logged() {
        let logged = lines(LevelFilter::WARN, || {
            let _span = tracing::error_span!("span", field = 1).entered();
            tracing::info!("too little");
            tracing::error!(target: "aws_sdk_dynamodb", "of another crate");
            tracing::error!("ours");
        });
        let messages: Vec<_> = logged.iter().map(|line| &line["message"]).collect();
        assert_eq!(messages, ["ours"]);
    }
}
