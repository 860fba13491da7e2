//! Redeeming a code: one loop for all purposes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::race::{Round, until_won};
use crate::{
    app::App,
    config::limits::TAKEN_NAMES,
    domain::{
        client::Client,
        code::{Code, Guess},
        error::Error,
        password::{Password, PasswordHash},
        phone::Phone,
        purpose::Purpose,
        slot::{Attribution, Challenge, ChallengeId, Slot, Verdict},
        slot_key::{SlotKey, Tag},
        time::UnixMs,
        token::PhoneInfo,
        user::{Uid, User},
    },
    random,
    store::{
        Key, Seen,
        slots::SlotMove,
        transaction::Outcome,
        wrong_codes::{RefuseOutcome, Spend, WrongCodes},
    },
    telemetry::context,
};

/// A code that a client presents.
pub(super) struct Redemption<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Its slot.
    pub key: &'a SlotKey,
    /// Its challenge, where the dialect has a ticket that names it.
    pub challenge: Option<ChallengeId>,
    /// Where it was sent, if the request says so.
    pub phone: Option<&'a Phone>,
    /// Whoever may present it.
    pub clients: Vec<Client>,
    /// What the client says it is.
    pub guess: &'a Guess,
    /// The hash of the new password, where the purpose sets one.
    pub hash: HashOnce,
}

/// A right code that is not spent yet. Writing [`Self::spend`] redeems it.
pub(super) struct Right<'a> {
    /// What was read, the slot included.
    pub seen: Seen,
    /// What spends the code.
    pub spend: Spend<'a>,
    /// The slot's step as if the code were wrong.
    as_wrong: SlotMove<'a>,
}

/// Redeems a code, in one write with what it stands for.
///
/// Each round reads the slot and `keys`, asks `allow`, which also says who presents the code, and
/// evaluates the code, unless the client has presented too many wrong ones for the phone. A wrong code is
/// counted by the write that refuses it. A right one stays usable until `spend` has written
/// [`Right::spend`] together with its own change; it gets what `allow` found. A lost race begins the
/// next round.
///
/// Where the request does not say the phone, its wrong codes cannot be read beside the slot. Then the write
/// says whether there are too many, and a code that it refuses for that, right or wrong, uses up a try.
///
/// # Errors
/// Those of `allow` and `spend`; [`Error::CodeWrong`], [`Error::CodeExpired`], [`Error::Internal`].
pub(super) async fn redeem<'a, Allowed, T, Spending>(
    app: &Arc<App>,
    redemption: &Redemption<'a>,
    keys: &[Key],
    now: UnixMs,
    allow: impl Fn(&Seen) -> Result<(Client, Allowed), Error>,
    spend: impl Fn(Right<'a>, Allowed) -> Spending,
) -> Result<T, Error>
where
    Spending: Future<Output = Result<Round<T>, Error>>,
{
    let mut all_keys = keys.to_vec();
    all_keys.push(Key::slot(redemption.key));
    all_keys.extend(redemption.wrong_codes());
    let (allow, spend) = (&allow, &spend);
    until_won(&app.store, &all_keys, |seen| async move {
        let (client, allowed) = allow(&seen)?;
        let evaluated = evaluate(app, redemption, client, seen, now);
        let Some((right, sends)) = evaluated.await? else {
            return Ok(Round::Lost);
        };
        let phone = right.spend.wrong.phone.clone();
        let round = spend(right, allowed).await?;
        if let Round::Won(_) = &round {
            was_redeemed(app, redemption.key, phone, sends, now);
        }
        Ok(round)
    })
    .await
}

/// Evaluates a code: a right one, and the sends of its challenge. A wrong one is counted; `None` when
/// that write lost a race.
async fn evaluate<'a>(
    app: &App,
    redemption: &Redemption<'a>,
    client: Client,
    seen: Seen,
    now: UnixMs,
) -> Result<Option<(Right<'a>, Vec<Attribution>)>, Error> {
    let Redemption { key, guess, .. } = *redemption;
    let policy = app.config.limits.policy(redemption.purpose);
    let wrong_codes = |phone: &Phone| WrongCodes {
        phone: phone.clone(),
        client,
        limit: policy.failures,
    };
    let too_many_at = |phone| seen.too_many(&wrong_codes(phone), now);
    if let Some(retry_after) = redemption.phone.and_then(too_many_at) {
        return Err(too_many(retry_after));
    }
    let stored = seen.slot(key)?;
    if let Some(challenge) = &stored.slot.challenge {
        context::about(&challenge.phone);
    }
    let mut live = None;
    let is_right = |challenge: &Challenge| {
        live = Some(challenge.clone());
        if let Some(code) = app.config.test_numbers.code_of(&challenge.phone, now) {
            return code.matches(guess);
        }
        let code = Code::derive(&app.config.keys, key.as_str(), challenge);
        code.is_some_and(|code| code.matches(guess))
    };
    let slot = &stored.slot;
    let verdict = slot.verify(now, &policy, client, redemption.challenge, is_right);
    let (next, is_right) = match verdict {
        Verdict::Accepted(next) => (next, true),
        Verdict::Wrong(next) => (next, false),
        Verdict::Expired { retry_after } => return Err(Error::CodeExpired { retry_after }),
    };
    let live = live.ok_or_else(|| Error::internal("a verdict on no challenge"))?;
    let wrong = wrong_codes(&live.phone);
    let step = |next: Slot| SlotMove {
        key,
        seen: stored.clone(),
        useless_from: next.useless_from(&policy),
        next,
    };
    if !is_right {
        let step = step(next);
        return match app.store.refuse_code(&step, &wrong, now).await? {
            RefuseOutcome::Done => Err(Error::CodeWrong),
            RefuseOutcome::Raced => Ok(None),
            RefuseOutcome::TooMany { retry_after } => use_up(app, &step, retry_after).await,
        };
    }
    context::right_code(live.phone.region());
    let right = Right {
        as_wrong: step(slot.with_wrong_try(now, &policy, client, redemption.challenge)),
        spend: Spend {
            step: step(next),
            wrong,
            now,
        },
        seen,
    };
    Ok(Some((right, live.attributions)))
}

