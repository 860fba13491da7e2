//! Kept money: `kept#<uid>` holds the recent messages to an account that were paid from the part of the
//! day's money that is kept for accounts that know who asks.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::{
    Store,
    item::primary_key,
    op::Op,
    recent_events::RecentEvents,
    repeat::{self, Updated},
};
use crate::domain::{error::Error, time::UnixMs, user::Uid, window::Limit};

impl Store {
    /// Counts a message to an account that is paid from kept money; whether the limit admits it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the message may be counted all the same.
    pub async fn count_kept(&self, uid: Uid, now: UnixMs, limit: Limit) -> Result<bool, Error> {
        let limits = [limit];
        let kept = RecentEvents {
            pk: format!("kept#{}", uid.0),
            limits: &limits,
            marks_per_ms: 1,
        };
        let op = Op::draw()?;
        let count = kept.count(now).once(&op);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(kept.pk)))
            .update_expression(count.update)
            .condition_expression(count.condition)
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(count.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(match repeat::update(update).await? {
            Updated::Done(_) => true,
            Updated::Refused(item) => op.made(item.as_ref()),
        })
    }
}
