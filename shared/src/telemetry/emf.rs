//! CloudWatch's embedded metric format: measurements as JSON lines in the log.
//!
//! CloudWatch turns such a line into metrics when it ingests the log. So a metric costs a request no
//! call, and a function no permission. The lines are written by hand: the format is one JSON object,
//! and a library for it would lengthen every start.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::metrics::{Measurement, Metric};
use crate::domain::time::UnixMs;

/// What a line of metrics names beside its values.
pub(super) struct Origin<'a> {
    pub namespace: &'a str,
    pub function: &'a str,
    pub request_id: &'a str,
    pub at: UnixMs,
}

type Sink = Box<dyn Fn(&str) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// Sets the sink of the lines, once per process; a second call changes nothing. Without a sink the
/// lines are dropped. The sink is independent of `LOG_LEVEL`: fewer log lines must not silence an
/// alarm.
pub fn write_to(sink: impl Fn(&str) + Send + Sync + 'static) {
    let _ = SINK.set(Box::new(sink));
}

/// Writes the measurements of one request.
pub(super) fn write(origin: &Origin<'_>, measurements: &[Measurement]) {
    let Some(sink) = SINK.get() else { return };
    for line in lines(origin, measurements) {
        sink(&line);
    }
}

/// One line, or more where a dimension has several values.
fn lines(origin: &Origin<'_>, measurements: &[Measurement]) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for measurement in measurements {
        let at = lines.iter().position(|line| line.has_room_for(measurement));
        let at = at.unwrap_or_else(|| {
            lines.push(Line::default());
            lines.len() - 1
        });
        lines[at].add(measurement);
    }
    lines.iter().map(|line| line.render(origin)).collect()
}

#[derive(Default)]
struct Line {
    dimensions: Map<String, Value>,
    values: Vec<(Metric, Vec<f64>)>,
}

/// The most values of one metric in one line: the specification's limit.
const MAX_VALUES: usize = 100;

impl Line {
    fn has_room_for(&self, measurement: &Measurement) -> bool {
        let dimension = measurement.metric.dimension();
        let taken = dimension.and_then(|name| self.dimensions.get(name)?.as_str());
        let is_alike = taken.is_none() || taken == measurement.dimension_value.as_deref();
        let values = self.values_of(measurement.metric).map_or(0, Vec::len);
        values < MAX_VALUES && is_alike
    }

    fn values_of(&self, metric: Metric) -> Option<&Vec<f64>> {
        let of_metric = self.values.iter().find(|(other, _)| *other == metric);
        of_metric.map(|(_, values)| values)
    }

    fn add(&mut self, measurement: &Measurement) {
        let Measurement {
            metric,
            dimension_value,
            value,
        } = measurement;
        if let (Some(name), Some(dimension_value)) = (metric.dimension(), dimension_value) {
            self.dimensions
                .insert(name.to_owned(), json!(dimension_value));
        }
        match self.values.iter_mut().find(|(other, _)| other == metric) {
            Some((_, values)) => values.push(*value),
            None => self.values.push((*metric, vec![*value])),
        }
    }

    fn render(&self, origin: &Origin<'_>) -> String {
        let mut directives: Vec<Value> = Vec::new();
        for (metric, _) in &self.values {
            let dimensions = json!(metric.dimensions());
            let definition = json!({"Name": metric.name(), "Unit": metric.unit()});
            let alike = directives
                .iter_mut()
                .find(|directive| directive["Dimensions"] == dimensions);
            match alike.and_then(|directive| directive["Metrics"].as_array_mut()) {
                Some(metrics) => metrics.push(definition),
                None => directives.push(json!({
                    "Namespace": origin.namespace,
                    "Dimensions": dimensions,
                    "Metrics": [definition],
                })),
            }
        }
        let UnixMs(at) = origin.at;
        let mut line = self.dimensions.clone();
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": at, "CloudWatchMetrics": directives}),
        );
        line.insert("function".to_owned(), json!(origin.function));
        line.insert("request_id".to_owned(), json!(origin.request_id));
        for (metric, values) in &self.values {
            let value = match values.as_slice() {
                [value] => json!(value),
                values => json!(values),
            };
            line.insert(metric.name().to_owned(), value);
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'static> = Origin {
        namespace: "Latchkey",
        function: "mobile",
        request_id: "r1",
        at: UnixMs(1_700_000_000_000),
    };

    fn measured(metric: Metric, of: Option<&str>, value: f64) -> Measurement {
        Measurement {
            metric,
            dimension_value: of.map(str::to_owned),
            value,
        }
    }

    #[test]
    fn a_line_has_the_form_of_the_specification() {
        let measurements = [
            measured(Metric::Sent, Some("86"), 1.0),
            measured(Metric::StoreLatency, None, 1.5),
            measured(Metric::StoreLatency, None, 2.5),
            measured(Metric::SmsLatency, None, 3.5),
        ];
        let lines = lines(&ORIGIN, &measurements);
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        let line: Value = serde_json::from_str(line).unwrap();
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_u64,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Latchkey",
                        "Dimensions": [[], ["Country"]],
                        "Metrics": [{"Name": "Sent", "Unit": "Count"}],
                    },
                    {
                        "Namespace": "Latchkey",
                        "Dimensions": [[]],
                        "Metrics": [
                            {"Name": "StoreLatency", "Unit": "Milliseconds"},
                            {"Name": "SmsLatency", "Unit": "Milliseconds"},
                        ],
                    },
                ],
            },
            "function": "mobile",
            "request_id": "r1",
            "Country": "86",
            "Sent": 1.0,
            "StoreLatency": [1.5, 2.5],
            "SmsLatency": 3.5,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_dimension_with_two_values_takes_two_lines() {
        let measurements = [
            measured(Metric::Refusals, Some("TooFrequent"), 1.0),
            measured(Metric::SendFailures, Some("Rejected"), 1.0),
            measured(Metric::Refusals, Some("TooFrequent"), 1.0),
        ];
        let lines = lines(&ORIGIN, &measurements);
        let reasons: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["Reason"].clone())
            .collect();
        assert_eq!(reasons, ["TooFrequent", "Rejected"]);
    }

    #[test]
    fn more_values_than_a_line_may_hold_take_two_lines() {
        let measurements = vec![measured(Metric::StoreLatency, None, 1.0); MAX_VALUES + 1];
        assert_eq!(lines(&ORIGIN, &measurements).len(), 2);
    }

    #[test]
    fn a_request_without_measurements_writes_nothing() {
        assert!(lines(&ORIGIN, &[]).is_empty());
    }
}
