//! Failures of the SDK, in the form that the log may have.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::{aws::failure, domain::error::Error};

/// Whether a conditional write found its condition false.
pub(super) fn is_condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// What failed of DynamoDB.
pub(super) fn failed<E: ProvideErrorMetadata>(call: &str, error: &SdkError<E>) -> Error {
    failure::failed(&format!("DynamoDB {call}"), error)
}

/// A request that lacks a required part.
pub(super) fn unbuildable(error: impl std::error::Error) -> Error {
    Error::internal(format!("request: {error}"))
}
