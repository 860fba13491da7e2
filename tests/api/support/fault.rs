//! How a service misbehaves.

use std::time::Duration;

use serde_json::json;

use super::people::ERIC;

/// How the service behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refuses connections and drops those it has.
    Refuses,
    /// Takes requests and never answers.
    Hangs,
    /// Takes a request and closes the connection.
    Closes,
    /// Answers only after so long.
    IsSlow(Duration),
    /// Takes so long for each answer, unless it takes longer by itself.
    Takes(Duration),
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
    /// Lets `passes` of these writes pass, as [`Call::write`](super::calls::Call::write) names them. Of
    /// those that follow, the first meets the first of these faults, and so on.
    OfWrite {
        write: String,
        passes: usize,
        faults: Vec<WriteFault>,
    },
    /// Answers a batch for so many of its keys only, and leaves the others to be asked for again, `times`
    /// times.
    LeavesKeys { answered: usize, times: usize },
    /// Behaves for so many requests, and has this fault from then on.
    After { requests: usize, then: Box<Fault> },
    /// Delays this operation until so many requests for it have come, and then lets all of them pass:
    /// whatever they read before, they have all read by then.
    Gathers {
        operation: &'static str,
        requests: usize,
    },
}

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// A transaction holds one of its items: DynamoDB writes nothing and says so. Plain writes are refused
    /// by an error of their own
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>).
    Conflicts,
    /// A transaction is cancelled for this reason. A plain write has no reasons: it meets a conflict.
    Cancelled(&'static str),
    /// It is refused with this error.
    Fails(&'static str),
    /// It is done, and the answer is lost.
    LosesAnswer,
}

impl Fault {
    /// An answer, to one operation only and so many times.
    pub fn only_to(self, operation: &'static str, times: usize) -> Self {
        let Self::Answers { status, body } = self else {
            panic!("not an answer: {self:?}");
        };
        Self::AnswersTo {
            operation,
            times,
            status,
            body,
        }
    }
}

/// How DynamoDB cancels a transaction of so many writes: for this reason, which the last of them has.
pub fn cancelled(writes: usize, reason: &str) -> Fault {
    let mut reasons = vec![json!({"Code": "None"}); writes.saturating_sub(1)];
    reasons.push(json!({"Code": reason, "Message": format!("about +86{ERIC}")}));
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": reasons,
    });
    let (status, body) = (400, body.to_string());
    Fault::Answers { status, body }
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
