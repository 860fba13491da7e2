//! The state machine of one-time codes.
//!
//! A [`Slot`] is the state of one purpose and one phone (and user, where the purpose needs one): the
//! current challenge, and for each [`Client`] the cool-down and the wrong tries of the last 24 hours. Each
//! transition is a pure function of (slot, now, policy, input) that returns the next slot. The store
//! writes the next slot on condition that the slot has not changed since it was read; otherwise the
//! transition is decided again with the new slot. So a wrong try is counted by the write that refuses it,
//! and a challenge is accepted at most once.
//!
//! Every expiry is decided here, by comparison with `now`. DynamoDB's TTL deletes items days later and
//! decides nothing.

use std::time::Duration;

use crate::domain::{
    budget::Shard,
    client::{Client, PerClient},
    client_address::Source,
    error::Limited,
    metadata::Metadata,
    phone::Phone,
    time::UnixMs,
    user::Uid,
    window::{Limit, Window},
};

/// Sixteen random bytes that identify a challenge to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeId(pub [u8; 16]);

/// Sixteen random bytes that a code is derived from. They never leave the store; `Debug` hides them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// The times and limits of a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a code is valid after its last send.
    pub validity: Duration,
    /// How long a challenge lives after its first send, resends included.
    pub lifetime: Duration,
    /// A resend with less than this left of the lifetime starts a new challenge, because the old code
    /// would expire before the user can type it.
    pub least_validity: Duration,
    /// How long the next send is refused after a send.
    pub cool_down: Duration,
    /// Whether a right code ends the cool-down of who presents it: where the answer may be lost, only a new code
    /// repairs it.
    pub success_ends_cool_down: bool,
    /// How many wrong tries a challenge admits of one client.
    pub tries: u32,
    /// How many wrong tries the slot admits of one client, across challenges.
    pub failures: Limit,
}

impl Policy {
    /// Codes valid for 5 minutes, challenges of 10 minutes and 5 wrong tries, 10 wrong tries in 24 hours,
    /// and the given cool-down.
    pub const fn with_cool_down(cool_down: Duration) -> Self {
        Self {
            validity: Duration::from_secs(5 * 60),
            lifetime: Duration::from_secs(10 * 60),
            least_validity: Duration::from_secs(60),
            cool_down,
            success_ends_cool_down: false,
            tries: 5,
            failures: Limit {
                events: 10,
                span: Duration::from_secs(24 * 60 * 60),
            },
        }
    }
}

/// What a new challenge is made from. The caller draws the random parts, so that [`Slot::send`] is pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The id of the new challenge.
    pub id: ChallengeId,
    /// The nonce that its code is derived from.
    pub nonce: Nonce,
    /// The id of the root key that its code is derived with: the active key.
    pub kid: String,
    /// The phone that the code is sent to.
    pub phone: Phone,
    /// The source and the ledger shard of this send.
    pub attribution: Attribution,
    /// What it is made into.
    pub making: Making,
    /// What an account that the code makes begins with: see [`Challenge::newcomer`].
    pub newcomer: Option<Metadata>,
    /// Who moves to the phone: see [`Challenge::mover`].
    pub mover: Option<Mover>,
}

/// What a send makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// A challenge.
    Challenge,
    /// A challenge, and a decoy that hides it: see [`Slot::decoy`].
    Hidden,
    /// A decoy alone.
    Decoy,
}

/// The account that a code moves to the phone it was sent to, and where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    /// The account.
    pub uid: Uid,
    /// The source of the request.
    pub source: Source,
}

/// Who requested a send, and which ledger shard paid for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Who requested it.
    pub client: Client,
    /// The source of the request.
    pub source: Source,
    /// The shard that the message was charged to.
    pub shard: Shard,
}

/// The life of one code, from its first send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The id that the client's ticket names.
    pub id: ChallengeId,
    /// The nonce that the code is derived from.
    pub nonce: Nonce,
    /// The id of the root key that the code is derived with. It stays when another key becomes active.
    pub kid: String,
    /// The phone that the code was sent to.
    pub phone: Phone,
    /// When it was first sent.
    pub first_send: UnixMs,
    /// When it was last sent.
    pub last_send: UnixMs,
    /// When the code expires: from this moment on it is refused.
    pub valid_until: UnixMs,
    /// Each client's wrong tries so far.
    pub wrong_tries: PerClient<u32>,
    /// How many taken names the code has asked for, at a registration.
    pub taken_names: u32,
    /// Whether the code has been accepted. It is never accepted again.
    pub spent: bool,
    /// Source and ledger shard of each message with the code, oldest first.
    pub attributions: Vec<Attribution>,
    /// Whether it is a decoy: no message is sent for it, and no code is right.
    pub decoy: bool,
    /// What an account begins with that the code makes, where the code makes one if its phone has none (dialect
    /// D). The last send says it.
    pub newcomer: Option<Metadata>,
    /// Who moves to the phone, where the code is presented without saying it (dialect D).
    pub mover: Option<Mover>,
}

impl Challenge {
    /// Whether its code could still be accepted of somebody.
    pub fn is_open(&self, now: UnixMs) -> bool {
        !self.spent && now < self.valid_until
    }

    fn is_of(&self, mover: Option<&Mover>) -> bool {
        self.mover.as_ref().map(|it| it.uid) == mover.map(|it| it.uid)
    }

    /// Whether a client's code for it is compared. `id` is what the client's ticket names.
    fn is_live(
        &self,
        now: UnixMs,
        policy: &Policy,
        client: Client,
        id: Option<ChallengeId>,
    ) -> bool {
        id.is_none_or(|id| id == self.id)
            && self.is_open(now)
            && self.wrong_tries.of(client) < policy.tries
    }

