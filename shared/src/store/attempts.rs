//! Password attempts: `attempts#<uid>` holds the recent wrong passwords of an account, or of a name
//! that has none.

use std::time::Duration;

use super::{
    Key, Store,
    failure::{failed, is_condition},
    item::primary_key,
    recent_events::RecentEvents,
    repeat,
};
use crate::domain::{error::Error, time::UnixMs, window::Limit};

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
        let count = attempts.count(now);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(attempts.pk.clone())))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values));
        match repeat::update(update).await {
            Ok(_) => Ok(AttemptOutcome::Done),
            Err(error) if is_condition(&error) => {
                let item = self.get(Key::of_codes(attempts.pk.clone())).await?;
                let retry_after = attempts.wait(item.as_ref(), now);
                Ok(AttemptOutcome::TooMany { retry_after })
            }
            Err(error) => Err(failed("UpdateItem", &error)),
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

fn attempts<'a>(owner: &str, limits: &'a [Limit]) -> RecentEvents<'a> {
    RecentEvents {
        pk: format!("attempts#{owner}"),
        limits,
        marks_per_ms: 1,
    }
}
