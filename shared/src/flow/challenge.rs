//! Sending a code and taking it back: what every purpose has in common.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::{
    app::App,
    code::{Code, Guess},
    error::Error,
    metrics,
    phone::Phone,
    purpose::{Purpose, SlotKey},
    request,
    slot::{Challenge, ChallengeId, Fresh, Nonce, Policy, Refused, Verdict},
    sms::Plan,
    store::{Key, Outcome, Seen, SendOutcome, SlotMove, StoredSlot},
    time::UnixMs,
    token::PhoneInfo,
    user::Uid,
    window::Limit,
};

/// A code to be sent: which slot it is of, and what has to be read to know where it goes.
pub(super) struct Sending<'a> {
    pub purpose: Purpose,
    pub key: &'a SlotKey,
    /// What `target` looks at, beside the slot.
    pub keys: &'a [Key<'a>],
}

/// Where a code goes.
pub(super) struct Target {
    pub phone: Phone,
    /// The account that has to be active; none when one is to be made.
    pub uid: Option<Uid>,
}

/// Whether codes are sent at all, and what a message to `phone` is made of.
///
/// # Errors
/// [`Error::LoginOff`], [`Error::Sms`].
pub(super) fn plan<'a>(app: &'a App, purpose: Purpose, phone: &Phone) -> Result<Plan<'a>, Error> {
    match app.login_enabled {
        true => app.sms_config.plan(purpose, phone),
        false => Err(Error::LoginOff),
    }
}

