//! Kept money: `kept#<uid>` holds the recent messages to an account that were paid from the part of the
//! day's money that is kept for accounts that know who asks.

use super::{Key, Store, recent_events::RecentEvents};
use crate::domain::{error::Error, time::UnixMs, user::Uid, window::Limit};

impl Key {
    /// The messages to an account from kept money.
    pub fn kept(uid: Uid) -> Self {
        Self::of_codes(pk(uid))
    }
}

impl Store {
    /// Counts a message to an account that is paid from kept money; whether the limit admits it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the message may be counted all the same.
    pub async fn count_kept(&self, uid: Uid, now: UnixMs, limit: Limit) -> Result<bool, Error> {
        let limits = [limit];
        let kept = RecentEvents {
            pk: pk(uid),
            limits: &limits,
            marks_per_ms: 1,
        };
        Ok(self.count_event(&kept, now).await?.is_none())
    }
}

fn pk(uid: Uid) -> String {
    format!("kept#{}", uid.0)
}