    /// Has it answer as the decoy does: to the same ticket, after no more tries, and not for longer.
    fn follow(&mut self, decoy: &Self) {
        self.id = decoy.id;
        self.first_send = self.first_send.min(decoy.first_send);
        self.wrong_tries = self.wrong_tries.most(&decoy.wrong_tries);
        self.valid_until = self.valid_until.min(decoy.valid_until);
    }
}

/// The state of one purpose and one phone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slot {
    /// The current challenge. There is at most one, so a user never has two valid codes.
    pub challenge: Option<Challenge>,
    /// The current decoy. Where users are hidden, every send makes one or prolongs it, whether its message goes
    /// out or not. What a wrong code, a ticket and the next send come to is the decoy's matter alone, so it shows
    /// nothing. The challenge lives beside it with the right code.
    pub decoy: Option<Challenge>,
    /// When each client's cool-down began; nothing before its first send, and after a failed send
    /// released the cool-down.
    pub cooling_since: PerClient<UnixMs>,
    /// Each client's wrong tries of all challenges, newest first.
    pub failures: PerClient<Window>,
}

/// What a slot has in store for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Until when no code is sent again.
    pub cooling_until: Option<UnixMs>,
    /// Until when the code that is open is valid.
    pub valid_until: Option<UnixMs>,
    /// How many wrong codes it still admits.
    pub tries_left: u32,
    /// Until when neither sends nor codes are admitted, for the wrong codes of the last 24 hours.
    pub refused_until: Option<UnixMs>,
}

impl Standing {
    /// Whether the slot has nothing in store.
    pub fn is_clear(&self) -> bool {
        let untils = [self.cooling_until, self.valid_until, self.refused_until];
        untils.iter().all(Option::is_none)
    }
}

/// A limit refused the send. The slot does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How long sends are refused.
    pub retry_after: Duration,
    /// The limit that refused the send; of two, the one that lasts longer.
    pub limit: Limited,
}

/// The decision of [`Slot::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The code is right and in time: the next slot, with the challenge spent.
    Accepted(Slot),
    /// The code is wrong: the next slot, with the try counted.
    Wrong(Slot),
    /// No code can be accepted. The slot does not change.
    Expired {
        /// How long no code is accepted, when the limit on wrong tries is the reason.
        retry_after: Option<Duration>,
    },
}

impl Slot {
    /// The current challenge, or the current decoy.
    pub fn current(&self, decoy: bool) -> Option<&Challenge> {
        let current = if decoy { &self.decoy } else { &self.challenge };
        current.as_ref()
    }

    /// The slot after a send at `now`. It always has a challenge, whose code is to be sent, or a decoy.
    ///
    /// A resend within the life of a challenge sends the same code, and the wrong tries stay counted.
    /// A new challenge made from `fresh` replaces one that is spent, has no tries left for the client, has
    /// less than [`Policy::least_validity`] to live, or is for another phone or another account's move.
    ///
    /// # Errors
    /// [`Refused`] during the client's cool-down, while the limit on its wrong tries applies (the code
    /// could not be used then), and while a code that it would replace is kept from it, as that of another
    /// account's move is.
    pub fn send(&self, now: UnixMs, policy: &Policy, fresh: Fresh) -> Result<Self, Refused> {
        let client = fresh.attribution.client;
        if let Some(refused) = self.refuses(now, policy, client) {
            return Err(refused);
        }
        let mut next = self.clone();
        next.decoy = match fresh.making {
            Making::Challenge => None,
            Making::Hidden | Making::Decoy => Some(Challenge {
                decoy: true,
                ..Self::asked_for(self.decoy.as_ref(), now, policy, &fresh)?
            }),
        };
        if fresh.making != Making::Decoy {
            let mut challenge = Self::asked_for(self.challenge.as_ref(), now, policy, &fresh)?;
            if let (Making::Hidden, Some(decoy)) = (fresh.making, &next.decoy) {
                challenge.follow(decoy);
            }
            challenge.attributions.push(fresh.attribution);
            next.challenge = Some(challenge);
        }
        next.cooling_since = self.cooling(now, policy).with(client, now);
        Ok(next)
    }

    /// `current`, prolonged, or a new challenge in its place.
    fn asked_for(
        current: Option<&Challenge>,
        now: UnixMs,
        policy: &Policy,
        fresh: &Fresh,
    ) -> Result<Challenge, Refused> {
        let client = fresh.attribution.client;
        let reusable = current.cloned().filter(|challenge| {
            !challenge.spent
                && challenge.phone == fresh.phone
                && challenge.is_of(fresh.mover.as_ref())
                && challenge.wrong_tries.of(client) < policy.tries
                && challenge.first_send.plus(policy.lifetime).after(now) >= policy.least_validity
        });
        let kept = current.filter(|challenge| {
            let asked_for = |send: &Attribution| send.client.keeps_from(client);
            challenge.is_open(now)
                && (challenge.attributions.iter().any(asked_for)
                    || !challenge.is_of(fresh.mover.as_ref()))
        });
        if let (None, Some(kept)) = (&reusable, kept) {
            return Err(Refused {
                retry_after: kept.valid_until.after(now),
                limit: Limited::Kept,
            });
        }
        let challenge = reusable.unwrap_or(Challenge {
            id: fresh.id,
            nonce: fresh.nonce,
            kid: fresh.kid.clone(),
            phone: fresh.phone.clone(),
            first_send: now,
            last_send: now,
            valid_until: now,
            wrong_tries: PerClient::default(),
            taken_names: 0,
            spent: false,
            attributions: Vec::new(),
            decoy: false,
            newcomer: None,
            mover: None,
        });
        let end_of_life = challenge.first_send.plus(policy.lifetime);
        Ok(Challenge {
            last_send: now,
            valid_until: now.plus(policy.validity).min(end_of_life),
            newcomer: fresh.newcomer.clone(),
            mover: fresh.mover.clone(),
            ..challenge
        })
    }

