//! Metrics: CloudWatch's embedded metric format, one line a request.
//!
//! The list of metrics is [`Metric`], and nowhere else: a test holds the template's alarms and dashboard
//! to it. A line is a JSON object that CloudWatch turns into metrics as it takes the log in, so a metric
//! costs a request no call and a function no permission. Written by hand, because the format is one
//! object and a library for it would be one more thing to start.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! CloudWatch charges for every metric and value of a dimension that was seen in a month. So no metric
//! has more than one dimension, and no dimension has more values than the code or the list of served
//! countries has.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::{
    domain::{
        error::{Error, Fault, Limited, SmsFailure},
        phone::CountryCode,
        time::UnixMs,
    },
    telemetry::context::{self, Origin},
};

/// Every metric there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Messages that should go out.
    SendAttempts,
    /// Codes that SNS took.
    Sent,
    /// Messages that did not go out.
    SendFailures,
    /// Notices that SNS took: messages that nobody answers with a code.
    Notices,
    /// Codes that were redeemed. Of those sent, how many: the conversion.
    Verified,
    /// Codes that somebody presented.
    Verifications,
    /// Requests that were refused, but for codes.
    Refusals,
    /// Requests that failed on our side.
    InternalErrors,
    /// A call of DynamoDB, each attempt by itself.
    StoreLatency,
    /// A call of SNS.
    SmsLatency,
    /// How much of the money that may be spent on messages has been.
    BudgetUsed,
    /// What was decided about a send that looked like fraud.
    FraudDecisions,
}

impl Metric {
    /// Each of them.
    pub const ALL: &[Self] = &[
        Self::SendAttempts,
        Self::Sent,
        Self::SendFailures,
        Self::Notices,
        Self::Verified,
        Self::Verifications,
        Self::Refusals,
        Self::InternalErrors,
        Self::StoreLatency,
        Self::SmsLatency,
        Self::BudgetUsed,
        Self::FraudDecisions,
    ];

    /// Its name in CloudWatch.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendAttempts => "SendAttempts",
            Self::Sent => "Sent",
            Self::SendFailures => "SendFailures",
            Self::Notices => "Notices",
            Self::Verified => "Verified",
            Self::Verifications => "Verifications",
            Self::Refusals => "Refusals",
            Self::InternalErrors => "InternalErrors",
            Self::StoreLatency => "StoreLatency",
            Self::SmsLatency => "SmsLatency",
            Self::BudgetUsed => "BudgetUsed",
            Self::FraudDecisions => "FraudDecisions",
        }
    }

    /// Its unit in CloudWatch.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::StoreLatency | Self::SmsLatency => "Milliseconds",
            Self::BudgetUsed => "Percent",
            _ => "Count",
        }
    }

    /// The sets of dimensions it is counted by: over all (the empty set), by one dimension, or both.
    pub const fn dimensions(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Sent | Self::Verified => &[&[], &["Country"]],
            Self::SendFailures => &[&[], &["Reason"]],
            Self::Refusals => &[&["Reason"]],
            Self::Verifications => &[&["Outcome"]],
            Self::FraudDecisions => &[&["Decision"]],
            Self::SendAttempts
            | Self::Notices
            | Self::InternalErrors
            | Self::StoreLatency
            | Self::SmsLatency
            | Self::BudgetUsed => &[&[]],
        }
    }

    /// The dimension it has, if it has one.
    fn dimension(self) -> Option<&'static str> {
        self.dimensions().iter().copied().flatten().copied().next()
    }
}

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    metric: Metric,
    /// The value of its dimension, if it has one.
    of: Option<String>,
    value: f64,
}

fn note(metric: Metric, of: Option<String>, value: f64) {
    context::measure(Measurement { metric, of, value });
}

fn count(metric: Metric, of: Option<&str>) {
    note(metric, of.map(str::to_owned), 1.0);
}

