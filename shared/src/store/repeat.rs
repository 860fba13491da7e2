//! Repeats: asking again for what DynamoDB did not do.
//!
//! While a transaction writes an item, DynamoDB refuses every other write of it and writes nothing
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>). It also
//! leaves keys of a batch unread, and cancels transactions, when it has no capacity left. Neither is a
//! failure: the same call succeeds a moment later. The SDK repeats none of them by itself.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::builders::DeleteItemFluentBuilder,
        put_item::{PutItemError, PutItemOutput, builders::PutItemFluentBuilder},
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::ReturnValue,
};

use super::{failure::failed, item::Item};
use crate::{domain::error::Error, random};

/// How often a call is repeated at most. With their pauses the repeats take 0.7 s at most.
pub(super) const REPEATS: u32 = 8;

/// The longest first pause. A transaction holds its items for some milliseconds.
const FIRST: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(160);

/// Pauses between repeats: each may be twice as long as the one before. Half of each is random, so that
/// a crowd thins.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    taken: u32,
}

impl Pauses {
    /// Waits before the next repeat, unless there were enough; whether it has waited.
    pub(super) async fn before_repeat(&mut self) -> bool {
        let repeats = self.taken < REPEATS;
        if repeats {
            self.pause().await;
        }
        repeats
    }

    /// Waits.
    pub(super) async fn pause(&mut self) {
        let longest = LONGEST.min(FIRST * 2_u32.pow(self.taken.min(REPEATS)));
        self.taken += 1;
        // Without randomness all wait alike, which is still a wait.
        let [random] = random::bytes().unwrap_or_default();
        tokio::time::sleep(longest / 2 + longest / 2 * u32::from(random) / 255).await;
    }
}

/// How a conditional update went.
pub(super) enum Updated {
    /// Written. The item as it is now, if the update asked for it.
    Done(Item),
    /// Its condition did not hold, and nothing is written. The item that is there, if the update asked for
    /// it.
    Refused(Option<Item>),
}

/// Updates an item, if the update's condition holds. [`put`] says when again.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails; the write may have happened.
pub(super) async fn update(update: UpdateItemFluentBuilder) -> Result<Updated, Error> {
    let error = match until_free(|| update.clone().send()).await {
        Ok(updated) => return Ok(Updated::Done(updated.attributes.unwrap_or_default())),
        Err(error) => error,
    };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Updated::Refused(refused.item.clone()))
        }
        _ => Err(failed("UpdateItem", &error)),
    }
}

/// Puts an item: again, as long as a transaction holds the item that is there. Such a call has written
/// nothing. A condition is evaluated again each time, so what was decided on an item that has changed
/// meanwhile is not written.
pub(super) async fn put(
    put: PutItemFluentBuilder,
) -> Result<PutItemOutput, SdkError<PutItemError>> {
    until_free(|| put.clone().send()).await
}

/// Deletes an item, as [`put`] puts one; whether it was there.
///
/// # Errors
/// [`Error::Internal`] when DynamoDB fails; the item may be gone.
pub(super) async fn delete(delete: DeleteItemFluentBuilder) -> Result<bool, Error> {
    let delete = delete.return_values(ReturnValue::AllOld);
    let deleted = until_free(|| delete.clone().send()).await;
    let deleted = deleted.map_err(|error| failed("DeleteItem", &error))?;
    Ok(deleted.attributes.is_some())
}

async fn until_free<T, E, Sending>(send: impl Fn() -> Sending) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata,
    Sending: Future<Output = Result<T, SdkError<E>>>,
{
    let mut pauses = Pauses::default();
    loop {
        // Boxed: the SDK's futures are large, and every caller's would hold one.
        match Box::pin(send()).await {
            Err(error) if is_held(&error) && pauses.before_repeat().await => {}
            answer => return answer,
        }
    }
}

/// Whether a transaction holds the item.
fn is_held<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(
        error.code(),
        Some("TransactionConflictException" | "TransactionInProgressException")
    )
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn repeats_are_bounded_and_take_less_than_seven_tenths_of_a_second() {
        for _ in 0..20 {
            let (begun, mut pauses) = (Instant::now(), Pauses::default());
            let mut repeats = 0;
            while pauses.before_repeat().await {
                repeats += 1;
            }
            assert_eq!(repeats, REPEATS);
            let took = begun.elapsed();
            let halves = Duration::from_millis(315)..Duration::from_millis(700);
            assert!(halves.contains(&took), "{took:?}");
        }
    }
}