    /// What the slot has in store for a client at `now`.
    pub fn standing(&self, now: UnixMs, policy: &Policy, client: Client) -> Standing {
        let cooling = self.cooling_since.get(client);
        let cooling_until = cooling.map(|since| since.plus(policy.cool_down));
        let open = self.challenge.as_ref().filter(|it| it.is_open(now));
        let tried = open.map_or(0, |it| it.wrong_tries.of(client));
        let wait = self.failures.of(client).wait(now, &policy.failures);
        Standing {
            cooling_until: cooling_until.filter(|end| *end > now),
            valid_until: open.map(|it| it.valid_until),
            tries_left: policy.tries.saturating_sub(tried),
            refused_until: wait.map(|wait| now.plus(wait)),
        }
    }

    /// The cool-downs that are not over.
    fn cooling(&self, now: UnixMs, policy: &Policy) -> PerClient<UnixMs> {
        let is_cooling = |since: &UnixMs| since.plus(policy.cool_down) > now;
        self.cooling_since.keeping(is_cooling)
    }

    /// The limit that refuses a client's send at `now`, if any.
    fn refuses(&self, now: UnixMs, policy: &Policy, client: Client) -> Option<Refused> {
        let cooling_since = self.cooling_since.get(client);
        let cool_down = cooling_since.map(|since| since.plus(policy.cool_down));
        let cool_down = cool_down.filter(|end| *end > now);
        let by_cool_down = cool_down.map(|end| Refused {
            retry_after: end.after(now),
            limit: Limited::CoolDown,
        });
        let failures = self.failures.of(client).wait(now, &policy.failures);
        let by_failures = failures.map(|retry_after| Refused {
            retry_after,
            limit: Limited::Failures,
        });
        let refusals = by_cool_down.into_iter().chain(by_failures);
        refusals.max_by_key(|refused| refused.retry_after)
    }

    /// The slot after the message of a client's send at `sent_at` failed: its cool-down is released, so
    /// that the user can retry at once. `None` when there has been another send of the client, or another
    /// challenge since.
    pub fn send_failed(&self, client: Client, id: ChallengeId, sent_at: UnixMs) -> Option<Self> {
        let challenge = self.challenge.as_ref()?;
        let is_that_send = challenge.id == id && self.cooling_since.get(client) == Some(&sent_at);
        is_that_send.then(|| {
            let mut next = self.clone();
            next.cooling_since = self.cooling_since.without(client);
            if let Some(challenge) = &mut next.challenge {
                let sends = &mut challenge.attributions;
                if let Some(last) = sends.iter().rposition(|send| send.client == client) {
                    sends.remove(last);
                }
            }
            next
        })
    }

    /// Decides about a client's code at `now`. A right one opens, whoever asked for it; a wrong one counts
    /// for who presents it.
    ///
    /// `id` is the challenge that the client's ticket names; `None` in a dialect without tickets.
    /// `is_right` derives the code and compares it. It is called at most once, and only when a code
    /// could be accepted.
    pub fn verify(
        &self,
        now: UnixMs,
        policy: &Policy,
        client: Client,
        id: Option<ChallengeId>,
        is_right: impl FnOnce(&Challenge) -> bool,
    ) -> Verdict {
        let failures = self.failures.of(client);
        if let Some(wait) = failures.wait(now, &policy.failures) {
            return Verdict::Expired {
                retry_after: Some(wait),
            };
        }
        let live = self.live(now, policy, client, id);
        let Some(challenge) = live.into_iter().flatten().next() else {
            return Verdict::Expired { retry_after: None };
        };
        if is_right(challenge) && !challenge.decoy {
            let mut next = self.clone();
            for current in next.challenge.iter_mut().chain(&mut next.decoy) {
                current.spent = true;
            }
            if policy.success_ends_cool_down {
                next.cooling_since = self.cooling_since.without(client);
            }
            return Verdict::Accepted(next);
        }
        Verdict::Wrong(self.with_wrong_try(now, policy, client, id))
    }

    /// The challenge and the decoy, if a client's code is compared with them. A stranger has no try at a challenge
    /// that its decoy has been replaced beside: a wrong one would show the challenge.
    fn live(
        &self,
        now: UnixMs,
        policy: &Policy,
        client: Client,
        id: Option<ChallengeId>,
    ) -> [Option<&Challenge>; 2] {
        let is_live = |it: &&Challenge| it.is_live(now, policy, client, id);
        let decoy = self.decoy.as_ref().filter(is_live);
        let is_shown = client.is_known() || self.decoy.is_none() || decoy.is_some();
        let challenge = self.challenge.as_ref().filter(is_live);
        [challenge.filter(|_| is_shown), decoy]
    }

    /// The slot after a wrong try of a client. `id` is what the client's ticket names. The try counts at the
    /// challenge and at the decoy, so that the decoy shows no more of them than five.
    pub fn with_wrong_try(
        &self,
        now: UnixMs,
        policy: &Policy,
        client: Client,
        id: Option<ChallengeId>,
    ) -> Self {
        let mut next = self.clone();
        for tried in self.live(now, policy, client, id).into_iter().flatten() {
            let tries = tried.wrong_tries.of(client) + 1;
            let tried = Challenge {
                wrong_tries: tried.wrong_tries.with(client, tries),
                ..tried.clone()
            };
            let current = match tried.decoy {
                true => &mut next.decoy,
                false => &mut next.challenge,
            };
            *current = Some(tried);
        }
        let horizon = policy.failures.horizon(now);
        let others = self
            .failures
            .keeping(|window| window.0.first().is_some_and(|at| *at > horizon));
        let failures = self.failures.of(client);
        next.failures = others.with(client, failures.with(now, policy.failures.events));
        next
    }

