//! The list of metrics.
//!
//! It stands here and nowhere else: a test holds the template's alarms and dashboard to it. CloudWatch
//! charges for every metric and every value of a dimension that it saw in a month. So no metric has
//! more than one dimension, and no dimension has more values than the code or the list of served
//! regions.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Messages given to SNS, whatever came of them.
    SendAttempts,
    /// Codes that SNS accepted.
    Sent,
    /// Messages that SNS did not accept.
    SendFailures,
    /// Messages that the operator's switch stopped.
    StoppedSends,
    /// Notices that SNS accepted: messages without a code.
    Notices,
    /// Codes that were redeemed. Divided by [`Self::Sent`] it is the conversion.
    Verified,
    /// Codes that were presented, by outcome.
    Verifications,
    /// Requests that were refused for any reason but their code.
    Refusals,
    /// Requests that failed on our side.
    InternalErrors,
    /// The time of one attempt of a DynamoDB call.
    StoreLatency,
    /// The time of one SNS call.
    SmsLatency,
    /// The time of one attempt of a KMS call.
    KmsLatency,
    /// The share of the day's budget for messages that is used.
    BudgetUsed,
    /// Decisions of the fraud guard on suspicious sends.
    FraudDecisions,
}

impl Metric {
    /// All metrics.
    pub const ALL: &[Self] = &[
        Self::SendAttempts,
        Self::Sent,
        Self::SendFailures,
        Self::StoppedSends,
        Self::Notices,
        Self::Verified,
        Self::Verifications,
        Self::Refusals,
        Self::InternalErrors,
        Self::StoreLatency,
        Self::SmsLatency,
        Self::KmsLatency,
        Self::BudgetUsed,
        Self::FraudDecisions,
    ];

    /// Its name in CloudWatch.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendAttempts => "SendAttempts",
            Self::Sent => "Sent",
            Self::SendFailures => "SendFailures",
            Self::StoppedSends => "StoppedSends",
            Self::Notices => "Notices",
            Self::Verified => "Verified",
            Self::Verifications => "Verifications",
            Self::Refusals => "Refusals",
            Self::InternalErrors => "InternalErrors",
            Self::StoreLatency => "StoreLatency",
            Self::SmsLatency => "SmsLatency",
            Self::KmsLatency => "KmsLatency",
            Self::BudgetUsed => "BudgetUsed",
            Self::FraudDecisions => "FraudDecisions",
        }
    }

    /// Its unit in CloudWatch.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::StoreLatency | Self::SmsLatency | Self::KmsLatency => "Milliseconds",
            Self::BudgetUsed => "Percent",
            _ => "Count",
        }
    }

    /// The sets of dimensions it is aggregated by. The empty set is the total over all values.
    pub const fn dimensions(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Sent | Self::Verified => &[&[], &["Country"]],
            Self::SendFailures => &[&[], &["Reason"]],
            Self::Refusals => &[&["Reason"]],
            Self::Verifications => &[&["Outcome"]],
            Self::FraudDecisions => &[&["Decision"]],
            Self::SendAttempts
            | Self::StoppedSends
            | Self::Notices
            | Self::InternalErrors
            | Self::StoreLatency
            | Self::SmsLatency
            | Self::KmsLatency
            | Self::BudgetUsed => &[&[]],
        }
    }

    /// Its dimension, if it has one.
    pub(super) fn dimension(self) -> Option<&'static str> {
        self.dimensions().iter().copied().flatten().copied().next()
    }
}

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    pub(super) metric: Metric,
    /// The value of the metric's dimension, if the metric has one.
    pub(super) dimension_value: Option<String>,
    pub(super) value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_listed_once_and_has_at_most_one_dimension() {
        for (n, metric) in Metric::ALL.iter().enumerate() {
            let later = &Metric::ALL[n + 1..];
            assert!(!later.iter().any(|other| other.name() == metric.name()));
            let sets = metric.dimensions();
            assert!(!sets.is_empty() && sets.iter().all(|set| set.len() <= 1));
        }
    }
}
