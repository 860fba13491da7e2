//! How a service misbehaves.

use std::time::Duration;

use super::people::ERIC;

/// How the service behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refuses connections and drops those it has.
    Refuses,
    /// Takes requests and never answers.
    Hangs,
    /// Answers only after so long.
    IsSlow(Duration),
    /// Does what it is asked and loses the answer, `times` times.
    LosesAnswers { times: usize },
    /// The same, for one operation only.
    LosesAnswersOf {
        operation: &'static str,
        times: usize,
    },
    /// Answers so, without doing anything.
    Answers { status: u16, body: String },
    /// The same, to one operation only, `times` times.
    AnswersTo {
        operation: &'static str,
        times: usize,
        status: u16,
        body: String,
    },
    /// Behaves for so many requests, and has this fault from then on.
    After { requests: usize, then: Box<Fault> },
    /// Delays this operation until so many requests for it have come, and then lets all of them pass:
    /// whatever they read before, they have all read by then.
    Gathers {
        operation: &'static str,
        requests: usize,
    },
}

/// What SNS answers when it refuses.
pub fn sns_error(status: u16, code: &str) -> Fault {
    let body = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>about +86{ERIC}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Fault::Answers { status, body }
}

/// What DynamoDB answers when it refuses.
pub fn dynamodb_error(status: u16, code: &str) -> Fault {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"about phone#+86{ERIC}"}}"#
    );
    Fault::Answers { status, body }
}
