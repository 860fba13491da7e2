//! Sending a code: what every purpose has in common.

use std::sync::Arc;

use futures_util::future::{join, join3};

use crate::{
    app::App,
    domain::{
        budget::{Charge, Shard, until_tomorrow},
        client_address::Source,
        code::Code,
        error::{Error, Limited},
        fraud::{Mode, SourceHistory},
        phone::Phone,
        purpose::Purpose,
        slot::{Attribution, Challenge, ChallengeId, Fresh, Nonce, Policy},
        slot_key::{SlotKey, Tag},
        time::UnixMs,
        token::{self, PhoneInfo, Token},
        user::{Uid, User},
        window::Limit,
    },
    sms::Plan,
    store::{Counted, Key, Outcome, Seen, SendOutcome, SlotMove, StoredSlot},
    telemetry::{context, metrics},
};

use super::{
    budget::{self, release},
    race::{Race, random},
};

/// A code to be sent: which slot it is of, and what has to be read to know where it goes.
pub(super) struct Sending<'a> {
    pub purpose: Purpose,
    pub key: &'a SlotKey,
    /// What `target` looks at, beside the slot.
    pub keys: &'a [Key<'a>],
    /// Where it is asked for from.
    pub from: &'a Source,
    /// The phone that the request names, if it does: where the code goes, if anywhere.
    pub claimed: Option<&'a Phone>,
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

/// Sends a code to the phone that a request names, and gives the ticket that goes with it. `target`
/// says of the phone's owner whose account it is for, and may refuse.
pub(super) async fn to_named(
    app: &Arc<App>,
    purpose: Purpose,
    key: &SlotKey,
    phone: &Phone,
    from: &Source,
    target: impl Fn(Option<Uid>) -> Result<Option<Uid>, Error>,
    now: UnixMs,
) -> Result<Token, Error> {
    plan(app, purpose, phone)?;
    let sending = Sending {
        purpose,
        key,
        keys: &[Key::PhoneOwner(phone)],
        from,
        claimed: Some(phone),
    };
    let target = |seen: &Seen| {
        Ok(Target {
            phone: phone.clone(),
            uid: target(seen.phone_owner(phone)?)?,
        })
    };
    let sent = send(app, sending, target, now).await?;
    token::phone_info(&app.keys, &sent, now)
}

/// Sends a code: counts who asks and reads, decides, records and reserves the money, publishes.
///
/// `target` finds in what was read where the code goes, and may refuse. Two round trips to DynamoDB
/// before the message, unless somebody races us.
///
/// Where unknown users are hidden, a refusal that would tell of one becomes a decoy: all is done but
/// the message, which nobody waits for then.
pub(super) async fn send(
    app: &Arc<App>,
    sending: Sending<'_>,
    target: impl Fn(&Seen) -> Result<Target, Error>,
    now: UnixMs,
) -> Result<PhoneInfo, Error> {
    let mut sender = Sender::new(app, &sending, now);
    let (counted, first) = join(sender.count(), sender.read()).await;
    let (counted, mut first) = (counted?, Some(first?));
    let mut race = Race::default();
    loop {
        let seen = match first.take() {
            Some(seen) => seen,
            None => sender.read().await?,
        };
        let draft = match sender.decide(&seen, target(&seen), counted).await {
            Ok(draft) => draft,
            Err(refused) => {
                sender.release().await;
                return Err(refused);
            }
        };
        match sender.record(draft).await? {
            Some(sent) => return sent.deliver(app).await,
            None => race.lost().await,
        }
    }
}

/// A send under way.
struct Sender<'a> {
    app: &'a Arc<App>,
    sending: &'a Sending<'a>,
    now: UnixMs,
    policy: Policy,
    limits: Vec<Limit>,
    /// Whether nobody may learn from this send who is known.
    hides: bool,
    /// Where its price is, or will be, reserved.
    shard: Shard,
    reserved: Option<Charge>,
}

/// A send that is decided on and not yet written.
struct Draft<'a> {
    phone: Phone,
    uid: Option<Uid>,
    step: SlotMove<'a>,
    challenge: Challenge,
    /// What it costs; `None` for a test number.
    charge: Option<Charge>,
}

impl<'a> Sender<'a> {
    fn new(app: &'a Arc<App>, sending: &'a Sending<'a>, now: UnixMs) -> Self {
        Self {
            app,
            sending,
            now,
            policy: app.policy(sending.purpose),
            limits: app.send_limits(sending.purpose),
            hides: app.hide_unknown_users && sending.claimed.is_some(),
            shard: budget::any_shard(app, now),
            reserved: None,
        }
    }

