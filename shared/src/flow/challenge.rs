//! Sending a code and taking it back: what every purpose has in common.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::{
    app::App,
    code::{Code, Guess},
    error::Error,
    phone::Phone,
    purpose::{Purpose, SlotKey},
    slot::{Challenge, ChallengeId, Fresh, Nonce, Refused, Slot, Verdict},
    store::{Key, Put, Seen, SendOutcome, SendRecord, StoredSlot},
    time::UnixMs,
    token::PhoneInfo,
    user::Uid,
};

/// Sends a code to `phone`: reads, decides, records, publishes.
///
/// `account` finds the account in what `keys` read. Two round trips to DynamoDB before the message,
/// unless somebody races us.
pub(super) async fn send(
    app: &App,
    purpose: Purpose,
    phone: &Phone,
    keys: &[Key<'_>],
    account: impl Fn(&Seen) -> Result<Uid, Error>,
    now: UnixMs,
) -> Result<PhoneInfo, Error> {
    if !app.login_enabled {
        return Err(Error::LoginOff);
    }
    let plan = app.sms_config.plan(purpose, phone)?;
    let policy = purpose.policy();
    let key = SlotKey::new(purpose, phone);
    let mut keys = keys.to_vec();
    keys.push(Key::Slot(&key));
    let mut race = Race::default();
    let (uid, challenge, attempt) = loop {
        let seen = app.store.read(&keys).await?;
        let uid = account(&seen)?;
        let stored = readable(app, seen.slot(&key)?);
        let next = match stored.slot.send(now, &policy, fresh(app)?) {
            Ok(next) => next,
            Err(Refused { retry_after }) => {
                // Nothing is written that could have checked the account, so it is read.
                match app.store.user(uid).await? {
                    Some(user) if user.is_active() => {}
                    Some(_) => return Err(Error::UserDisabled),
                    None => return Err(Error::UserNotFound),
                }
                return Err(Error::TooFrequent { retry_after });
            }
        };
        let challenge = sent_challenge(&next)?;
        let record = SendRecord {
            key: &key,
            seen: &stored,
            next: &next,
            useless_from: next.useless_from(&policy),
            phone,
            uid,
            now,
        };
        let attempt = Attempt {
            purpose,
            key: &key,
            phone,
            id: challenge.id,
            at: now,
        };
        match app.store.record_send(&record, &app.send_limits).await {
            Ok(SendOutcome::Done) => break (uid, challenge, attempt),
            Ok(SendOutcome::Raced) => race.lost().await,
            Ok(SendOutcome::TooFrequent { retry_after }) => {
                return Err(Error::TooFrequent { retry_after });
            }
            Ok(SendOutcome::UserGone) => return Err(Error::UserNotFound),
            Ok(SendOutcome::UserDisabled) => return Err(Error::UserDisabled),
            Err(error) => {
                // It may have been written all the same, and no message will follow.
                attempt.give_back(app, Count::Too).await;
                return Err(error);
            }
        }
    };
    let code = Code::derive(&app.keys, key.as_str(), &challenge)
        .ok_or_else(|| Error::Internal("no key for a challenge of ours".into()))?;
    let valid_for = challenge.valid_until.after(now);
    let phone_hash = app.keys.log_hash(&phone.e164());
    if let Err(not_sent) = app.sms.send(&plan, phone, &code, valid_for).await {
        let reason = not_sent.reason;
        tracing::warn!(purpose = purpose.name(), %phone, phone_hash, reason, "SMS not sent");
        let count = match not_sent.may_have_gone_out {
            true => Count::Not,
            false => Count::Too,
        };
        attempt.give_back(app, count).await;
        return Err(Error::Sms(not_sent.failure));
    }
    tracing::info!(purpose = purpose.name(), %phone, phone_hash, "code sent");
    Ok(PhoneInfo {
        purpose,
        phone: phone.clone(),
        uid,
        challenge: challenge.id,
    })
}

/// A send that has been recorded, or may have been.
struct Attempt<'a> {
    purpose: Purpose,
    key: &'a SlotKey,
    phone: &'a Phone,
    id: ChallengeId,
    at: UnixMs,
}

/// Whether a failed send's place in the phone's count is given back: not if the provider may have
/// sent the message, and will charge for it.
#[derive(PartialEq)]
enum Count {
    Too,
    Not,
}

