//! Sends: `sends#<e164>` holds the recent messages to a phone that one client asked for, over all
//! purposes.
//!
//! Where users are hidden, a refusal must not show which requests were messages. So
//! `asked#<slot>#<e164>` holds the requests of one slot, messages and decoys alike, and refuses openly;
//! `sends#<e164>` holds the messages alone, and a request for one too many becomes a decoy. In its place a
//! decoy writes `decoys#<slot>#<e164>`, which decides nothing.

use std::time::Duration;

use super::{
    Key, Seen, Store,
    item::primary_key,
    recent_events::RecentEvents,
    repeat,
    slots::SlotMove,
    transaction::{Transaction, WriteResult},
    users::{AccountCondition, is_tombstone},
    wrong_codes::WrongCodes,
};
use crate::domain::{
    client::Client, error::Error, phone::Phone, slot_key::SlotKey, time::UnixMs, user::Uid,
    window::Limit,
};

/// How recording a send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SendOutcome {
    /// Written: the message may be sent.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// The phone has had as many messages as it may.
    TooFrequent {
        /// When it may get the next one.
        retry_after: Duration,
    },
    /// The client has presented too many wrong codes: it could not use this one.
    TooManyWrongCodes {
        /// When it may present the next one.
        retry_after: Duration,
    },
    /// The account does not exist.
    UserGone,
    /// The account is disabled.
    UserDisabled,
}

/// What a send counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The messages to its phone.
    Openly,
    /// The requests of its slot, and, unless it is a decoy, the messages to its phone.
    Hidden {
        /// Whether it is a decoy.
        decoy: bool,
    },
}

impl Key {
    /// The messages to a phone that a client asked for.
    pub fn sends(phone: &Phone, client: Client) -> Self {
        Self::of_codes(pk(phone, client))
    }

    /// Where users are hidden: the requests of a slot by a client, and its decoys.
    pub fn asked(slot: &SlotKey, phone: &Phone, client: Client) -> [Self; 2] {
        ["asked", "decoys"].map(|kind| Self::of_codes(of_slot(kind, slot, phone, client)))
    }
}

impl Seen {
    /// Whether a client has had as many messages to a phone as it may.
    pub fn has_had_all_sends(&self, at: (&Phone, Client), now: UnixMs, limits: &[Limit]) -> bool {
        let item = self.item(&Key::sends(at.0, at.1));
        !events(pk(at.0, at.1), limits).wait(item, now).is_zero()
    }
}

impl Store {
    /// Records a send in one transaction: the slot moves, the message counts against its phone and its
    /// client, the client's wrong codes for the phone are not too many, and the account, where there is one,
    /// exists and is active.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn record_send(
        &self,
        step: &SlotMove<'_>,
        wrong: &WrongCodes,
        uid: Option<Uid>,
        now: UnixMs,
        limits: &[Limit],
        counted: Counted,
    ) -> Result<SendOutcome, Error> {
        let at = (&wrong.phone, wrong.client);
        let (openly, silently) = counts(counted, step.key, at, limits);
        let mut writes = vec![
            self.put_slot(step)?,
            self.count_part(&openly, now)?,
            self.check_wrong_codes(wrong, now)?,
        ];
        if let Some(uid) = uid {
            writes.push(self.check_account(uid, AccountCondition::Active)?);
        }
        let of_account = uid.map(|_| writes.len() - 1);
        if let Some(silently) = &silently {
            writes.push(self.count_part(silently, now)?);
        }
        let results = match self.transact(writes).await? {
            Transaction::Done => return Ok(SendOutcome::Done),
            Transaction::Cancelled(results) => results,
        };
        // The account comes first: a disabled one is reported as such, throttled or not.
        let of_account = of_account.and_then(|n| results.get(n));
        if let Some(WriteResult::ConditionFailed(user)) = of_account {
            let is_there = user.as_ref().is_some_and(|user| !is_tombstone(user));
            return Ok(if is_there {
                SendOutcome::UserDisabled
            } else {
                SendOutcome::UserGone
            });
        }
        Ok(match &results[..] {
            [
                WriteResult::Passed,
                _,
                WriteResult::ConditionFailed(item),
                ..,
            ] => {
                let retry_after = wrong.wait(item.as_ref(), now);
                SendOutcome::TooManyWrongCodes { retry_after }
            }
            [WriteResult::Passed, WriteResult::ConditionFailed(item), ..] => {
                let retry_after = openly.wait(item.as_ref(), now);
                SendOutcome::TooFrequent { retry_after }
            }
            _ => SendOutcome::Raced,
        })
    }

    /// Removes the send of a slot at `sent_at` from what it counted against.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn release_send(
        &self,
        counted: Counted,
        slot: &SlotKey,
        at: (&Phone, Client),
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let (openly, silently) = counts(counted, slot, at, limits);
        self.remove_event(&openly, sent_at).await?;
        match silently {
            Some(silently) => self.remove_event(&silently, sent_at).await,
            None => Ok(()),
        }
    }

    /// Back-dates the send at `sent_at` by the shortest limit, if it is the newest: it keeps counting
    /// for the hour and the day, and no longer blocks a retry.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn back_date_send(
        &self,
        at: (&Phone, Client),
        sent_at: UnixMs,
        limits: &[Limit],
    ) -> Result<(), Error> {
        let sends = events(pk(at.0, at.1), limits);
        let change = sends.back_date(sent_at);
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(sends.pk.clone())))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_values(Some(change.values));
        repeat::update(update).await.map(drop)
    }
}

/// What refuses a send openly, and what it counts in silently.
fn counts<'a>(
    counted: Counted,
    slot: &SlotKey,
    (phone, client): (&Phone, Client),
    limits: &'a [Limit],
) -> (RecentEvents<'a>, Option<RecentEvents<'a>>) {
    let sends = events(pk(phone, client), limits);
    let of_slot = |kind: &str| events(of_slot(kind, slot, phone, client), limits);
    match counted {
        Counted::Openly => (sends, None),
        Counted::Hidden { decoy: false } => (of_slot("asked"), Some(sends)),
        Counted::Hidden { decoy: true } => (of_slot("asked"), Some(of_slot("decoys"))),
    }
}

fn of_slot(kind: &str, slot: &SlotKey, phone: &Phone, client: Client) -> String {
    let (slot, phone, client) = (slot.as_str(), phone.e164(), client.suffix());
    format!("{kind}#{slot}#{phone}{client}")
}

fn events(pk: String, limits: &[Limit]) -> RecentEvents<'_> {
    RecentEvents {
        pk,
        limits,
        marks_per_ms: 1,
    }
}

fn pk(phone: &Phone, client: Client) -> String {
    format!("sends#{}{}", phone.e164(), client.suffix())
}