    /// Counts the request against its source, whatever will come of it.
    async fn count(&self) -> Result<Counted, Error> {
        let (app, source) = (self.app, self.sending.from);
        if app.source_limits.is_empty() {
            return Ok(Counted::Done(SourceHistory::default()));
        }
        let tag = Tag::of(self.sending.key, &app.keys);
        let counted = app
            .store
            .count_source(source, tag, self.now, &app.source_limits);
        counted.await
    }

    async fn read(&self) -> Result<Seen, Error> {
        let mut keys = self.sending.keys.to_vec();
        keys.extend([
            Key::Slot(self.sending.key),
            Key::Shard(self.shard),
            Key::Shard(self.shard.yesterday()),
        ]);
        self.app.store.read(&keys).await
    }

    /// Decides, by what was read, whether the code is sent, and where.
    async fn decide(
        &mut self,
        seen: &Seen,
        target: Result<Target, Error>,
        counted: Counted,
    ) -> Result<Draft<'a>, Error> {
        let Sending { purpose, key, .. } = *self.sending;
        if let Err(error) = &target
            && is_the_sessions(purpose, error)
        {
            return Err(error.clone());
        }
        let phone = match (&target, self.sending.claimed) {
            (Ok(target), _) => Some(&target.phone),
            (Err(_), claimed) => claimed,
        };
        if let Some(phone) = phone {
            plan(self.app, purpose, phone)?;
        }
        let answers = match counted {
            Counted::Done(answers) => answers,
            Counted::TooMany { retry_after } => {
                let limit = Limited::Source;
                return Err(Error::TooFrequent { retry_after, limit });
            }
        };
        let (target, decoy) = match (target, self.sending.claimed) {
            (Err(error), Some(claimed)) if self.hides && tells_who_is_known(purpose, &error) => {
                let (phone, uid) = (claimed.clone(), Some(stand_in(self.app, claimed)));
                (Target { phone, uid }, true)
            }
            (target, _) => (target?, false),
        };
        let Target { phone, uid } = target;
        context::about(self.app, &phone);
        let stored = readable(self.app, seen.slot(key)?);
        let fresh = self.fresh(&phone, decoy)?;
        let mut next = match stored.slot.send(self.now, &self.policy, fresh) {
            Ok(next) => next,
            Err(refused) => {
                // Nothing is written that could have checked the account, so it is read.
                if !self.hides {
                    must_be_active(self.app, uid).await?;
                }
                return Err(Error::TooFrequent {
                    retry_after: refused.retry_after,
                    limit: refused.limit,
                });
            }
        };
        let is_test = self.app.test_numbers.code_of(&phone, self.now).is_some();
        if !is_test && self.reserved.is_none() {
            self.guard(seen, &phone, &answers).await?;
            let price = self.app.budget.charge(phone.country(), 1);
            let today = seen.tally(self.shard, phone.country());
            self.shard =
                budget::shard_with_room(self.app, self.shard, &today, &price, self.now).await?;
        }
        let charge = match decoy {
            // Written down like any other, so that it takes as long.
            true => Charge::nothing(phone.country()),
            false => self.app.budget.charge(phone.country(), 1),
        };
        let challenge = next.challenge.as_mut();
        let challenge =
            challenge.ok_or_else(|| Error::Internal("no challenge after a send".into()))?;
        if let Some(origin) = challenge.attributions.last_mut() {
            origin.shard = self.shard;
        }
        let challenge = challenge.clone();
        Ok(Draft {
            phone,
            uid,
            step: SlotMove {
                key,
                seen: stored,
                useless_from: next.useless_from(&self.policy),
                next,
            },
            challenge,
            charge: (!is_test).then_some(charge),
        })
    }

    /// Asks the toll-fraud guard: first by the shard that has been read, and only if that looks odd,
    /// by all of them.
    async fn guard(
        &self,
        seen: &Seen,
        phone: &Phone,
        answers: &SourceHistory,
    ) -> Result<(), Error> {
        let (guard, country) = (&self.app.guard, phone.country());
        let today = seen.tally(self.shard, country);
        let yesterday = seen.tally(self.shard.yesterday(), country);
        let shards = self.app.budget.shards();
        if guard
            .assess_share(&today, &yesterday, answers, shards)
            .is_none()
        {
            return Ok(());
        }
        let suspicion = budget::judge(self.app, country, answers, self.now).await?;
        let Some(suspicion) = suspicion else {
            return Ok(());
        };
        let refused = guard.mode == Mode::Enforce;
        metrics::fraud_decision(if refused { "Refused" } else { "Observed" });
        let source_hash = self.app.keys.pseudonym(self.sending.from.as_str());
        let reason = suspicion.name();
        tracing::warn!(%country, %source_hash, reason, refused, "suspected toll fraud");
        match refused {
            false => Ok(()),
            true => Err(Error::TooFrequent {
                retry_after: until_tomorrow(self.now),
                limit: Limited::Fraud,
            }),
        }
    }

    /// Gives back what an earlier round has reserved: somebody else's send was first, after all.
    async fn release(&mut self) {
        if let Some(charge) = self.reserved.take() {
            release(self.app, self.shard, &charge).await;
        }
    }

    /// Writes it down, and reserves its price beside. `None` when somebody was first: read and decide
    /// again.
    async fn record(&mut self, draft: Draft<'_>) -> Result<Option<Sent>, Error> {
        let Draft {
            phone,
            uid,
            step,
            challenge,
            charge,
        } = draft;
        let (store, now, hides) = (&self.app.store, self.now, self.hides);
        // Hidden, the account is looked at beside the write, which is then the same for all.
        let checked = uid.filter(|_| !hides);
        let (recorded, reserving, account) = join3(
            store.record_send(&step, &phone, checked, now, &self.limits),
            async {
                match charge {
                    Some(charge) if self.reserved.is_none() => {
                        budget::reserve(self.app, self.shard, &charge, now)
                            .await
                            .map(Some)
                    }
                    _ => Ok(None),
                }
            },
            async {
                match hides {
                    true => {
                        let whose = uid.unwrap_or_else(|| stand_in(self.app, &phone));
                        store.user(whose).await
                    }
                    false => Ok(None),
                }
            },
        )
        .await;
        if let Ok(Some(shard)) = reserving {
            (self.shard, self.reserved) = (shard, charge);
        }
        let sent = Sent {
            purpose: self.sending.purpose,
            policy: self.policy,
            limits: self.limits.clone(),
            key: step.key.clone(),
            source: self.sending.from.clone(),
            phone,
            uid,
            challenge,
            at: now,
            hides,
            reserved: self.reserved.map(|charge| (self.shard, charge)),
            account: account.as_ref().ok().cloned().flatten(),
        };
        let failure = match (recorded, reserving.and(account)) {
            (Ok(SendOutcome::Done), Ok(_)) => return Ok(Some(sent)),
            (Ok(SendOutcome::Raced), Ok(_)) => return Ok(None),
            // It may have been written all the same, and no message will follow.
            (Ok(SendOutcome::Done), Err(error)) | (Err(error), _) => {
                sent.give_back(self.app, Count::Too).await;
                error
            }
            (Ok(SendOutcome::Raced), Err(error)) => error,
            (Ok(SendOutcome::TooFrequent { retry_after }), _) => Error::TooFrequent {
                retry_after,
                limit: Limited::Phone,
            },
            (Ok(SendOutcome::UserGone), _) => Error::UserNotFound,
            (Ok(SendOutcome::UserDisabled), _) => Error::UserDisabled,
        };
        sent.release(self.app).await;
        Err(failure)
    }

    fn fresh(&self, phone: &Phone, decoy: bool) -> Result<Fresh, Error> {
        Ok(Fresh {
            id: ChallengeId(random()?),
            nonce: Nonce(random()?),
            kid: self.app.keys.active().to_owned(),
            phone: phone.clone(),
            attribution: Attribution {
                source: self.sending.from.clone(),
                shard: self.shard,
            },
            decoy,
        })
    }
}