/// Refuses a code that there were too many wrong ones before. It uses up a try of its challenge; `None`
/// when that write lost a race.
async fn use_up<T>(
    app: &App,
    as_wrong: &SlotMove<'_>,
    retry_after: Duration,
) -> Result<Option<T>, Error> {
    match app.store.move_slot(as_wrong).await? {
        Outcome::Done => Err(too_many(retry_after)),
        Outcome::Raced => Ok(None),
    }
}

fn too_many(retry_after: Duration) -> Error {
    Error::CodeExpired {
        retry_after: Some(retry_after),
    }
}

impl Redemption<'_> {
    /// What has to be read to know whether the client has presented too many wrong codes.
    fn wrong_codes(&self) -> impl Iterator<Item = Key> {
        let phone = self.phone.into_iter();
        phone.flat_map(|phone| {
            let clients = self.clients.iter();
            clients.map(|client| Key::wrong_codes(phone, *client))
        })
    }
}

impl<'a> Right<'a> {
    /// Where the code was sent.
    pub(super) fn phone(&self) -> &Phone {
        &self.spend.wrong.phone
    }

    /// Whether the code was sent before the account's password was set. In dialect D a new password ends the
    /// account's open codes.
    pub(super) fn is_ended_by_password_of(&self, user: &User) -> bool {
        let challenge = &self.spend.step.next.challenge;
        let sent = challenge.as_ref().map(|challenge| challenge.last_send);
        user.password_set_at.is_some() && sent <= user.password_set_at
    }

    /// What counts that the code asks for a taken name, instead of spending it.
    pub(super) fn asks_for_taken_name(&self) -> Spend<'a> {
        let step = self.spend.step.clone();
        Spend {
            step: SlotMove {
                next: step.seen.slot.with_taken_name(TAKEN_NAMES),
                ..step
            },
            ..self.spend.clone()
        }
    }

    /// Refuses the code, because the write found that there were too many wrong ones before.
    ///
    /// # Errors
    /// [`Error::CodeExpired`], [`Error::Internal`].
    pub(super) async fn refuse<T>(
        &self,
        app: &App,
        retry_after: Duration,
    ) -> Result<Round<T>, Error> {
        let refused = use_up(app, &self.as_wrong, retry_after).await?;
        Ok(refused.map_or(Round::Lost, Round::Won))
    }

    /// The account that the code's ticket names: active, and still at the phone the code was sent to.
    ///
    /// # Errors
    /// [`Error::UserNotFound`], [`Error::UserDisabled`], [`Error::PhoneMismatch`],
    /// [`Error::Internal`].
    pub(super) fn account(&self, uid: Uid, info: &PhoneInfo) -> Result<User, Error> {
        let user = self.seen.user(uid)?.ok_or(Error::UserNotFound)?;
        if !user.is_active() {
            return Err(Error::UserDisabled);
        }
        if user.phone.as_ref() != Some(&info.phone) {
            return Err(Error::PhoneMismatch);
        }
        Ok(user)
    }
}

/// Defers the bookkeeping of a redeemed code: its sends are removed from the sources they were requested
/// from, and counted as redeemed in the ledger. If this is lost, limits stay stricter for a day.
fn was_redeemed(app: &Arc<App>, key: &SlotKey, phone: Phone, sends: Vec<Attribution>, now: UnixMs) {
    // The code of a test number is public, so it proves nothing.
    if app.is_test_number(&phone, now) {
        return;
    }
    let tag = Tag::of(key, &app.config.keys);
    app.defer(async move |app| {
        let limits = &app.config.limits.sends_per_source;
        let mut sources: Vec<_> = sends.iter().map(|send| &send.source).collect();
        sources.dedup();
        let counted = |counted: Result<(), Error>| {
            if let Err(failure) = counted {
                tracing::warn!(?failure, "a redeemed code could not be counted as redeemed");
            }
        };
        // One after the other: nobody waits for them, and joined they would add to the binaries. Boxed, so that
        // the work is small while it is deferred, deep in the stack.
        for source in sources {
            let forgotten = app.store.forget_redeemed(source, tag, now, limits);
            counted(Box::pin(forgotten).await);
        }
        for send in &sends {
            let used = app.store.count_redeemed(send.shard, phone.region());
            counted(Box::pin(used).await);
        }
    });
}

/// The hash of a request's new password. A request hashes once, however many rounds it takes.
#[derive(Default)]
pub(super) struct HashOnce(OnceLock<PasswordHash>);

impl HashOnce {
    /// Whether the password has been hashed.
    pub(super) fn is_done(&self) -> bool {
        self.0.get().is_some()
    }

    /// The hash.
    ///
    /// # Errors
    /// [`Error::Internal`] without randomness or memory.
    pub(super) fn of(&self, app: &App, password: &Password) -> Result<&PasswordHash, Error> {
        if let Some(hash) = self.0.get() {
            return Ok(hash);
        }
        let hash = app
            .config
            .password_hasher
            .hash(password, random::bytes()?)?;
        Ok(self.0.get_or_init(|| hash))
    }
}
