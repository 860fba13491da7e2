//! Where AWS is, and the function's credentials. Lambda sets them; the endpoints are set only on a
//! developer's machine.

use std::time::Duration;

use super::{
    env::{ConfigError, Env},
    variables::{
        AWS_ACCESS_KEY_ID, AWS_CA_BUNDLE, AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_KMS,
        AWS_ENDPOINT_URL_SNS, AWS_REGION, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
        DYNAMODB_ATTEMPT_MS, SMS_REGION,
    },
};
use crate::aws::AwsConfig;

pub(super) fn read(env: &Env<'_>) -> Result<AwsConfig, ConfigError> {
    let attempt_ms = env.number(
        DYNAMODB_ATTEMPT_MS,
        100..=2500,
        "a whole number from 100 to 2500",
    )?;
    let region = env.required(AWS_REGION)?;
    Ok(AwsConfig {
        sms_region: env.text(SMS_REGION).unwrap_or_else(|| region.clone()),
        region,
        access_key_id: env.required(AWS_ACCESS_KEY_ID)?,
        secret_access_key: env.required(AWS_SECRET_ACCESS_KEY)?,
        session_token: env.text(AWS_SESSION_TOKEN),
        dynamodb_endpoint: env.text(AWS_ENDPOINT_URL_DYNAMODB),
        kms_endpoint: env.text(AWS_ENDPOINT_URL_KMS),
        sns_endpoint: env.text(AWS_ENDPOINT_URL_SNS),
        ca_bundle: env.text(AWS_CA_BUNDLE),
        dynamodb_attempt: Duration::from_millis(attempt_ms),
    })
}
