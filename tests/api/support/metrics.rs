//! What a system has measured and logged.

use serde_json::Value;
use shared::telemetry::metrics::Metric;

use super::{app::TestApp, log};

/// How often a metric was counted, over all or for one value of its dimension.
pub fn counted(app: &TestApp, metric: Metric, of: Option<(&str, &str)>) -> f64 {
    let lines = app.metrics().into_iter().filter(|line| match of {
        Some((dimension, value)) => line[dimension] == value,
        None => true,
    });
    lines.flat_map(|line| values(&line, metric)).sum()
}

/// A metric's values in all lines, the oldest first.
pub fn all_values(app: &TestApp, metric: Metric) -> Vec<f64> {
    let lines = app.metrics().into_iter();
    lines.flat_map(|line| values(&line, metric)).collect()
}

/// A metric's values in a line, whether one or many.
pub fn values(line: &Value, metric: Metric) -> Vec<f64> {
    match &line[metric.name()] {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).collect(),
        value => value.as_f64().into_iter().collect(),
    }
}

impl TestApp {
    /// The lines of metrics that this system's functions have written.
    pub fn metrics(&self) -> Vec<Value> {
        let lines = self.logged().into_iter();
        lines.filter(|line| line["_aws"].is_object()).collect()
    }

    /// The lines that have been logged about a phone of country 86.
    pub fn logged_about(&self, phone: &str) -> Vec<Value> {
        self.logged_with("phone_hash", &format!("+86{phone}"))
    }

    /// The lines that have been logged with the hash of this text as `field`.
    pub fn logged_with(&self, field: &str, text: &str) -> Vec<Value> {
        let hash = self
            .function_app("info")
            .config
            .keys
            .pseudonym(text)
            .to_string();
        let lines = self.logged().into_iter();
        lines.filter(|line| line[field] == hash).collect()
    }

    /// Its log lines.
    pub fn logged(&self) -> Vec<Value> {
        let lines = log::lines_of(&self.namespace).into_iter();
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}
