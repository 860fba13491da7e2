//! Failures of the SDK, in the form that the log may have.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::domain::error::Error;

/// What passes, of the errors with a status below 500.
const PASSING: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// The call, and the error's code or kind. Messages and items stay out: they can quote keys, and keys
/// hold phone numbers.
pub(crate) fn failed<E: ProvideErrorMetadata>(call: &str, error: &SdkError<E>) -> Error {
    let kind = match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("error without a code"),
        SdkError::TimeoutError(_) => "time-out",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "time-out",
        SdkError::DispatchFailure(_) => "connection failure",
        SdkError::ConstructionFailure(_) => "construction failure",
        _ => "unreadable answer",
    };
    let text = format!("{call}: {kind}");
    match error {
        SdkError::ConstructionFailure(_) => Error::internal(text),
        SdkError::ServiceError(refused) => {
            let is_theirs = refused.raw().status().is_server_error();
            if is_theirs || PASSING.contains(&kind) {
                Error::passing(text)
            } else {
                Error::internal(text)
            }
        }
        _ => Error::passing(text),
    }
}