/// Sends a code: reads, decides, records, publishes.
///
/// `target` finds in what was read where the code goes, and may refuse. Two round trips to DynamoDB
/// before the message, unless somebody races us.
pub(super) async fn send(
    app: &App,
    sending: Sending<'_>,
    target: impl Fn(&Seen) -> Result<Target, Error>,
    now: UnixMs,
) -> Result<PhoneInfo, Error> {
    let Sending { purpose, key, keys } = sending;
    let policy = app.policy(purpose);
    let mut keys = keys.to_vec();
    keys.push(Key::Slot(key));
    let mut race = Race::default();
    let (attempt, uid, challenge) = loop {
        let seen = app.store.read(&keys).await?;
        let Target { phone, uid } = target(&seen)?;
        request::about(app, &phone);
        plan(app, purpose, &phone)?;
        let stored = readable(app, seen.slot(key)?);
        let next = match stored.slot.send(now, &policy, fresh(app, &phone)?) {
            Ok(next) => next,
            Err(Refused { retry_after }) => {
                // Nothing is written that could have checked the account, so it is read.
                must_be_active(app, uid).await?;
                return Err(Error::TooFrequent { retry_after });
            }
        };
        let challenge = next.challenge.clone();
        let challenge =
            challenge.ok_or_else(|| Error::Internal("no challenge after a send".into()))?;
        let step = SlotMove {
            key,
            seen: stored,
            useless_from: next.useless_from(&policy),
            next,
        };
        let limits = app.send_limits(purpose);
        let recorded = app.store.record_send(&step, &phone, uid, now, &limits);
        let outcome = recorded.await;
        let attempt = Attempt {
            policy,
            limits,
            key,
            phone,
            id: challenge.id,
            at: now,
        };
        match outcome {
            Ok(SendOutcome::Done) => break (attempt, uid, challenge),
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
    let phone = &attempt.phone;
    let plan = plan(app, purpose, phone)?;
    if let Err(not_sent) = app.sms.send_code(&plan, phone, &code, valid_for).await {
        request::not_sent(&not_sent.reason);
        let count = match not_sent.may_have_gone_out {
            true => Count::Not,
            false => Count::Too,
        };
        attempt.give_back(app, count).await;
        return Err(Error::Sms(not_sent.failure));
    }
    metrics::sent(phone.country());
    Ok(PhoneInfo {
        purpose,
        phone: attempt.phone,
        uid,
        challenge: challenge.id,
    })
}

async fn must_be_active(app: &App, uid: Option<Uid>) -> Result<(), Error> {
    let Some(uid) = uid else {
        return Ok(());
    };
    match app.store.user(uid).await? {
        Some(user) if user.is_active() => Ok(()),
        Some(_) => Err(Error::UserDisabled),
        None => Err(Error::UserNotFound),
    }
}

/// A send that has been recorded, or may have been.
struct Attempt<'a> {
    policy: Policy,
    limits: Vec<Limit>,
    key: &'a SlotKey,
    phone: Phone,
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
                    let uncounted = app.store.uncount_send(&self.phone, self.at, &self.limits);
                    uncounted.await
                }
                // It goes on counting by the hour and the day, but keeps nobody from retrying.
                Count::Not if self.has_minute() => {
                    app.store.age_send(&self.phone, self.at, &self.limits).await
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

    /// Whether one of the limits is a cool-down of the number, whoever asks.
    fn has_minute(&self) -> bool {
        self.limits
            .iter()
            .any(|limit| limit.events == 1 && limit.span == self.policy.cool_down)
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
            let step = SlotMove {
                key: self.key,
                seen: stored,
                useless_from: next.useless_from(&self.policy),
                next,
            };
            match app.store.move_slot(&step).await? {
                Outcome::Done => return Ok(()),
                Outcome::Raced => race.lost().await,
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

/// A right code, not yet spent: whoever writes the step has it.
pub(super) struct Right<'a> {
    /// The slot's step that spends it.
    pub spend: SlotMove<'a>,
    /// Where the code was sent.
    pub phone: Phone,
}

/// Decides on a code by what was read. A wrong one is counted here and now; a right one is the
/// caller's to spend, with whatever it stands for, and stays usable until then. `None` when somebody
/// was first: read and ask again.
///
/// # Errors
/// [`Error::CodeWrong`], [`Error::CodeExpired`], [`Error::Internal`].
pub(super) async fn judge<'a>(
    app: &App,
    redemption: &Redemption<'a>,
    seen: &Seen,
    race: &mut Race,
    now: UnixMs,
) -> Result<Option<Right<'a>>, Error> {
    let Redemption {
        purpose,
        key,
        id,
        guess,
    } = *redemption;
    let policy = app.policy(purpose);
    let stored = seen.slot(key)?;
    if let Some(challenge) = &stored.slot.challenge {
        request::about(app, &challenge.phone);
    }
    let is_right = |challenge: &Challenge| {
        let code = Code::derive(&app.keys, key.as_str(), challenge);
        code.is_some_and(|code| code.matches(guess))
    };
    let (next, right) = match stored.slot.verify(now, &policy, id, is_right) {
        Verdict::Accepted(next) => (next, true),
        Verdict::Wrong(next) => (next, false),
        Verdict::Expired { retry_after } => return Err(Error::CodeExpired { retry_after }),
    };
    let phone = next
        .challenge
        .as_ref()
        .map(|challenge| challenge.phone.clone());
    let step = SlotMove {
        key,
        seen: stored,
        useless_from: next.useless_from(&policy),
        next,
    };
    if let (true, Some(phone)) = (right, phone) {
        request::right_code(phone.country());
        return Ok(Some(Right { spend: step, phone }));
    }
    match app.store.move_slot(&step).await? {
        Outcome::Done => Err(Error::CodeWrong),
        Outcome::Raced => {
            race.lost().await;
            Ok(None)
        }
    }
}

/// A challenge whose key has left the ring has no code any more: it is as if there were none.
fn readable(app: &App, mut stored: StoredSlot) -> StoredSlot {
    let challenge = stored.slot.challenge.take();
    stored.slot.challenge = challenge.filter(|challenge| app.keys.has(&challenge.kid));
    stored
}

fn fresh(app: &App, phone: &Phone) -> Result<Fresh, Error> {
    let mut random = [[0; 16]; 2];
    for bytes in &mut random {
        rand::fill(bytes).map_err(|_| Error::Internal("no randomness".into()))?;
    }
    let [id, nonce] = random;
    Ok(Fresh {
        id: ChallengeId(id),
        nonce: Nonce(nonce),
        kid: app.keys.active().to_owned(),
        phone: phone.clone(),
    })
}

/// Rounds lost to others. The first rounds are played again at once; then a little later each time,
/// spread out, so that a crowd thins. The request's deadline ends it.
#[derive(Default)]
pub(super) struct Race {
    rounds: u32,
}

impl Race {
    /// Waits before the next round.
    pub(super) async fn lost(&mut self) {
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