/// A send that has been recorded, or may have been.
struct Sent {
    purpose: Purpose,
    policy: Policy,
    limits: Vec<Limit>,
    key: SlotKey,
    source: Source,
    phone: Phone,
    uid: Option<Uid>,
    challenge: Challenge,
    at: UnixMs,
    hides: bool,
    /// What is reserved for its message.
    reserved: Option<(Shard, Charge)>,
    /// The account, where it was looked at.
    account: Option<User>,
}

/// Whether a failed send's place in the phone's count is given back: not if the provider may have
/// sent the message, and will charge for it.
#[derive(PartialEq)]
enum Count {
    Too,
    Not,
}

impl Sent {
    /// Sends the message, at once or, where it would tell of who is known, after the answer.
    async fn deliver(self, app: &Arc<App>) -> Result<PhoneInfo, Error> {
        let info = PhoneInfo {
            purpose: self.purpose,
            phone: self.phone.clone(),
            // Whoever registers has no account yet; nor has a decoy of one.
            uid: self.uid.filter(|_| self.purpose != Purpose::Register),
            challenge: self.challenge.id,
        };
        if app.test_numbers.code_of(&self.phone, self.at).is_some() {
            let (purpose, phone) = (self.purpose.name(), &self.phone);
            tracing::info!(purpose, %phone, "test number, no SMS");
            return Ok(info);
        }
        if !self.hides {
            self.publish(app).await?;
            return Ok(info);
        }
        // A new account's phone has none, and a phone to move to isn't an account's.
        let to_an_account = !matches!(self.purpose, Purpose::Register | Purpose::ChangePhone);
        let reaches = self.account.as_ref().is_some_and(User::is_active) || !to_an_account;
        app.after_answer(async move |app| match self.challenge.decoy || !reaches {
            true => self.release(&app).await,
            false => {
                if let Err(error) = self.publish(&app).await {
                    context::failed_unseen(&error);
                }
            }
        });
        Ok(info)
    }

