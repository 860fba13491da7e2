//! Reset tokens: `reset#<hash>`. The item is named by the token's hash, so the table does not hold the
//! token.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, Update};
use serde::{Deserialize, Serialize};

use super::{
    Key, Seen, Store, TTL_MARGIN,
    item::{parse, parse_phone, primary_key, serialize},
    transaction::{Transaction, WriteResult, put_part, update_part},
    users::AccountCondition,
    wrong_codes::Spend,
};
use crate::domain::{
    error::Error, password::PasswordHash, phone::Phone, time::UnixMs, token::ResetHash, user::Uid,
};

/// A reset token, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The account whose password it changes.
    pub uid: Uid,
    /// The phone its code was sent to. The token dies when the account moves to another phone.
    pub phone: Phone,
    /// When it was issued.
    pub issued_at: UnixMs,
    /// It is refused from this moment on.
    pub expires_at: UnixMs,
    /// It has been redeemed.
    pub spent: bool,
}

/// How issuing a reset token went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum IssueOutcome {
    /// Written, all of it.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// There were too many wrong codes for the phone.
    TooMany {
        /// When the next code may be presented.
        retry_after: Duration,
    },
    /// The account is not active or no longer at the phone the code was sent to.
    Unreachable,
}

/// How redeeming a reset token went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ResetOutcome {
    /// Written, all of it.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// The account is not active or no longer at the token's phone, or its password has been set since.
    Unreachable,
}

/// The most that the clocks of two functions differ.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct ResetItem {
    pk: String,
    uid: Uid,
    country: String,
    phone: String,
    issued_ms: UnixMs,
    expires_ms: UnixMs,
    spent: bool,
    ttl: u64,
}

impl ResetItem {
    fn new(hash: &ResetHash, reset: &Reset) -> Self {
        Self {
            pk: pk(hash),
            uid: reset.uid,
            country: reset.phone.country().to_string(),
            phone: reset.phone.national().to_owned(),
            issued_ms: reset.issued_at,
            expires_ms: reset.expires_at,
            spent: reset.spent,
            ttl: reset.expires_at.plus(TTL_MARGIN).as_secs(),
        }
    }

    fn into_reset(self) -> Result<Reset, Error> {
        Ok(Reset {
            uid: self.uid,
            phone: parse_phone(&self.country, &self.phone)?,
            issued_at: self.issued_ms,
            expires_at: self.expires_ms,
            spent: self.spent,
        })
    }
}

impl Key {
    /// A reset token.
    pub fn reset(hash: &ResetHash) -> Self {
        Self::of_codes(pk(hash))
    }
}

impl Seen {
    /// A reset token.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn reset(&self, hash: &ResetHash) -> Result<Option<Reset>, Error> {
        let item = self.item(&Key::reset(hash));
        item.map(|item| parse::<ResetItem>(item.clone())?.into_reset())
            .transpose()
    }
}

impl Store {
    /// Stores a reset token in one transaction that spends the code for it. The account must be active
    /// and at the phone the code was sent to.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn issue_reset(
        &self,
        token: &ResetHash,
        reset: &Reset,
        spend: &Spend<'_>,
    ) -> Result<IssueOutcome, Error> {
        let put = Put::builder()
            .table_name(&self.codes)
            .set_item(Some(serialize(&ResetItem::new(token, reset))?));
        let reachable = AccountCondition::ActiveAtPhone {
            phone: &reset.phone,
        };
        let mut writes = Vec::from(self.spending(spend)?);
        writes.push(self.check_account(reset.uid, reachable)?);
        writes.push(put_part(put)?);
        Ok(match self.transact(writes).await? {
            Transaction::Done => IssueOutcome::Done,
            // The slot and the wrong codes come first: they say whether the code counts at all.
            Transaction::Cancelled(results) => match &results[..] {
                [WriteResult::ConditionFailed(_), ..] => IssueOutcome::Raced,
                [_, WriteResult::ConditionFailed(item), ..] => {
                    let retry_after = spend.wrong.wait(item.as_ref(), spend.now);
                    IssueOutcome::TooMany { retry_after }
                }
                [_, _, WriteResult::ConditionFailed(_), ..] => IssueOutcome::Unreachable,
                _ => IssueOutcome::Raced,
            },
        })
    }

    /// Changes a forgotten password and ends all sessions, in one transaction that spends the reset
    /// token. The account must be active and at the token's phone, and its password not set since the
    /// token was issued.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn redeem_reset(
        &self,
        token: &ResetHash,
        reset: &Reset,
        hash: &PasswordHash,
        now: UnixMs,
    ) -> Result<ResetOutcome, Error> {
        let spend = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(pk(token))))
            .update_expression("SET spent = :spent")
            .condition_expression("spent = :unspent")
            .expression_attribute_values(":spent", AttributeValue::Bool(true))
            .expression_attribute_values(":unspent", AttributeValue::Bool(false));
        let unchanged = AccountCondition::ActiveAtPhoneUnchanged {
            phone: &reset.phone,
            // Functions' clocks may differ a little.
            since: reset.issued_at.before(CLOCK_DIFFERENCE),
        };
        let writes = vec![
            update_part(spend)?,
            self.set_password(reset.uid, hash, unchanged, now)?,
        ];
        Ok(match self.transact(writes).await? {
            Transaction::Done => ResetOutcome::Done,
            Transaction::Cancelled(results) => match results[..] {
                [WriteResult::Passed, WriteResult::ConditionFailed(_)] => ResetOutcome::Unreachable,
                _ => ResetOutcome::Raced,
            },
        })
    }
}

fn pk(hash: &ResetHash) -> String {
    format!("reset#{}", hash.as_str())
}