    /// The slot after the right code has asked for a taken name. The last name that it may ask for spends it.
    pub fn with_taken_name(&self, most: u32) -> Self {
        let mut next = self.clone();
        if let Some(challenge) = &mut next.challenge {
            challenge.taken_names += 1;
            challenge.spent = challenge.taken_names >= most;
        }
        next
    }

    /// From this moment on no code is valid and no limit applies: the slot's TTL.
    pub fn useless_from(&self, policy: &Policy) -> UnixMs {
        let current = self.challenge.iter().chain(&self.decoy);
        let code_expires = current.map(|challenge| challenge.valid_until).max();
        let cool_downs = self.cooling_since.values();
        let cool_down_ends = cool_downs.map(|since| since.plus(policy.cool_down)).max();
        let newest_failure = self.failures.values().filter_map(|window| window.0.first());
        let failures_end = newest_failure.map(|at| at.plus(policy.failures.span)).max();
        let last = code_expires.max(cool_down_ends).max(failures_end);
        last.unwrap_or(UnixMs(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ME: Client = Client::Stranger;
    const COOL_DOWN: Duration = Duration::from_secs(120);
    const POLICY: Policy = Policy::with_cool_down(COOL_DOWN);
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// A step of a random history: the clock advances, then the action happens.
    #[derive(Debug, Clone)]
    struct Step {
        wait_ms: u64,
        action: Action,
    }

    #[derive(Debug, Clone)]
    enum Action {
        Send,
        /// A send whose message fails.
        FailedSend,
        /// A code for the `back`-th challenge, counted from the newest.
        Verify {
            back: usize,
            right: bool,
        },
        /// A code without a ticket, as dialect B sends it.
        VerifyCurrent {
            right: bool,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Short waits reach the limits; long ones exceed validity, lifetime and the day.
        let wait_ms = prop_oneof![
            6 => 0u64..3_000,
            6 => 60_000u64..200_000,
            2 => 200_000u64..700_000,
            1 => 3_600_000u64..DAY_MS,
        ];
        let action = prop_oneof![
            4 => Just(Action::Send),
            1 => Just(Action::FailedSend),
            6 => (0usize..3, prop::bool::weighted(0.2)).prop_map(|(back, right)| Action::Verify { back, right }),
            2 => prop::bool::weighted(0.2).prop_map(|right| Action::VerifyCurrent { right }),
        ];
        let step = (wait_ms, action).prop_map(|(wait_ms, action)| Step { wait_ms, action });
        prop::collection::vec(step, 1..250)
    }

    /// What an outside observer sees.
    #[derive(Debug, Clone)]
    enum Event {
        Sent {
            at: UnixMs,
            id: ChallengeId,
            nonce: Nonce,
            valid_until: UnixMs,
            delivered: bool,
        },
        SendRefused {
            at: UnixMs,
            retry_after: Duration,
        },
        Compared {
            at: UnixMs,
            id: ChallengeId,
            accepted: bool,
        },
        Expired,
    }

    /// Runs a history. Checks that a code is compared exactly when the slot changes.
    fn run(steps: &[Step]) -> Vec<Event> {
        let mut slot = Slot::default();
        let mut now = UnixMs(1_800_000_000_000);
        let mut issued: Vec<ChallengeId> = Vec::new();
        let mut events = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            now = now.plus(Duration::from_millis(step.wait_ms));
            let unique = (n as u128 + 1).to_be_bytes();
            let fresh = Fresh {
                id: ChallengeId(unique),
                nonce: Nonce(unique),
                kid: "k1".into(),
                phone: phone(),
                attribution: attribution(),
                making: Making::Challenge,
                newcomer: None,
                mover: None,
            };
            match step.action {
                Action::Send | Action::FailedSend => match slot.send(now, &POLICY, fresh) {
                    Ok(next) => {
                        let sent = next.challenge.clone().unwrap();
                        issued.push(sent.id);
                        let delivered = matches!(step.action, Action::Send);
                        events.push(Event::Sent {
                            at: now,
                            id: sent.id,
                            nonce: sent.nonce,
                            valid_until: sent.valid_until,
                            delivered,
                        });
                        slot = if delivered {
                            next
                        } else {
                            next.send_failed(ME, sent.id, now).unwrap()
                        };
                    }
                    Err(Refused { retry_after, .. }) => {
                        events.push(Event::SendRefused {
                            at: now,
                            retry_after,
                        });
                    }
                },
                Action::Verify { .. } | Action::VerifyCurrent { .. } => {
                    let (id, right) = match step.action {
                        Action::Verify { back, right } => {
                            let known = issued.iter().rev().nth(back);
                            (Some(known.copied().unwrap_or(ChallengeId([0; 16]))), right)
                        }
                        Action::VerifyCurrent { right } => (None, right),
                        _ => unreachable!(),
                    };
                    let mut compared = None;
                    let verdict = slot.verify(now, &POLICY, ME, id, |challenge| {
                        compared = Some(challenge.id);
                        right
                    });
                    let (next, accepted) = match verdict {
                        Verdict::Accepted(next) => (next, true),
                        Verdict::Wrong(next) => (next, false),
                        Verdict::Expired { .. } => {
                            assert_eq!(compared, None, "compared a code that had expired");
                            events.push(Event::Expired);
                            continue;
                        }
                    };
                    let id = compared.expect("decided without a comparison");
                    assert_eq!(accepted, right);
                    events.push(Event::Compared {
                        at: now,
                        id,
                        accepted,
                    });
                    slot = next;
                }
            }
        }
        events
    }

    fn sends(events: &[Event]) -> impl Iterator<Item = (UnixMs, ChallengeId, Nonce, UnixMs)> {
        events.iter().filter_map(|event| match *event {
            Event::Sent {
                at,
                id,
                nonce,
                valid_until,
                ..
            } => Some((at, id, nonce, valid_until)),
            _ => None,
        })
    }

    fn comparisons(events: &[Event]) -> impl Iterator<Item = (UnixMs, ChallengeId, bool)> {
        events.iter().filter_map(|event| match *event {
            Event::Compared { at, id, accepted } => Some((at, id, accepted)),
            _ => None,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn at_most_five_wrong_tries_per_challenge(steps in steps()) {
            let events = run(&steps);
            for (_, challenge, ..) in sends(&events) {
                let wrong = comparisons(&events).filter(|(_, id, ok)| *id == challenge && !ok);
                prop_assert!(wrong.count() <= 5);
            }
        }

        #[test]
        fn at_most_one_success_per_challenge_and_nothing_after_it(steps in steps()) {
            let events = run(&steps);
            for (_, challenge, ..) in sends(&events) {
                let mut of_it = comparisons(&events).filter(|(_, id, _)| *id == challenge);
                of_it.find(|(.., ok)| *ok);
                prop_assert_eq!(of_it.count(), 0);
            }
        }

        #[test]
        fn no_comparison_outside_the_validity_of_the_last_send(steps in steps()) {
            let events = run(&steps);
            let mut valid_until = UnixMs(0);
            for event in &events {
                match *event {
                    Event::Sent { valid_until: until, .. } => valid_until = until,
                    Event::Compared { at, .. } => prop_assert!(at < valid_until),
                    _ => {}
                }
            }
        }

        #[test]
        fn a_code_is_valid_five_minutes_from_its_send_unless_its_challenge_ends_first(steps in steps()) {
            let events = run(&steps);
            let mut first_sends: Vec<(ChallengeId, UnixMs)> = Vec::new();
            for (at, id, _, valid_until) in sends(&events) {
                if !first_sends.iter().any(|(known, _)| *known == id) {
                    first_sends.push((id, at));
                }
                let (_, first) = first_sends.iter().find(|(known, _)| *known == id).unwrap();
                let full = at.plus(POLICY.validity);
                let end = first.plus(POLICY.lifetime);
                prop_assert_eq!(valid_until, full.min(end));
                prop_assert!(valid_until.after(at) >= POLICY.least_validity);
            }
        }

        #[test]
        fn a_resend_keeps_the_code_and_only_the_newest_challenge_is_ever_compared(steps in steps()) {
            let events = run(&steps);
            let mut current: Option<(ChallengeId, Nonce)> = None;
            for event in &events {
                match *event {
                    Event::Sent { id, nonce, .. } => {
                        if let Some((known, its_nonce)) = current && known == id {
                            prop_assert_eq!(its_nonce, nonce);
                        }
                        current = Some((id, nonce));
                    }
                    Event::Compared { id, .. } => prop_assert_eq!(Some(id), current.map(|(id, _)| id)),
                    _ => {}
                }
            }
        }

        #[test]
        fn a_replaced_challenge_never_comes_back(steps in steps()) {
            let events = run(&steps);
            let mut seen: Vec<ChallengeId> = Vec::new();
            for (_, id, ..) in sends(&events) {
                let is_current = seen.last() == Some(&id);
                prop_assert!(is_current || !seen.contains(&id));
                seen.push(id);
            }
        }

        #[test]
        fn at_most_ten_wrong_tries_in_any_24_hours(steps in steps()) {
            let events = run(&steps);
            let wrong: Vec<u64> = comparisons(&events).filter(|(.., ok)| !ok).map(|(at, ..)| at.0).collect();
            for (n, first) in wrong.iter().enumerate() {
                let within = wrong[n..].iter().filter(|at| **at < first + DAY_MS).count();
                prop_assert!(within <= 10);
            }
        }

        #[test]
        fn the_cool_down_is_respected_and_retry_after_is_exact(steps in steps()) {
            let events = run(&steps);
            let mut cooling: Option<UnixMs> = None;
            for (n, event) in events.iter().enumerate() {
                match *event {
                    Event::Sent { at, delivered, .. } => {
                        prop_assert!(cooling.is_none_or(|since| since.plus(COOL_DOWN) <= at));
                        cooling = delivered.then_some(at);
                    }
                    Event::SendRefused { at, retry_after } => {
                        let failures: Vec<u64> = comparisons(&events[..n])
                            .filter(|(_, _, ok)| !ok)
                            .map(|(when, ..)| when.0)
                            .collect();
                        let tenth = failures.len().checked_sub(10).map(|n| failures[n] + DAY_MS);
                        let cool = cooling.map(|since| since.plus(COOL_DOWN).0);
                        prop_assert_eq!(Some(at.0 + retry_after.as_millis() as u64), tenth.max(cool));
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_refused_send_and_an_expired_verify_give_no_next_slot() {
        // Neither type contains a slot to write.
        let sent = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        assert_eq!(
            sent.send(UnixMs(119_999), &POLICY, fresh(2)),
            Err(Refused {
                retry_after: Duration::from_millis(1),
                limit: Limited::CoolDown,
            })
        );
        assert_eq!(
            sent.verify(UnixMs(300_000), &POLICY, ME, None, |_| true),
            Verdict::Expired { retry_after: None }
        );
    }

    #[test]
    fn a_resend_at_nine_minutes_keeps_the_code_and_a_later_one_replaces_it() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let at_nine = first.send(UnixMs(540_000), &POLICY, fresh(2)).unwrap();
        let later = first.send(UnixMs(540_001), &POLICY, fresh(2)).unwrap();
        let of = |slot: &Slot| slot.challenge.clone().map(|c| (c.id, c.valid_until));
        assert_eq!(of(&at_nine), Some((fresh(1).id, UnixMs(600_000))));
        assert_eq!(of(&later), Some((fresh(2).id, UnixMs(840_001))));
    }

    #[test]
    fn a_challenge_without_tries_is_replaced_by_the_next_send() {
        let mut slot = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        for _ in 0..5 {
            let Verdict::Wrong(next) = slot.verify(UnixMs(1), &POLICY, ME, None, |_| false) else {
                panic!("a wrong code was not counted");
            };
            slot = next;
        }
        let verdict = slot.verify(UnixMs(1), &POLICY, ME, None, |_| true);
        assert_eq!(verdict, Verdict::Expired { retry_after: None });
        let next = slot.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        assert_eq!(next.challenge.unwrap().id, fresh(2).id);
    }

    #[test]
    fn a_decoy_has_no_right_code_and_lives_beside_the_challenge() {
        let decoy = |n| Fresh {
            making: Making::Decoy,
            ..fresh(n)
        };
        let first = Slot::default().send(UnixMs(0), &POLICY, decoy(1)).unwrap();
        let Verdict::Wrong(slot) = first.verify(UnixMs(1), &POLICY, ME, None, |_| true) else {
            panic!("a decoy's code was right");
        };
        assert!(slot.challenge.is_none());
        let hidden = Fresh {
            making: Making::Hidden,
            ..fresh(2)
        };
        let real = slot.send(UnixMs(120_000), &POLICY, hidden).unwrap();
        let (challenge, shown) = (
            real.challenge.as_ref().unwrap(),
            real.decoy.as_ref().unwrap(),
        );
        assert_eq!(
            (challenge.nonce, shown.nonce),
            (fresh(2).nonce, fresh(1).nonce)
        );
        assert_eq!((challenge.id, shown.id), (fresh(1).id, fresh(1).id));
        assert_eq!(
            (challenge.wrong_tries.of(ME), shown.wrong_tries.of(ME)),
            (1, 1)
        );
        let both = real.send(UnixMs(240_000), &POLICY, decoy(3)).unwrap();
        assert_eq!(both.challenge, real.challenge);
        for (id, accepted) in [
            (None, true),
            (Some(fresh(1).id), true),
            (Some(fresh(2).id), false),
        ] {
            let verdict = both.verify(UnixMs(250_000), &POLICY, ME, id, |_| true);
            assert_eq!(matches!(verdict, Verdict::Accepted(_)), accepted, "{id:?}");
        }
    }

    /// What somebody without the code sees of a history of sends and guesses, where users are hidden. `has_account`
    /// says whether there is one, with this phone: to it messages go out while its phone may have some.
    fn shown(
        steps: &[(Step, bool, bool)],
        has_account: bool,
    ) -> Vec<(Option<ChallengeId>, Option<Refused>, bool)> {
        let (mut slot, mut now) = (Slot::default(), UnixMs(1_800_000_000_000));
        let (mut tickets, mut seen) = (Vec::new(), Vec::new());
        for (n, (step, has_messages_left, is_its_phone)) in steps.iter().enumerate() {
            now = now.plus(Duration::from_millis(step.wait_ms));
            match step.action {
                Action::Send | Action::FailedSend => {
                    let goes_out = has_account && *has_messages_left && *is_its_phone;
                    let other = Phone::from_parts("86", "13900139000").unwrap();
                    let fresh = Fresh {
                        making: if goes_out {
                            Making::Hidden
                        } else {
                            Making::Decoy
                        },
                        phone: if *is_its_phone { phone() } else { other },
                        ..fresh(n as u8)
                    };
                    match slot.send(now, &POLICY, fresh) {
                        Ok(next) => {
                            let id = next.current(!goes_out).unwrap().id;
                            tickets.push(id);
                            seen.push((Some(id), None, false));
                            slot = next;
                        }
                        Err(refused) => seen.push((None, Some(refused), false)),
                    }
                }
                Action::Verify { .. } | Action::VerifyCurrent { .. } => {
                    let id = match step.action {
                        Action::Verify { back, .. } => tickets.iter().rev().nth(back).copied(),
                        _ => None,
                    };
                    match slot.verify(now, &POLICY, ME, id, |_| false) {
                        Verdict::Wrong(next) => {
                            slot = next;
                            seen.push((None, None, true));
                        }
                        Verdict::Accepted(_) => panic!("a wrong code was right"),
                        Verdict::Expired { retry_after } => {
                            let limit = Limited::Failures;
                            let refused =
                                retry_after.map(|retry_after| Refused { retry_after, limit });
                            seen.push((None, refused, false));
                        }
                    }
                }
            }
        }
        seen
    }

    fn hidden_steps() -> impl Strategy<Value = Vec<(Step, bool, bool)>> {
        let step = (
            steps(),
            prop::collection::vec((prop::bool::weighted(0.6), prop::bool::weighted(0.8)), 250),
        );
        step.prop_map(|(steps, chances)| {
            let steps = steps.into_iter().zip(chances);
            steps.map(|(step, (left, its))| (step, left, its)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn hidden_a_slot_shows_the_same_with_an_account_and_without(
            mut steps in hidden_steps(), has_tickets in any::<bool>(),
        ) {
            // Where there are tickets, the slot has one phone; elsewhere it may be asked for others, too.
            for (step, _, is_its_phone) in &mut steps {
                *is_its_phone |= has_tickets;
                if let (Action::Verify { right, .. }, false) = (&step.action, has_tickets) {
                    step.action = Action::VerifyCurrent { right: *right };
                }
            }
            prop_assert_eq!(shown(&steps, true), shown(&steps, false));
        }
    }

    proptest! {
        #[test]
        fn a_standing_says_what_the_next_send_and_the_next_code_come_to(steps in steps()) {
            let (mut slot, mut now) = (Slot::default(), UnixMs(1_800_000_000_000));
            for (n, step) in steps.iter().enumerate() {
                now = now.plus(Duration::from_millis(step.wait_ms));
                let standing = slot.standing(now, &POLICY, ME);
                let sent = slot.send(now, &POLICY, fresh(n as u8));
                let until = standing.cooling_until.max(standing.refused_until);
                let said = sent.as_ref().err().map(|refused| now.plus(refused.retry_after));
                prop_assert_eq!(until, said);
                let wrong = slot.verify(now, &POLICY, ME, None, |_| false);
                let is_compared = standing.valid_until.is_some()
                    && standing.tries_left > 0
                    && standing.refused_until.is_none();
                prop_assert_eq!(is_compared, matches!(wrong, Verdict::Wrong(_)));
                slot = match (&step.action, sent, wrong) {
                    (Action::Send | Action::FailedSend, Ok(next), _) => next,
                    (Action::Verify { right, .. } | Action::VerifyCurrent { right }, _, wrong) => {
                        match (slot.verify(now, &POLICY, ME, None, |_| *right), wrong) {
                            (Verdict::Accepted(next), _) | (_, Verdict::Wrong(next)) => next,
                            _ => slot,
                        }
                    }
                    _ => slot,
                };
            }
        }
    }

    #[test]
    fn clients_have_cool_downs_tries_and_wrong_tries_of_their_own() {
        let of = |client, n| Fresh {
            attribution: Attribution {
                client,
                ..attribution()
            },
            ..fresh(n)
        };
        let owner = Client::KnownSession;
        let mut slot = Slot::default()
            .send(UnixMs(0), &POLICY, of(owner, 1))
            .unwrap();
        // A stranger's send right after the owner's sends the same code, and starts another cool-down.
        slot = slot.send(UnixMs(1), &POLICY, of(ME, 2)).unwrap();
        assert_eq!(slot.challenge.as_ref().unwrap().id, fresh(1).id);
        for n in 0..5 {
            let Verdict::Wrong(next) = slot.verify(UnixMs(2 + n), &POLICY, ME, None, |_| false)
            else {
                panic!("{n}: not evaluated");
            };
            slot = next;
        }
        let of_stranger = slot.verify(UnixMs(10), &POLICY, ME, None, |_| true);
        assert_eq!(of_stranger, Verdict::Expired { retry_after: None });
        // The stranger cannot replace the code that the owner asked for, until it has expired.
        let refused = slot.send(UnixMs(130_000), &POLICY, of(ME, 3)).unwrap_err();
        let left = slot
            .challenge
            .as_ref()
            .unwrap()
            .valid_until
            .after(UnixMs(130_000));
        assert_eq!(refused.retry_after, left);
        let of_owner = slot.verify(UnixMs(130_000), &POLICY, owner, None, |_| true);
        assert!(matches!(of_owner, Verdict::Accepted(_)));
        let expired = slot.challenge.as_ref().unwrap().valid_until;
        let replaced = slot.send(expired, &POLICY, of(ME, 3)).unwrap();
        assert_eq!(replaced.challenge.unwrap().id, fresh(3).id);
    }

    #[test]
    fn every_delivered_message_of_a_challenge_has_an_attribution() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let second = first.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        let messages = |slot: &Slot| slot.challenge.as_ref().unwrap().attributions.len();
        assert_eq!((messages(&first), messages(&second)), (1, 2));
        let failed = second
            .send_failed(ME, fresh(1).id, UnixMs(120_000))
            .unwrap();
        assert_eq!(messages(&failed), 1);
    }

    #[test]
    fn a_send_to_another_phone_starts_a_new_challenge() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let other = Phone::from_parts("86", "13900139000").unwrap();
        let to_other = Fresh {
            phone: other,
            ..fresh(2)
        };
        let moved = first.send(UnixMs(120_000), &POLICY, to_other).unwrap();
        assert_eq!(moved.challenge.unwrap().id, fresh(2).id);
    }

    #[test]
    fn a_decoy_stays_the_same_challenge_when_it_is_sent_again() {
        let decoy = |n| Fresh {
            making: Making::Decoy,
            ..fresh(n)
        };
        let first = Slot::default().send(UnixMs(0), &POLICY, decoy(1)).unwrap();
        let second = first.send(UnixMs(120_000), &POLICY, decoy(2)).unwrap();
        assert_eq!(second.decoy.unwrap().id, fresh(1).id);
    }

    #[test]
    fn a_spent_challenge_is_replaced_by_the_next_send() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let Verdict::Accepted(spent) = first.verify(UnixMs(1), &POLICY, ME, None, |_| true) else {
            panic!("the right code was refused");
        };
        let next = spent.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        let challenge = next.challenge.unwrap();
        assert_eq!((challenge.id, challenge.spent), (fresh(2).id, false));
    }

    #[test]
    fn only_the_newest_send_of_the_current_challenge_can_fail() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let second = first.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        assert_eq!(second.send_failed(ME, fresh(1).id, UnixMs(0)), None);
        assert_eq!(second.send_failed(ME, fresh(2).id, UnixMs(120_000)), None);
        assert_eq!(
            Slot::default().send_failed(ME, fresh(1).id, UnixMs(0)),
            None,
            "no challenge"
        );
        let failed = second
            .send_failed(ME, fresh(1).id, UnixMs(120_000))
            .unwrap();
        assert_eq!(failed.cooling_since, PerClient::default());
        assert!(failed.send(UnixMs(120_001), &POLICY, fresh(3)).is_ok());
    }

    #[test]
    fn a_code_is_compared_only_with_the_ticket_of_the_current_challenge() {
        let slot = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let verify = |id| slot.verify(UnixMs(1), &POLICY, ME, Some(id), |_| true);
        assert_eq!(
            verify(fresh(2).id),
            Verdict::Expired { retry_after: None },
            "another challenge"
        );
        assert!(matches!(verify(fresh(1).id), Verdict::Accepted(_)));
    }

    #[test]
    fn ten_wrong_tries_refuse_sends_and_codes_for_a_day_from_the_first() {
        let mut slot = Slot::default();
        for challenge in 0..2u8 {
            let sent_at = UnixMs(u64::from(challenge) * 200_000);
            slot = slot.send(sent_at, &POLICY, fresh(challenge)).unwrap();
            for _ in 0..5 {
                let Verdict::Wrong(next) = slot.verify(sent_at, &POLICY, ME, None, |_| false)
                else {
                    panic!("a wrong code was not counted");
                };
                slot = next;
            }
        }
        // The first five were at 0, the last five at 200 s; the cool-down ends at 320 s.
        let at = UnixMs(210_000);
        let retry_after = Duration::from_millis(DAY_MS - at.0);
        let refused = Refused {
            retry_after,
            limit: Limited::Failures,
        };
        assert_eq!(slot.send(at, &POLICY, fresh(3)), Err(refused));
        let verdict = slot.verify(at, &POLICY, ME, None, |_| true);
        let expired = Verdict::Expired {
            retry_after: Some(retry_after),
        };
        assert_eq!(verdict, expired);
        assert!(slot.send(UnixMs(DAY_MS), &POLICY, fresh(3)).is_ok());
    }

    #[test]
    fn a_slot_is_useless_when_code_cool_down_and_wrong_tries_are_over() {
        assert_eq!(Slot::default().useless_from(&POLICY), UnixMs(0));
        let sent = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        assert_eq!(sent.useless_from(&POLICY), UnixMs(300_000));
        let long_cool_down = Policy::with_cool_down(Duration::from_secs(400));
        assert_eq!(sent.useless_from(&long_cool_down), UnixMs(400_000));
        let Verdict::Wrong(failed) = sent.verify(UnixMs(7), &POLICY, ME, None, |_| false) else {
            panic!("a wrong code was not counted");
        };
        assert_eq!(failed.useless_from(&POLICY), UnixMs(7 + DAY_MS));
    }

    #[test]
    fn the_policy_is_that_of_the_documents() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let expected = Policy {
            validity: minutes(5),
            lifetime: minutes(10),
            least_validity: minutes(1),
            cool_down: minutes(2),
            success_ends_cool_down: false,
            tries: 5,
            failures: Limit {
                events: 10,
                span: minutes(24 * 60),
            },
        };
        assert_eq!(POLICY, expected);
    }

    #[test]
    fn debug_hides_the_nonce() {
        assert_eq!(format!("{:?}", Nonce([7; 16])), "Nonce(…)");
    }

    fn phone() -> Phone {
        Phone::from_parts("86", "13800138001").unwrap()
    }

    fn fresh(n: u8) -> Fresh {
        Fresh {
            id: ChallengeId([n; 16]),
            nonce: Nonce([n; 16]),
            kid: "k1".into(),
            phone: phone(),
            attribution: attribution(),
            making: Making::Challenge,
            newcomer: None,
            mover: None,
        }
    }

    fn attribution() -> Attribution {
        Attribution {
            client: ME,
            source: Source::of([192, 0, 2, 1].into()),
            shard: Shard { day: 0, number: 0 },
        }
    }

    fn of_mover(uid: u64, source: &str) -> Fresh {
        let mover = Mover {
            uid: Uid(uid),
            source: Source::from_stored(source.to_owned()),
        };
        Fresh {
            id: ChallengeId(u128::from(uid).to_be_bytes()),
            nonce: Nonce([7; 16]),
            kid: "k1".into(),
            phone: phone(),
            attribution: attribution(),
            making: Making::Challenge,
            newcomer: None,
            mover: Some(mover),
        }
    }

    #[test]
    fn the_code_of_a_move_is_kept_from_other_accounts_until_it_expires_or_is_spent() {
        let now = UnixMs(1_800_000_000_000);
        let at = |secs| now.plus(Duration::from_secs(secs));
        let slot = Slot::default().send(now, &POLICY, of_mover(5, "home"));
        let slot = slot.unwrap();
        let refused = slot.send(at(120), &POLICY, of_mover(6, "home"));
        let kept = Refused {
            retry_after: Duration::from_secs(180),
            limit: Limited::Kept,
        };
        assert_eq!(refused, Err(kept));
        // Its own account may ask again, from elsewhere: then it is taken there.
        let again = slot.send(at(120), &POLICY, of_mover(5, "work")).unwrap();
        let challenge = again.challenge.unwrap();
        assert_eq!(Some(challenge.id), slot.challenge.as_ref().map(|it| it.id));
        let source = challenge.mover.unwrap().source;
        assert_eq!(source, Source::from_stored("work".to_owned()));
        // Expired or spent, it is nobody's.
        let verdict = slot.verify(at(1), &POLICY, ME, None, |_| true);
        let Verdict::Accepted(spent) = verdict else {
            panic!("{verdict:?}")
        };
        for (slot, secs) in [(&slot, 300), (&spent, 120)] {
            let next = slot.send(at(secs), &POLICY, of_mover(6, "home")).unwrap();
            assert_eq!(next.challenge.unwrap().mover.unwrap().uid, Uid(6));
        }
    }

    #[test]
    fn a_right_code_ends_the_cool_down_of_who_presents_it_where_its_purpose_says_so() {
        for success_ends_cool_down in [false, true] {
            let policy = Policy {
                success_ends_cool_down,
                ..POLICY
            };
            let sent = Slot::default().send(UnixMs(0), &policy, fresh(1)).unwrap();
            let wrong = sent.verify(UnixMs(1), &policy, ME, None, |_| false);
            let Verdict::Wrong(wrong) = wrong else {
                panic!("{wrong:?}")
            };
            assert!(wrong.send(UnixMs(2), &policy, fresh(2)).is_err());
            let right = wrong.verify(UnixMs(3), &policy, ME, None, |_| true);
            let Verdict::Accepted(right) = right else {
                panic!("{right:?}")
            };
            let again = right.send(UnixMs(4), &policy, fresh(2));
            assert_eq!(again.is_ok(), success_ends_cool_down);
        }
    }
}
