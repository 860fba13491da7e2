//! What a request says of who asks, before anything is read.

use super::{
    client_address::Source,
    session::{SessionId, SessionLife},
    time::UnixMs,
    user::{Uid, User},
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Where the request comes from.
    pub source: Source,
    /// The session of a token of ours that it shows, expired or not. The account decides what it is worth.
    pub session: Option<ShownSession>,
}

/// The session that a token of ours is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownSession {
    /// The account.
    pub uid: Uid,
    /// The session's id.
    pub id: SessionId,
    /// The account's epoch when the token was made; `None` for a refresh token, which does not say it.
    pub epoch: Option<u64>,
}

impl ShownSession {
    /// Whether it shows the account who asks: a logout or a new password has not ended the session, and used
    /// daily it would still go on at `now`.
    pub fn is_known_to(&self, user: &User, life: &SessionLife, now: UnixMs) -> bool {
        let held = user.honours(self.id, self.epoch.unwrap_or(user.epoch));
        held.is_some_and(|held| held.began.plus(life.total) > now)
    }
}
