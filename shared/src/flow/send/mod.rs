//! Sending a code: one path for all purposes.
//!
//! - [`decide`]: the decision, pure
//! - [`reserve`]: the fraud guard and the money
//! - [`deliver`]: the message, and what a failure releases

mod decide;
mod deliver;
mod reserve;

use std::sync::Arc;

use futures_util::future::{join, join3};

use super::{
    client,
    hiding::Hiding,
    race::{Race, Round},
};
use crate::{
    app::App,
    domain::{
        budget::Charge,
        client::Client,
        client_address::Source,
        error::{Error, Limited},
        fraud::SourceHistory,
        phone::Phone,
        purpose::Purpose,
        requester::Requester,
        slot::{Mover, Policy},
        slot_key::{SlotKey, Tag},
        time::UnixMs,
        token::{self, Token},
        user::{Uid, User},
        window::Limit,
    },
    random,
    sms::Plan,
    store::{
        Key, Seen, owners::Owner, sends::SendOutcome, sources::SourceOutcome,
        wrong_codes::WrongCodes,
    },
    telemetry::context,
};
pub(super) use decide::Target;
use decide::{Case, Draft, Facts, FreshParts, Refusal, decide};
pub(super) use deliver::Delivered;
use deliver::{PhoneCount, Sent, SourceCount};
pub(super) use reserve::Reservation;

/// A code to be sent.
pub(super) struct Sending<'a> {
    pub purpose: Purpose,
    /// Its slot.
    pub key: &'a SlotKey,
    /// What has to be read, beside the slot, to find its target.
    pub keys: &'a [Key],
    /// Where the request comes from.
    pub source: &'a Source,
    /// Whoever may ask.
    pub clients: Vec<Client>,
    /// The phone that the request names, if it names one. The code is sent there or nowhere.
    pub named: Option<&'a Phone>,
    /// Who moves to the phone, where its code is presented without saying it.
    pub mover: Option<&'a Mover>,
    /// The message, where it is planned before anything is read. Where a session comes first, it is
    /// planned by the decision.
    pub plan: Option<Plan>,
}

/// Plans the message to a phone. It is called before anything is stored. An account can have a phone of a
/// region that is served no longer.
///
/// # Errors
/// [`Error::CountryNotServed`], [`Error::LoginOff`], [`Error::Sms`].
pub(super) fn plan(app: &App, purpose: Purpose, phone: &Phone) -> Result<Plan, Error> {
    let region = phone.region();
    if !app.config.served.contains(region) {
        return Err(Error::CountryNotServed);
    }
    if !app.config.login_enabled {
        return Err(Error::LoginOff);
    }
    app.config.sms.plan(purpose, phone.country(), region)
}

/// Sends a code to the phone that a request names. Returns the ticket that goes with the code. `target`
/// says which account the code is for, given the phone's owner, or refuses.
pub(super) async fn to_named(
    app: &Arc<App>,
    purpose: Purpose,
    key: &SlotKey,
    phone: &Phone,
    requester: &Requester,
    target: impl Fn(Option<Owner>) -> Result<Option<Owner>, Error>,
    now: UnixMs,
) -> Result<Token, Error> {
    let keys: Vec<Key> = [Key::phone_owner(phone)]
        .into_iter()
        .chain(client::session_key(requester))
        .collect();
    let sending = Sending {
        purpose,
        key,
        keys: &keys,
        source: &requester.source,
        clients: client::candidates(app, requester),
        named: Some(phone),
        mover: None,
        plan: Some(plan(app, purpose, phone)?),
    };
    let target = |seen: &Seen| {
        let owner = target(seen.owner_by_phone(phone)?)?;
        Target::of_owner(app, requester, seen, phone, owner.as_ref(), now)
    };
    let sent = send(app, &sending, target, now).await?;
    token::phone_info(&app.config.keys, &sent.info, now)
}

