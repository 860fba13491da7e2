//! No log line, at any level, and no table may contain a secret: every scenario ends with a search.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::{app::TestApp, log};

/// Secrets, looked for all at once: there are thousands, and megabytes to look through.
struct Search {
    secrets: Vec<String>,
    all: AhoCorasick,
}

impl Search {
    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets: Vec<String> = secrets.into_iter().collect();
        let all = AhoCorasick::new(&secrets).unwrap();
        Self { secrets, all }
    }

    /// The secret that a text gives away. Digits must stand alone: six of them occur in any time
    /// stamp.
    fn found_in(&self, text: &str) -> Option<&str> {
        let stands_alone = |start: usize, end: usize| {
            let before = text[..start].chars().next_back();
            let after = text[end..].chars().next();
            let joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            !joined(before) && !joined(after)
        };
        let mut matches = self.all.find_overlapping_iter(text);
        let found = matches.find(|found| {
            let secret = &self.secrets[found.pattern()];
            let is_digits = secret.bytes().all(|b| b.is_ascii_digit());
            !is_digits || stands_alone(found.start(), found.end())
        });
        found.map(|found| self.secrets[found.pattern()].as_str())
    }

    /// The secret that a log line gives away. It has a number of its own as long as a code, and of
    /// some thousands of codes one may be that: the status that dialect C answers with.
    fn found_in_line(&self, line: &str) -> Option<&str> {
        self.found_in(line)?;
        let mut line: Value = serde_json::from_str(line).unwrap_or_else(|_| line.into());
        let is_status = |text: &str| text.len() == 6 && text.starts_with("4001");
        if line["outcome"].as_str().is_some_and(is_status) {
            line["outcome"].take();
        }
        self.found_in(&line.to_string())
    }
}

/// Searches all that this system has logged and stored.
///
/// # Panics
/// When a log line or an item contains a secret.
pub async fn assert_kept(app: &TestApp) {
    let secrets = app.secrets();
    let in_log = Search::new(secrets.clone());
    for line in log::lines_of(&app.namespace) {
        assert_eq!(in_log.found_in_line(&line), None, "the log: {line}");
    }
    // Phone numbers are what the tables are about.
    let in_tables = Search::new(secrets.into_iter().filter(|secret| !is_phone(secret)));
    for table in ["users", "codes"] {
        let scan = app.tables().scan().table_name(app.table(table));
        let mut items = scan.into_paginator().items().send();
        while let Some(item) = items.next().await {
            for text in stored(&item.unwrap()) {
                assert_eq!(in_tables.found_in(&text), None, "a table: {text}");
            }
        }
    }
}

fn is_phone(secret: &str) -> bool {
    secret.starts_with('+') || secret.len() == 11
}

/// What an item says, but for what a day's messages cost: often as long as a code, and sometimes one.
fn stored(item: &HashMap<String, AttributeValue>) -> Vec<String> {
    let key = item["pk"].as_s().unwrap();
    let is_cost = |value: &AttributeValue| key.starts_with("spend#") && value.is_n();
    let mut stored = Vec::new();
    let values = item.values().filter(|value| !is_cost(value));
    values.for_each(|value| texts(value, &mut stored));
    stored
}

fn texts(value: &AttributeValue, into: &mut Vec<String>) {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => into.push(text.clone()),
        AttributeValue::M(map) => map.values().for_each(|value| texts(value, into)),
        AttributeValue::L(list) => list.iter().for_each(|value| texts(value, into)),
        AttributeValue::Ss(names) => into.extend(names.iter().cloned()),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => {}
        other => panic!("an attribute type that nothing of ours uses: {other:?}"),
    }
}

#[test]
fn a_code_in_a_line_is_found_and_six_digits_of_a_time_are_not() {
    let search = Search::new(["123456".to_owned(), "eyJx.y.z".to_owned()]);
    let found = search.found_in(r#"{"message":"code 123456 sent"}"#);
    assert_eq!(found, Some("123456"));
    assert_eq!(search.found_in("123456"), Some("123456"));
    assert_eq!(search.found_in("at 1780123456789"), None);
    assert_eq!(search.found_in("Bearer eyJx.y.z"), Some("eyJx.y.z"));
}

#[test]
fn a_code_that_is_also_a_status_is_found_but_where_a_status_belongs() {
    let search = Search::new(["400190".to_owned(), "123456".to_owned()]);
    for (line, code) in [
        (r#"{"outcome":"400190","phone":"x"}"#, None),
        (r#"{"outcome":"200","phone":"400190"}"#, Some("400190")),
        (r#"{"outcome":"400190","said":"400190"}"#, Some("400190")),
        (r#"{"outcome":"400190","said":"123456"}"#, Some("123456")),
        (r#"{"outcome":"123456"}"#, Some("123456")),
        ("not JSON: 123456", Some("123456")),
    ] {
        assert_eq!(search.found_in_line(line), code, "{line}");
    }
}

#[test]
fn a_code_that_is_also_a_cost_is_found_but_where_a_cost_belongs() {
    let search = Search::new(["120000".to_owned()]);
    let (text, number) = (
        AttributeValue::S("120000".to_owned()),
        AttributeValue::N("120000".to_owned()),
    );
    for (key, value, is_found) in [
        ("spend#20778#0", &number, false),
        ("spend#20778#0", &text, true),
        ("login#+8613800138001", &number, true),
        ("login#+8613800138001", &text, true),
    ] {
        let key = AttributeValue::S(key.to_owned());
        let item = [("pk", key), ("x", value.clone())];
        let item = item.map(|(name, value)| (name.to_owned(), value)).into();
        let found = stored(&item)
            .iter()
            .any(|text| search.found_in(text).is_some());
        assert_eq!(found, is_found, "{item:?}");
    }
}
