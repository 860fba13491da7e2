//! What is logged, and what counts as what.

use std::{fmt::Display, time::Duration};

use super::{
    context::{Notes, measure, with_notes},
    metrics::{Measurement, Metric},
};
use crate::domain::{
    error::{Error, Fault, Limited, SmsFailure},
    phone::Phone,
    region::Region,
};

fn note(metric: Metric, dimension_value: Option<String>, value: f64) {
    measure(Measurement {
        metric,
        dimension_value,
        value,
    });
}

fn count(metric: Metric, dimension_value: Option<&str>) {
    note(metric, dimension_value.map(str::to_owned), 1.0);
}

/// SNS accepted a code for this region.
pub fn sent(region: Region) {
    count(Metric::SendAttempts, None);
    note(Metric::Sent, Some(region.to_string()), 1.0);
    // CloudWatch does no arithmetic with a metric that was never counted: the alarm on codes of which
    // none is used needs a zero.
    note(Metric::Verified, Some(region.to_string()), 0.0);
}

/// SNS accepted a notice.
pub fn notice_sent() {
    count(Metric::SendAttempts, None);
    count(Metric::Notices, None);
}

/// SNS did not accept a message.
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

/// SNS accepted a message after the answer had left, so that the answer's log line has no id of it.
pub(crate) fn sent_after_answer(phone: &Phone) {
    with_notes(|notes| {
        let message_id = notes.message_id.as_deref();
        tracing::info!(%phone, message_id, "sent");
    });
}

/// A message was not sent, and the answer does not say so: it has left already.
pub(crate) fn send_failed_after_answer(error: &Error) {
    failed(error);
    with_notes(|notes| {
        let reason = notes.not_sent.as_deref();
        tracing::error!(?error, reason, "SMS failed");
    });
}

/// The share of the day's budget that is used, in percent.
pub fn budget_used(percent: f64) {
    note(Metric::BudgetUsed, None, percent);
}

/// The operator's switch stopped a message.
pub fn stopped() {
    count(Metric::StoppedSends, None);
}

/// Why a request gets the gateway's answer, and no dialect's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// It has not passed the operator's front door.
    OriginSecret,
    /// A web page of a foreign origin makes it.
    ForeignOrigin,
}

/// The request was refused before anything of it was read.
pub(crate) fn forbidden(why: Forbidden) {
    let reason = match why {
        Forbidden::OriginSecret => "OriginSecret",
        Forbidden::ForeignOrigin => "ForeignOrigin",
    };
    refused(reason);
    tracing::info!(reason, "forbidden");
}

/// The fraud guard decided on a suspicious send.
pub fn fraud_decision(decision: &'static str) {
    count(Metric::FraudDecisions, Some(decision));
}

/// A call of a service took this long.
pub(crate) fn took(metric: Metric, duration: Duration) {
    // To the microsecond: more digits make the line longer and nothing clearer.
    let millis = (duration.as_secs_f64() * 1e6).round() / 1e3;
    note(metric, None, millis);
}

/// The request is answered: writes its one log line, and counts its outcome.
pub(crate) fn answered(endpoint: &'static str, outcome: impl Display, error: Option<&Error>) {
    let right_code = with_notes(|notes| notes.right_code.take()).flatten();
    match (error, right_code) {
        (Some(error), _) => failed(error),
        (None, Some(region)) => verified(region),
        (None, None) => {}
    }
    with_notes(|notes| {
        let Notes {
            phone,
            phone_hash,
            message_id,
            not_sent,
            ..
        } = notes;
        let message_id = message_id.as_deref();
        let (phone, phone_hash) = (phone.as_deref(), phone_hash.as_deref());
        match error {
            Some(Error::Internal(cause)) => {
                let cause = &cause.text;
                tracing::error!(endpoint, %outcome, phone, phone_hash, cause, "failed");
            }
            Some(Error::Sms(failure)) => {
                let reason = not_sent.as_deref();
                tracing::error!(
                    endpoint, %outcome, phone, phone_hash, ?failure, reason, "SMS failed"
                );
            }
            _ => tracing::info!(endpoint, %outcome, phone, phone_hash, message_id, "answered"),
        }
    });
}

/// A code that was sent to this region has been redeemed.
fn verified(region: Region) {
    note(Metric::Verified, Some(region.to_string()), 1.0);
    count(Metric::Verifications, Some("Verified"));
}

fn refused(reason: &'static str) {
    count(Metric::Refusals, Some(reason));
}

/// Counts a request that ended with this error.
fn failed(error: &Error) {
    match error {
        Error::Internal(_) => count(Metric::InternalErrors, None),
        Error::Sms(failure) => send_failed(*failure),
        Error::CodeWrong | Error::BadRequest(Fault::CodeTooLong) => {
            count(Metric::Verifications, Some("Wrong"));
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
            // To the metric, both are the time between two sends.
            Limited::CoolDown | Limited::Kept => "CoolDown",
            Limited::Failures => "WrongCodes",
            Limited::Phone => "PhoneLimit",
            Limited::Source => "AddressLimit",
            Limited::Budget => {
                // The last message that fitted left a little room. Only a refusal shows that the
                // budget is used up.
                budget_used(100.0);
                "Budget"
            }
            Limited::Fraud => "Fraud",
        }),
        Error::PhoneInfoInvalid | Error::ResetTokenInvalid | Error::ResetTokenExpired => {
            refused("TicketInvalid");
        }
        Error::TokenMissing | Error::TokenInvalid | Error::TokenExpired => refused("TokenInvalid"),
        Error::NameInvalid | Error::MetadataTooLarge | Error::ReauthenticationNeeded => {
            refused("FieldInvalid");
        }
        Error::PasswordRefused(_) => refused("PasswordRefused"),
        Error::LoginRefused { retry_after: None } => refused("LoginRefused"),
        Error::LoginRefused {
            retry_after: Some(_),
        } => refused("LoginBlocked"),
        Error::LoginOff => refused("LoginOff"),
        Error::SendsStopped => stopped(),
    }
}