/// A code went out to this country.
pub fn sent(country: CountryCode) {
    count(Metric::SendAttempts, None);
    note(Metric::Sent, Some(country.to_string()), 1.0);
    // CloudWatch has no arithmetic for what was never counted: the alarm for codes of which none is
    // used needs a zero to go by.
    note(Metric::Verified, Some(country.to_string()), 0.0);
}

/// A notice went out.
pub fn notice_sent() {
    count(Metric::SendAttempts, None);
    count(Metric::Notices, None);
}

/// A message did not go out.
pub fn send_failed(failure: SmsFailure) {
    let reason = match failure {
        SmsFailure::NotConfigured => "NotConfigured",
        SmsFailure::NoSenderId => "NoSenderId",
        SmsFailure::NoText => "NoText",
        SmsFailure::NoCredentials => "NoCredentials",
        SmsFailure::Rejected => "Rejected",
        SmsFailure::Unavailable => "Unavailable",
    };
    count(Metric::SendAttempts, None);
    count(Metric::SendFailures, Some(reason));
}

/// A request was refused. The boundary says so of every error; this is for what a client is not told.
pub fn refused(reason: &'static str) {
    count(Metric::Refusals, Some(reason));
}

/// This much of the money for messages has been spent, 100 being all of it.
pub fn budget_used(percent: f64) {
    note(Metric::BudgetUsed, None, percent);
}

/// A send was looked at for fraud.
pub fn fraud_decision(decision: &'static str) {
    count(Metric::FraudDecisions, Some(decision));
}

/// A code was redeemed that had been sent to this country.
pub(crate) fn verified(country: CountryCode) {
    note(Metric::Verified, Some(country.to_string()), 1.0);
    count(Metric::Verifications, Some("Verified"));
}

/// A call of a service took so long.
pub(crate) fn took(metric: Metric, duration: std::time::Duration) {
    // To the microsecond: more digits would only be longer.
    let millis = (duration.as_secs_f64() * 1e6).round() / 1e3;
    note(metric, None, millis);
}

/// What a request that ended so counts as.
pub(crate) fn failed(error: &Error) {
    match error {
        Error::Internal(_) => count(Metric::InternalErrors, None),
        Error::Sms(failure) => send_failed(*failure),
        Error::CodeWrong | Error::BadRequest(Fault::CodeTooLong) => {
            count(Metric::Verifications, Some("Wrong"))
        }
        Error::CodeExpired { retry_after: None } => count(Metric::Verifications, Some("Expired")),
        Error::CodeExpired {
            retry_after: Some(_),
        } => count(Metric::Verifications, Some("Blocked")),
        Error::BadRequest(Fault::Body(_)) => refused("BodyInvalid"),
        Error::BadRequest(Fault::Missing(_) | Fault::Malformed(_)) => refused("FieldInvalid"),
        Error::PhoneInvalid => refused("PhoneInvalid"),
        Error::CountryNotServed => refused("CountryNotServed"),
        Error::PhoneUnknown | Error::UserNotFound => refused("UserUnknown"),
        Error::UserDisabled => refused("UserDisabled"),
        Error::PhoneMismatch | Error::NoPhone => refused("PhoneMismatch"),
        Error::PhoneTaken | Error::NameTaken => refused("Taken"),
        Error::TooFrequent { limit, .. } => refused(match limit {
            Limited::CoolDown => "CoolDown",
            Limited::Failures => "WrongCodes",
            Limited::Phone => "PhoneLimit",
            Limited::Source => "AddressLimit",
            Limited::Budget => {
                // The last message that fitted left a little over, so only a refusal tells of all.
                budget_used(100.0);
                "Budget"
            }
            Limited::Fraud => "Fraud",
        }),
        Error::PhoneInfoInvalid | Error::ResetTokenInvalid | Error::ResetTokenExpired => {
            refused("TicketInvalid")
        }
        Error::TokenMissing | Error::TokenInvalid | Error::TokenExpired => refused("TokenInvalid"),
        Error::PasswordRefused(_) => refused("PasswordRefused"),
        Error::LoginRefused { retry_after: None } => refused("LoginRefused"),
        Error::LoginRefused {
            retry_after: Some(_),
        } => refused("LoginBlocked"),
        Error::LoginOff => refused("LoginOff"),
    }
}

