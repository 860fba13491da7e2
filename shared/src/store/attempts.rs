//! Password attempts: `attempts#<uid>` holds the recent wrong passwords of an account, or of a name
//! that has none.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure,
};

use super::{
    Store,
    failure::{failed, is_condition},
    item::primary_key,
    op::Op,
    recent_events::RecentEvents,
    repeat,
};
use crate::domain::{error::Error, time::UnixMs, user::Uid, window::Limit};

/// How counting a password attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum AttemptOutcome {
    /// Counted: the password may be verified.
    Done,
    /// There were too many.
    TooMany {
        /// When the next attempt may be made.
        retry_after: Duration,
    },
}

impl Store {
    /// Counts an attempt at the password of `owner`, before the password is verified. Of many attempts
    /// at once no more than the limit are verified.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the attempt may be counted all the same.
    pub async fn count_attempt(
        &self,
        owner: &str,
        now: UnixMs,
        limit: Limit,
    ) -> Result<AttemptOutcome, Error> {
        let limits = [limit];
        let attempts = attempts(owner, &limits);
        let op = Op::draw()?;
        let count = attempts.count(now).once(&op);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(attempts.pk.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = repeat::update(update).await else {
            return Ok(AttemptOutcome::Done);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                if op.made(refused.item()) {
                    return Ok(AttemptOutcome::Done);
                }
                let retry_after = attempts.wait(refused.item(), now);
                Ok(AttemptOutcome::TooMany { retry_after })
            }
            _ => Err(failed("UpdateItem", &error)),
        }
    }

    /// Removes the attempt at `counted_at`: the password was right.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_attempt(
        &self,
        owner: &str,
        counted_at: UnixMs,
        limit: Limit,
    ) -> Result<(), Error> {
        self.remove_event(&attempts(owner, &[limit]), counted_at)
            .await
    }
}

impl Store {
    /// Removes all attempts at the password of an account, which has a new one: the old guesses say
    /// nothing of it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn forget_attempts(&self, uid: Uid, limit: Limit) -> Result<(), Error> {
        let limits = [limit];
        let attempts = attempts(&uid.0.to_string(), &limits);
        let marks: Vec<String> = (0..limit.events).map(|n| format!("s{n}")).collect();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(attempts.pk)))
            .update_expression(format!("REMOVE {}", marks.join(", ")))
            .condition_expression("attribute_exists(pk)");
        match repeat::update(update).await {
            Ok(_) => Ok(()),
            Err(error) if is_condition(&error) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }
}

fn attempts<'a>(owner: &str, limits: &'a [Limit]) -> RecentEvents<'a> {
    RecentEvents {
        pk: format!("attempts#{owner}"),
        limits,
        marks_per_ms: 1,
    }
}