/// Sends a code to the phone of an account, asked for in a session of it. `account` is the account, if the
/// session goes on.
///
/// # Errors
/// Those of `account`; [`Error::NoPhone`], [`Error::LoginOff`], [`Error::Sms`], [`Error::TooFrequent`],
/// [`Error::Internal`].
pub(super) async fn to_account(
    app: &Arc<App>,
    purpose: Purpose,
    uid: Uid,
    account: impl Fn(&Seen) -> Result<User, Error>,
    source: &Source,
    now: UnixMs,
) -> Result<Delivered, Error> {
    let sending = Sending {
        purpose,
        key: &SlotKey::of_account(purpose, uid),
        keys: &[Key::user(uid)],
        source,
        clients: vec![Client::KnownSession],
        named: None,
        mover: None,
        plan: None,
    };
    let target = |seen: &_| {
        let user = account(seen)?;
        let client = Client::KnownSession;
        Ok(Target {
            phone: user.phone.ok_or(Error::NoPhone)?,
            uid: Some(uid),
            client,
            kept_for: client::kept_for(Some(uid), client, Some(user.created_at), now),
            newcomer: None,
        })
    };
    // Boxed: with the layers around it, it is deeper than the compiler looks.
    Box::pin(send(app, &sending, target, now)).await
}

impl Target {
    /// An account at its own phone; a phone alone, where no account has it.
    ///
    /// # Errors
    /// [`Error::Internal`] when an item is not one of ours.
    pub(super) fn of_owner(
        app: &App,
        requester: &Requester,
        seen: &Seen,
        phone: &Phone,
        owner: Option<&Owner>,
        now: UnixMs,
    ) -> Result<Self, Error> {
        let uid = owner.map(|owner| owner.uid);
        let client = client::recognise(app, requester, seen, owner, now)?;
        let created_at = owner.map(|owner| owner.created_at);
        Ok(Self {
            phone: phone.clone(),
            uid,
            client,
            kept_for: client::kept_for(uid, client, created_at, now),
            newcomer: None,
        })
    }
}

