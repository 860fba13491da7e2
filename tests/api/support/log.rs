//! What the functions log and measure, in memory and by system.
//!
//! All systems of a test run share one process and one subscriber. A line belongs to the system whose
//! namespace the request has that it was written for.

use std::{
    collections::HashMap,
    sync::{Mutex, Once},
};

use serde_json::Value;
use shared::telemetry::{context, emf, log};
use tracing::level_filters::LevelFilter;

static LINES: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

/// The namespace of lines that were written for no request.
const NOBODY: &str = "";

fn with_lines<T>(work: impl FnOnce(&mut HashMap<String, Vec<String>>) -> T) -> T {
    work(LINES.lock().unwrap().get_or_insert_default())
}

fn write(line: &str) {
    let namespace =
        context::current().map_or_else(|| NOBODY.to_owned(), |request| request.namespace.clone());
    with_lines(|lines| lines.entry(namespace).or_default().push(line.to_owned()));
}

/// Logs as the functions do, but at every level and into memory.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = log::subscriber(LevelFilter::TRACE, write);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        emf::write_to(write);
    });
}

/// What a system has logged so far.
pub fn lines_of(namespace: &str) -> Vec<String> {
    with_lines(|lines| lines.get(namespace).cloned().unwrap_or_default())
}

/// Takes away what a system has logged.
pub fn take(namespace: &str) -> Vec<String> {
    with_lines(|lines| lines.remove(namespace).unwrap_or_default())
}

/// Asserts that each line of a system says which function wrote it for which request, and that none
/// was written for no request at all.
pub fn assert_attributed(namespace: &str) {
    for line in lines_of(namespace) {
        let fields: Value = serde_json::from_str(&line).unwrap();
        for name in ["function", "request_id"] {
            let is_named = fields[name].as_str().is_some_and(|text| !text.is_empty());
            assert!(is_named, "a line without {name}: {line}");
        }
    }
    let strays = take(NOBODY);
    assert!(strays.is_empty(), "written for no request: {strays:#?}");
}

/// Shows the end of a system's log when its test fails.
pub struct ShownOnFailure(pub String);

impl Drop for ShownOnFailure {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failure"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = lines_of(&self.0);
            eprintln!("{}", lines[lines.len().saturating_sub(4000)..].join("\n"));
        }
    }
}
