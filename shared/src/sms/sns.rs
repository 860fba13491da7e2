//! Amazon SNS: `Publish` to a phone number
//! (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).

use std::time::Duration;

use aws_sdk_sns::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::publish::PublishError,
    types::MessageAttributeValue,
};

use super::{Plan, text::Body};
use crate::domain::{code::Code, error::SmsFailure, phone::Phone};

/// Sends messages through SNS.
#[derive(Debug, Clone)]
pub struct Sms {
    sns: Option<Client>,
}

/// A message that did not, or may not have, gone out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// Why.
    pub failure: SmsFailure,
    /// Whether the provider may have sent, and will charge, the message all the same.
    pub may_have_gone_out: bool,
    /// The provider's error code or the kind of transport failure, for the log.
    pub reason: String,
}

impl Sms {
    /// Sends through this client, which must not retry by itself: a publish that may have reached
    /// SNS is never repeated, or one accepted send could become two messages. Without one, nothing is
    /// sent.
    pub fn new(sns: Option<Client>) -> Self {
        Self { sns }
    }

    /// Sends a code.
    ///
    /// # Errors
    /// [`NotSent`], with what is known of the message's fate.
    pub async fn send_code(
        &self,
        plan: &Plan<'_>,
        phone: &Phone,
        code: &Code,
        valid_for: Duration,
    ) -> Result<(), NotSent> {
        let body = plan
            .text
            .render(plan.brand, code, valid_for, plan.origin_domain);
        self.publish(plan, phone, body).await
    }

    /// Sends a notice.
    ///
    /// # Errors
    /// [`NotSent`], with what is known of the message's fate.
    pub async fn send_notice(&self, plan: &Plan<'_>, phone: &Phone) -> Result<(), NotSent> {
        self.publish(plan, phone, plan.text.notice(plan.brand))
            .await
    }

    async fn publish(&self, plan: &Plan<'_>, phone: &Phone, body: Body) -> Result<(), NotSent> {
        let sns = self.sns.as_ref().ok_or_else(|| NotSent {
            failure: SmsFailure::NotConfigured,
            may_have_gone_out: false,
            reason: "no client".to_owned(),
        })?;
        let max_price = format!("{:.2}", plan.max_price_usd);
        let publish = sns
            .publish()
            .phone_number(phone.e164())
            .message(body.0)
            .message_attributes("AWS.SNS.SMS.SMSType", attribute("String", "Transactional"))
            .message_attributes("AWS.SNS.SMS.MaxPrice", attribute("Number", &max_price));
        let publish = match plan.sender_id {
            Some(id) => publish.message_attributes("AWS.SNS.SMS.SenderID", attribute("String", id)),
            None => publish,
        };
        let sent = publish.send().await;
        sent.map(drop).map_err(|error| judge(&error))
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

/// What an error says of the message: refused for good, refused for now, or unknown.
fn judge(error: &SdkError<PublishError>) -> NotSent {
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
                .is_some_and(crate::aws::never_connected);
            unavailable(!refused, "connection failure")
        }
        _ => unavailable(true, "unreadable answer"),
    }
}
