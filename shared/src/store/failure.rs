//! Failures of the SDK, in the form that the log may have.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::domain::error::Error;

/// Whether a conditional write found its condition false.
pub(super) fn is_condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The call, and the error's code or kind. Messages and items stay out: they can quote keys, and keys
/// hold phone numbers.
pub(super) fn failed<E: ProvideErrorMetadata>(call: &str, error: &SdkError<E>) -> Error {
    let kind = match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("error without a code"),
        SdkError::TimeoutError(_) => "time-out",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "time-out",
        SdkError::DispatchFailure(_) => "connection failure",
        SdkError::ConstructionFailure(_) => "construction failure",
        _ => "unreadable answer",
    };
    Error::Internal(format!("DynamoDB {call}: {kind}"))
}

/// A request that lacks a required part.
pub(super) fn unbuildable(error: impl std::error::Error) -> Error {
    Error::Internal(format!("request: {error}"))
}