type Sink = Box<dyn Fn(&str) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// Says where the lines go, once a process; until then they go nowhere. `LOG_LEVEL` is not asked: an
/// alarm must not fall silent because the log has.
pub fn write_to(sink: impl Fn(&str) + Send + Sync + 'static) {
    // A second sink would be a second copy of every metric.
    let _ = SINK.set(Box::new(sink));
}

/// Writes what a request has measured.
pub(crate) fn write(origin: &Origin<'_>, measurements: &[Measurement]) {
    let Some(sink) = SINK.get() else { return };
    for line in lines(origin, measurements) {
        sink(&line);
    }
}

/// The metrics of one request: one line, unless one dimension has two values.
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

/// The most values of a metric that one line may hold (the specification's limit).
const MAX_VALUES: usize = 100;

impl Line {
    fn has_room_for(&self, measurement: &Measurement) -> bool {
        let dimension = measurement.metric.dimension();
        let taken = dimension.and_then(|name| self.dimensions.get(name)?.as_str());
        let values = self.values_of(measurement.metric).map_or(0, Vec::len);
        values < MAX_VALUES && (taken.is_none() || taken == measurement.of.as_deref())
    }

    fn values_of(&self, metric: Metric) -> Option<&Vec<f64>> {
        let of_metric = self.values.iter().find(|(other, _)| *other == metric);
        of_metric.map(|(_, values)| values)
    }

    fn add(&mut self, measurement: &Measurement) {
        if let (Some(name), Some(of)) = (measurement.metric.dimension(), &measurement.of) {
            self.dimensions.insert(name.to_owned(), json!(of));
        }
        let of_metric = |(other, _): &&mut (Metric, _)| *other == measurement.metric;
        match self.values.iter_mut().find(of_metric) {
            Some((_, values)) => values.push(measurement.value),
            None => self
                .values
                .push((measurement.metric, vec![measurement.value])),
        }
    }

    fn render(&self, origin: &Origin<'_>) -> String {
        let mut directives: Vec<Value> = Vec::new();
        for (metric, _) in &self.values {
            let dimensions = json!(metric.dimensions());
            let told = json!({"Name": metric.name(), "Unit": metric.unit()});
            let alike = directives
                .iter_mut()
                .find(|d| d["Dimensions"] == dimensions);
            match alike.and_then(|directive| directive["Metrics"].as_array_mut()) {
                Some(metrics) => metrics.push(told),
                None => directives.push(json!({
                    "Namespace": origin.namespace,
                    "Dimensions": dimensions,
                    "Metrics": [told],
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
        let of = of.map(str::to_owned);
        Measurement { metric, of, value }
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
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
    fn so_does_a_metric_with_more_values_than_a_line_may_hold() {
        let measurements = vec![measured(Metric::StoreLatency, None, 1.0); MAX_VALUES + 1];
        assert_eq!(lines(&ORIGIN, &measurements).len(), 2);
    }

    #[test]
    fn a_request_without_measurements_writes_nothing() {
        assert!(lines(&ORIGIN, &[]).is_empty());
    }

    #[test]
    fn every_metric_is_listed_once_and_has_one_dimension_at_most() {
        for (n, metric) in Metric::ALL.iter().enumerate() {
            let later = &Metric::ALL[n + 1..];
            assert!(!later.iter().any(|other| other.name() == metric.name()));
            let sets = metric.dimensions();
            assert!(!sets.is_empty() && sets.iter().all(|set| set.len() <= 1));
        }
    }
}