/// Sends a code: counts the source and reads, decides, records and reserves the money, delivers.
/// `target` finds the target in what was read, or refuses.
///
/// Without a race these are two round trips to DynamoDB before the message.
pub(super) async fn send(
    app: &Arc<App>,
    sending: &Sending<'_>,
    target: impl Fn(&Seen) -> Result<Target, Error>,
    now: UnixMs,
) -> Result<Delivered, Error> {
    let mut sender = Sender::new(app, sending, now);
    let (counted, first) = join(sender.count(), sender.read()).await;
    let (counted, mut first) = (counted?, Some(first?));
    let mut race = Race::default();
    loop {
        let seen = match first.take() {
            Some(seen) => seen,
            None => sender.read().await?,
        };
        let draft = match sender.draft(&seen, target(&seen), counted).await {
            Ok(draft) => draft,
            Err(refused) => {
                // An earlier round may have reserved a price.
                sender.reservation.release(app).await;
                if refused == Error::SendsStopped {
                    sender.forget_source();
                }
                return Err(refused);
            }
        };
        match sender.record(draft).await? {
            Round::Won(sent) => return sent.deliver(app).await,
            Round::Lost => race.lost().await,
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
    hiding: Hiding,
    reservation: Reservation,
}

impl<'a> Sender<'a> {
    fn new(app: &'a Arc<App>, sending: &'a Sending<'a>, now: UnixMs) -> Self {
        let (purpose, config) = (sending.purpose, &app.config);
        let hiding = match sending.named {
            Some(_) => Hiding::new(config.hide_unknown_users, purpose),
            None => Hiding::off(purpose),
        };
        Self {
            app,
            sending,
            now,
            policy: config.limits.policy(purpose),
            limits: config.limits.sends_per_phone(purpose),
            hiding,
            reservation: Reservation::new(app, now),
        }
    }

    /// Counts the request against its source, whatever it will come to.
    async fn count(&self) -> Result<SourceOutcome, Error> {
        let config = &self.app.config;
        let (source, limits) = (self.sending.source, &config.limits.sends_per_source);
        if limits.limits.is_empty() {
            return Ok(SourceOutcome::Done(SourceHistory::default()));
        }
        let tag = Tag::of(self.sending.key, &config.keys);
        let counted = self.app.store.count_source(source, tag, self.now, limits);
        counted.await
    }

    /// Takes the request off its source's count, after the answer: who asks while sends are stopped does
    /// not wait longer when they go on.
    fn forget_source(&self) {
        let (source, at) = (self.sending.source.clone(), self.now);
        let tag = Tag::of(self.sending.key, &self.app.config.keys);
        self.app.defer(async move |app| {
            let limits = &app.config.limits.sends_per_source;
            let released = app.store.release_source(&source, tag, at, limits).await;
            if let Err(failure) = released {
                tracing::warn!(?failure, "a stopped send stays on its source's count");
            }
        });
    }

    async fn read(&self) -> Result<Seen, Error> {
        let mut keys = self.sending.keys.to_vec();
        keys.extend([Key::slot(self.sending.key), Key::stop()]);
        keys.extend(self.reservation.keys());
        if let (true, Some(phone)) = (self.hiding.is_on(), self.sending.named) {
            let clients = self.sending.clients.iter();
            keys.extend(clients.map(|client| Key::sends(phone, *client)));
        }
        self.app.store.read(&keys).await
    }

    /// Decides by what was read, and finds room for the price.
    async fn draft(
        &mut self,
        seen: &Seen,
        target: Result<Target, Error>,
        counted: SourceOutcome,
    ) -> Result<Draft<'a>, Error> {
        let (app, sending) = (self.app, self.sending);
        if let Ok(target) = &target {
            context::about(&target.phone);
        }
        let case = Case {
            purpose: sending.purpose,
            key: sending.key,
            named: sending.named,
            mover: sending.mover,
            policy: self.policy,
            hiding: self.hiding,
            keys: &app.config.keys,
            now: self.now,
        };
        let (hiding, now, limits) = (self.hiding, self.now, &self.limits);
        let is_used_up = target.as_ref().is_ok_and(|target| {
            let at = (&target.phone, target.client);
            hiding.is_on() && seen.has_had_all_sends(at, now, limits)
        });
        let facts = Facts {
            stop: seen.stop(),
            slot: seen.slot(sending.key)?,
            target,
            counted,
            is_used_up,
        };
        let fresh = FreshParts {
            id: random::bytes()?,
            nonce: random::bytes()?,
            source: sending.source.clone(),
            shard: self.reservation.shard(),
        };
        let plan = |phone: &Phone| match &sending.plan {
            Some(plan) => Ok(plan.clone()),
            None => plan(app, sending.purpose, phone),
        };
        let mut draft = match decide(&case, facts, fresh, plan) {
            Ok(draft) => draft,
            Err(refusal) => return Err(self.error_of(refusal).await),
        };
        if !app.is_test_number(&draft.target.phone, self.now) {
            let (region, target) = (draft.plan.region, &draft.target);
            let (source, history) = (sending.source, &draft.history);
            let admitted = self
                .reservation
                .admit(app, seen, region, target, source, history);
            admitted.await?;
            draft.attribute_to(self.reservation.shard());
        }
        Ok(draft)
    }

    async fn error_of(&self, refusal: Refusal) -> Error {
        let Some(uid) = refusal.check_first else {
            return refusal.error;
        };
        match self.app.store.user(uid).await {
            Ok(Some(user)) if user.is_active() => refusal.error,
            Ok(Some(_)) => Error::UserDisabled,
            Ok(None) => Error::UserNotFound,
            Err(error) => error,
        }
    }

    /// What a send costs: nothing for a test number. A decoy is charged zero, so that it writes what
    /// any other send writes.
    fn charge(&self, draft: &Draft<'_>) -> Option<Charge> {
        let region = draft.plan.region;
        if self.app.is_test_number(&draft.target.phone, self.now) {
            None
        } else if draft.is_decoy {
            Some(Charge::nothing(region))
        } else {
            let purse = self.reservation.purse();
            Some(self.app.config.budget.charge(region, 1, purse))
        }
    }

    /// Records the draft, and reserves its price at the same time.
    async fn record(&mut self, draft: Draft<'_>) -> Result<Round<Sent>, Error> {
        let (app, now, hiding) = (self.app, self.now, self.hiding);
        let charge = self.charge(&draft);
        let Draft {
            target: Target {
                phone, uid, client, ..
            },
            plan,
            step,
            challenge,
            is_decoy,
            ..
        } = draft;
        let counted = hiding.counted(is_decoy);
        let wrong = WrongCodes {
            phone: phone.clone(),
            client,
            limit: self.policy.failures,
        };
        let checked = hiding.account_to_check(uid);
        let read = hiding.account_to_read(uid, &phone, &app.config.keys);
        let (recorded, reserved, account) = join3(
            app.store
                .record_send(&step, &wrong, checked, now, &self.limits, counted),
            async {
                match charge {
                    Some(charge) => self.reservation.reserve(app, charge).await,
                    None => Ok(()),
                }
            },
            async {
                match read {
                    Some(uid) => app.store.user(uid).await,
                    None => Ok(None),
                }
            },
        )
        .await;
        let (account, beside) = match account {
            Ok(account) => (account, reserved),
            Err(error) => (None, reserved.and(Err(error))),
        };
        let recorded = Recorded::of(recorded, beside);
        let mut sent = Sent {
            purpose: self.sending.purpose,
            policy: self.policy,
            limits: self.limits.clone(),
            key: step.key.clone(),
            source: self.sending.source.clone(),
            phone,
            uid,
            client,
            plan,
            challenge,
            at: now,
            hiding,
            reservation: self.reservation.take(),
            account,
        };
        match recorded {
            Recorded::Done => Ok(Round::Won(sent)),
            Recorded::Raced => {
                self.reservation = sent.reservation;
                Ok(Round::Lost)
            }
            Recorded::Refused(error) => {
                sent.reservation.release(app).await;
                Err(error)
            }
            Recorded::Unsure(error) => {
                sent.release_limits(app, PhoneCount::Release, SourceCount::Release)
                    .await;
                sent.reservation.release(app).await;
                Err(error)
            }
        }
    }
}

/// What recording a draft came to, together with what was done beside it.
enum Recorded {
    /// Recorded: the message may be sent.
    Done,
    /// Another write came first: read and decide again.
    Raced,
    /// Not recorded.
    Refused(Error),
    /// It may be recorded, and no message will be sent.
    Unsure(Error),
}

impl Recorded {
    fn of(recorded: Result<SendOutcome, Error>, beside: Result<(), Error>) -> Self {
        match (recorded, beside) {
            (Ok(SendOutcome::Done), Ok(())) => Self::Done,
            (Ok(SendOutcome::Raced), Ok(())) => Self::Raced,
            (Ok(SendOutcome::Done), Err(error)) | (Err(error), _) => Self::Unsure(error),
            (Ok(SendOutcome::Raced), Err(error)) => Self::Refused(error),
            (Ok(SendOutcome::TooFrequent { retry_after }), _) => {
                let limit = Limited::Phone;
                Self::Refused(Error::TooFrequent { retry_after, limit })
            }
            (Ok(SendOutcome::TooManyWrongCodes { retry_after }), _) => {
                let limit = Limited::Failures;
                Self::Refused(Error::TooFrequent { retry_after, limit })
            }
            (Ok(SendOutcome::UserGone), _) => Self::Refused(Error::UserNotFound),
            (Ok(SendOutcome::UserDisabled), _) => Self::Refused(Error::UserDisabled),
        }
    }
}
