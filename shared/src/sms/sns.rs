//! Amazon SNS: `Publish` to a phone number
//! (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_sns::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::publish::PublishError,
    types::MessageAttributeValue,
};

use super::{Plan, text::Body};
use crate::{
    aws,
    domain::{code::Code, error::SmsFailure, phone::Phone},
};

/// Sends messages through SNS.
#[derive(Debug)]
pub struct Sms {
    sns: Option<Client>,
    /// How long the latest codes took, newest last.
    took: Mutex<VecDeque<Duration>>,
}

/// How many of the latest codes' durations are remembered.
const REMEMBERED: usize = 8;

/// What a code takes where none has been sent yet.
const USUAL: Duration = Duration::from_millis(100);

/// The id that SNS gave a message, by which its delivery logs name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId(pub String);

/// A message that SNS did not accept, or may not have accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// Why.
    pub failure: SmsFailure,
    /// Whether SNS may have sent the message all the same, and will charge for it.
    pub may_have_gone_out: bool,
    /// SNS's error code or the kind of transport failure, for the log.
    pub reason: String,
}

impl Sms {
    /// Sends through this client, which must not retry: a repeated publish could become two messages.
    /// Without a client nothing is sent.
    pub fn new(sns: Option<Client>) -> Self {
        Self {
            sns,
            took: Mutex::default(),
        }
    }

    /// Sends a code. Returns the id that SNS gave the message.
    ///
    /// # Errors
    /// [`NotSent`], with whether the message may have gone out.
    pub async fn send_code(
        &self,
        plan: &Plan,
        phone: &Phone,
        code: &Code,
        valid_for: Duration,
    ) -> Result<MessageId, NotSent> {
        let body = plan
            .text
            .render(&plan.brand, code, valid_for, plan.origin_domain.as_deref());
        let begun = Instant::now();
        let sent = self.publish(plan, phone, body).await;
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        if took.len() == REMEMBERED {
            took.pop_front();
        }
        took.push_back(begun.elapsed());
        sent
    }

    /// How long a code might take that is not sent: as long as one of the latest that this process has
    /// sent. `random` says which.
    pub fn would_take(&self, random: u8) -> Duration {
        let took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let which = usize::from(random).checked_rem(took.len());
        which.and_then(|n| took.get(n).copied()).unwrap_or(USUAL)
    }

    /// Sends a notice. Returns the id that SNS gave the message.
    ///
    /// # Errors
    /// [`NotSent`], with whether the message may have gone out.
    pub async fn send_notice(&self, plan: &Plan, phone: &Phone) -> Result<MessageId, NotSent> {
        self.publish(plan, phone, plan.text.notice(&plan.brand))
            .await
    }

    async fn publish(&self, plan: &Plan, phone: &Phone, body: Body) -> Result<MessageId, NotSent> {
        let sns = self.sns.as_ref().ok_or_else(|| NotSent {
            failure: SmsFailure::NotConfigured,
            may_have_gone_out: false,
            reason: "no client".to_owned(),
        })?;
        let max_price = plan.max_price.in_usd(5);
        let mut publish = sns
            .publish()
            .phone_number(phone.e164())
            .message(body.0)
            .message_attributes("AWS.SNS.SMS.SMSType", attribute("String", "Transactional"))
            .message_attributes("AWS.SNS.SMS.MaxPrice", attribute("Number", &max_price));
        let sender_id = plan.sender_id.iter();
        let sender_id = sender_id.map(|id| ("AWS.SNS.SMS.SenderID", id.as_str()));
        for (name, value) in sender_id.chain(plan.registered.attributes()) {
            publish = publish.message_attributes(name, attribute("String", value));
        }
        let sent = publish.send().await.map_err(|error| classify(&error))?;
        Ok(MessageId(sent.message_id.unwrap_or_default()))
    }
}

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value);
    // `build` fails only without a data type.
    attribute
        .build()
        .unwrap_or_else(|_| unreachable!("data_type is set"))
}

/// What an error means for the message: refused for good, refused for now, or unknown.
fn classify(error: &SdkError<PublishError>) -> NotSent {
    let unavailable = |may_have_gone_out, reason: &str| NotSent {
        failure: SmsFailure::Unavailable,
        may_have_gone_out,
        reason: reason.to_owned(),
    };
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = error.code().unwrap_or("no error code");
            let failure = match code {
                "AuthorizationError"
                | "AuthorizationErrorException"
                | "AccessDenied"
                | "AccessDeniedException"
                | "InvalidClientTokenId"
                | "MissingAuthenticationToken"
                | "SignatureDoesNotMatch"
                | "UnrecognizedClientException"
                | "ExpiredToken"
                | "InvalidSecurity"
                | "OptInRequired" => SmsFailure::NoCredentials,
                "Throttled"
                | "ThrottledException"
                | "Throttling"
                | "ThrottlingException"
                | "RequestThrottled"
                | "TooManyRequestsException" => SmsFailure::Unavailable,
                // A failure of theirs, or a success that cannot be read.
                _ if !(400..500).contains(&status) => return unavailable(true, code),
                _ => SmsFailure::Rejected,
            };
            NotSent {
                failure,
                may_have_gone_out: false,
                reason: code.to_owned(),
            }
        }
        SdkError::ConstructionFailure(_) => unavailable(false, "construction failure"),
        SdkError::TimeoutError(_) => unavailable(true, "time-out"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => unavailable(true, "time-out"),
        SdkError::DispatchFailure(failure) => {
            // Refused, unresolved or untrusted: the request never left. Anything later may have.
            let refused = failure
                .as_connector_error()
                .is_some_and(aws::never_connected);
            unavailable(!refused, "connection failure")
        }
        _ => unavailable(true, "unreadable answer"),
    }
}