    async fn publish(&self, app: &Arc<App>) -> Result<(), Error> {
        let (purpose, phone) = (self.purpose, &self.phone);
        let code = Code::derive(&app.keys, self.key.as_str(), &self.challenge)
            .ok_or_else(|| Error::Internal("no key for a challenge of ours".into()))?;
        let valid_for = self.challenge.valid_until.after(self.at);
        let plan = plan(app, purpose, phone)?;
        let published = app.sms.send_code(&plan, phone, &code, valid_for).await;
        let Err(not_sent) = published else {
            metrics::sent(phone.country());
            return Ok(());
        };
        context::not_sent(&not_sent.reason);
        let count = match not_sent.may_have_gone_out {
            true => Count::Not,
            false => {
                self.release(app).await;
                Count::Too
            }
        };
        // Hidden, a cool-down that ended early would tell that there was somebody to write to.
        if !self.hides {
            self.give_back(app, count).await;
        }
        Err(Error::Sms(not_sent.failure))
    }

    /// Gives the cool-down back, so that the user can retry at once. What cannot be given back passes
    /// with time, so a failure here is only logged.
    async fn give_back(&self, app: &Arc<App>, count: Count) {
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
        let source = async {
            let tag = Tag::of(&self.key, &app.keys);
            let limits = &app.source_limits;
            app.store
                .uncount_source(&self.source, tag, self.at, limits)
                .await
        };
        let given_back = join3(self.give_cool_down_back(app), count, source).await;
        for failure in [given_back.0, given_back.1, given_back.2] {
            if let Err(failure) = failure {
                tracing::warn!(?failure, "a failed send could not be given back");
            }
        }
    }

    /// Gives its price back.
    async fn release(&self, app: &App) {
        if let Some((shard, charge)) = &self.reserved {
            release(app, *shard, charge).await;
        }
    }

    /// Whether one of the limits is a cool-down of the number, whoever asks.
    fn has_minute(&self) -> bool {
        self.limits
            .iter()
            .any(|limit| limit.events == 1 && limit.span == self.policy.cool_down)
    }

    async fn give_cool_down_back(&self, app: &App) -> Result<(), Error> {
        let key = &self.key;
        let mut race = Race::default();
        loop {
            let stored = app.store.read(&[Key::Slot(key)]).await?.slot(key)?;
            let Some(next) = stored.slot.send_failed(self.challenge.id, self.at) else {
                return Ok(());
            };
            let step = SlotMove {
                key,
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

/// Whether a refusal is about the session that is presented, which comes before all else.
fn is_the_sessions(purpose: Purpose, error: &Error) -> bool {
    let in_session = matches!(purpose, Purpose::ChangePassword | Purpose::ChangePhone);
    in_session && *error != Error::PhoneTaken
}

/// Whether a refusal tells somebody who is not logged in to an account that there is one, or none.
fn tells_who_is_known(purpose: Purpose, error: &Error) -> bool {
    match error {
        Error::PhoneTaken => true,
        Error::PhoneUnknown
        | Error::UserNotFound
        | Error::UserDisabled
        | Error::PhoneMismatch
        | Error::NoPhone => !is_the_sessions(purpose, error),
        _ => false,
    }
}

/// A number for an account that is not there: always the same, and nobody's.
fn stand_in(app: &App, phone: &Phone) -> Uid {
    let pseudonym = app.keys.pseudonym(&format!("nobody#{}", phone.e164()));
    Uid::from_random(pseudonym.number().to_be_bytes())
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

/// A challenge whose key has left the ring has no code any more: it is as if there were none.
fn readable(app: &App, mut stored: StoredSlot) -> StoredSlot {
    let challenge = stored.slot.challenge.take();
    stored.slot.challenge = challenge.filter(|challenge| app.keys.has(&challenge.kid));
    stored
}
