//! No log line, at any level, and no table may give a secret away: every scenario ends with a look.

use std::{
    io::{self, Write},
    sync::{Mutex, Once},
};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use super::TestApp;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs as the functions do, but at every level and into memory.
pub fn capture_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = shared::log::subscriber(LevelFilter::TRACE, || ToLog);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        shared::metrics::write_to(|line| writeln!(ToLog, "{line}").unwrap());
    });
}

/// What has been logged so far, by all tests.
pub fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned()
}

/// The same, line by line.
pub fn log_lines() -> Vec<Value> {
    let log = log();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Shows the end of the log when a test fails.
pub struct ShownOnFailure;

impl Drop for ShownOnFailure {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failure"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(4000)..].join("\n"));
        }
    }
}

/// Whether a text gives a secret away. Digits must stand alone: six of them occur in any time stamp.
fn holds(text: &str, secret: &str) -> bool {
    let is_digits = secret.bytes().all(|b| b.is_ascii_digit());
    text.match_indices(secret).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        !is_digits
            || ![before, after]
                .iter()
                .flatten()
                .any(|c| c.is_ascii_alphanumeric())
    })
}

/// # Panics
/// When a log line or an item holds what it must not.
pub async fn assert_kept(app: &TestApp) {
    let secrets = app.secrets.lock().unwrap().clone();
    let log = log();
    let mut stored = Vec::new();
    for table in ["users", "codes"] {
        let scan = app.tables().scan().table_name(app.table(table));
        for item in scan.send().await.unwrap().items.unwrap_or_default() {
            item.values().for_each(|value| texts(value, &mut stored));
        }
    }
    for secret in &secrets {
        let line = log.lines().find(|line| holds(line, secret));
        assert_eq!(line, None, "the log holds {secret}");
        // Phone numbers are what the tables are about.
        if !is_phone(secret) {
            let item = stored.iter().find(|text| holds(text, secret));
            assert_eq!(item, None, "a table holds {secret}");
        }
    }
}

fn is_phone(secret: &str) -> bool {
    secret.starts_with('+') || secret.len() == 11
}

fn texts(value: &AttributeValue, into: &mut Vec<String>) {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => into.push(text.clone()),
        AttributeValue::M(map) => map.values().for_each(|value| texts(value, into)),
        AttributeValue::L(list) => list.iter().for_each(|value| texts(value, into)),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => {}
        other => panic!("an attribute type that nothing of ours uses: {other:?}"),
    }
}

#[test]
fn a_code_in_a_line_is_found_and_six_digits_of_a_time_are_not() {
    assert!(holds(r#"{"message":"code 123456 sent"}"#, "123456"));
    assert!(holds("123456", "123456"));
    assert!(!holds("at 1780123456789", "123456"));
    assert!(holds("Bearer eyJx.y.z", "eyJx.y.z"));
}