impl Attempt<'_> {
    /// Gives the cool-down back, so that the user can retry at once. What cannot be given back passes
    /// with time, so a failure here is only logged.
    async fn give_back(&self, app: &App, count: Count) {
        let count = async {
            match count {
                Count::Too => {
                    app.store
                        .uncount_send(self.phone, self.at, &app.send_limits)
                        .await
                }
                Count::Not => Ok(()),
            }
        };
        let (cool_down, count) =
            futures_util::future::join(self.give_cool_down_back(app), count).await;
        for failure in [cool_down, count].into_iter().filter_map(Result::err) {
            tracing::warn!(?failure, "a failed send could not be given back");
        }
    }

    async fn give_cool_down_back(&self, app: &App) -> Result<(), Error> {
        let mut race = Race::default();
        loop {
            let stored = app
                .store
                .read(&[Key::Slot(self.key)])
                .await?
                .slot(self.key)?;
            let Some(next) = stored.slot.send_failed(self.id, self.at) else {
                return Ok(());
            };
            let useless_from = next.useless_from(&self.purpose.policy());
            match app
                .store
                .put_slot(self.key, &stored, &next, useless_from)
                .await?
            {
                Put::Done => return Ok(()),
                Put::Raced => race.lost().await,
            }
        }
    }
}

/// A code somebody presents.
pub(super) struct Redemption<'a> {
    pub purpose: Purpose,
    /// The slot it is for.
    pub key: &'a SlotKey,
    /// The challenge it is for, where the dialect has a ticket that says.
    pub id: Option<ChallengeId>,
    pub guess: &'a Guess,
}

/// Takes a code: exactly one of any number of callers with the right one gets `Ok`.
///
/// `check` sees what `keys` read once the code is known to be right; if it refuses, the code stays
/// usable. Two round trips to DynamoDB, unless somebody races us.
pub(super) async fn redeem<T>(
    app: &App,
    redemption: Redemption<'_>,
    keys: &[Key<'_>],
    check: impl Fn(&Seen) -> Result<T, Error>,
    now: UnixMs,
) -> Result<T, Error> {
    let Redemption {
        purpose,
        key,
        id,
        guess,
    } = redemption;
    let policy = purpose.policy();
    let mut keys = keys.to_vec();
    keys.push(Key::Slot(key));
    let mut race = Race::default();
    loop {
        let seen = app.store.read(&keys).await?;
        let stored = seen.slot(key)?;
        let is_right = |challenge: &Challenge| {
            let code = Code::derive(&app.keys, key.as_str(), challenge);
            code.is_some_and(|code| code.matches(guess))
        };
        let (next, answer) = match stored.slot.verify(now, &policy, id, is_right) {
            Verdict::Accepted(next) => (next, Ok(check(&seen)?)),
            Verdict::Wrong(next) => (next, Err(Error::CodeWrong)),
            Verdict::Expired { retry_after } => return Err(Error::CodeExpired { retry_after }),
        };
        let useless_from = next.useless_from(&policy);
        match app
            .store
            .put_slot(key, &stored, &next, useless_from)
            .await?
        {
            Put::Done => return answer,
            Put::Raced => race.lost().await,
        }
    }
}

/// A challenge whose key has left the ring has no code any more: it is as if there were none.
fn readable(app: &App, mut stored: StoredSlot) -> StoredSlot {
    let challenge = stored.slot.challenge.take();
    stored.slot.challenge = challenge.filter(|challenge| app.keys.has(&challenge.kid));
    stored
}

fn sent_challenge(slot: &Slot) -> Result<Challenge, Error> {
    let challenge = slot.challenge.clone();
    challenge.ok_or_else(|| Error::Internal("a send without a challenge".into()))
}

fn fresh(app: &App) -> Result<Fresh, Error> {
    let mut random = [[0; 16]; 2];
    for bytes in &mut random {
        rand::fill(bytes).map_err(|_| Error::Internal("no randomness".into()))?;
    }
    let [id, nonce] = random;
    Ok(Fresh {
        id: ChallengeId(id),
        nonce: Nonce(nonce),
        kid: app.keys.active().to_owned(),
    })
}

/// Rounds lost to others. The first rounds are played again at once; then a little later each time,
/// spread out, so that a crowd thins. The request's deadline ends it.
#[derive(Default)]
struct Race {
    rounds: u32,
}

impl Race {
    async fn lost(&mut self) {
        self.rounds += 1;
        if self.rounds > 2 {
            let mut random = [0; 1];
            // Without randomness everybody waits alike, which is still a wait.
            let _ = rand::fill(&mut random);
            let spread = u64::from(random[0]) * u64::from(self.rounds.min(10)) / 16;
            tokio::time::sleep(Duration::from_millis(spread)).await;
        }
    }
}
