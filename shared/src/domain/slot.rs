//! The one-time-code state machine.
//!
//! A [`Slot`] is everything about one purpose and one phone (and user, where the purpose needs one):
//! the current challenge, the cool-down, the wrong tries of the last 24 hours. Both transitions are
//! pure functions of (slot, now, policy, input) that give the next slot; the store writes it on
//! condition that nobody else has moved the slot meanwhile, and a lost race is decided again. So a
//! wrong try is counted by the very write that refuses it, and a challenge is accepted once, ever.
//!
//! Time is compared with the clock here and only here: DynamoDB's TTL deletes days late and merely
//! tidies up.

use std::time::Duration;

use crate::domain::{
    budget::Shard,
    client_address::Source,
    error::Limited,
    phone::Phone,
    time::UnixMs,
    window::{Limit, Window},
};

/// Sixteen random bytes that name a challenge to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeId(pub [u8; 16]);

/// Sixteen random bytes a code is derived from; they never leave the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// The numbers a purpose is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a code is valid from its last send.
    pub validity: Duration,
    /// How long a challenge lives from its first send, resends included.
    pub lifetime: Duration,
    /// A resend with less than this left of the lifetime starts a new challenge instead: nobody
    /// should be sent a code that is dead on arrival.
    pub least_validity: Duration,
    /// How long after a send the next one is refused.
    pub cool_down: Duration,
    /// Wrong tries per challenge.
    pub tries: u32,
    /// Wrong tries across challenges.
    pub failures: Limit,
}

impl Policy {
    /// Five minutes, five tries, ten wrong tries a day, and the given cool-down.
    pub const fn with_cool_down(cool_down: Duration) -> Self {
        Self {
            validity: Duration::from_secs(5 * 60),
            lifetime: Duration::from_secs(10 * 60),
            least_validity: Duration::from_secs(60),
            cool_down,
            tries: 5,
            failures: Limit {
                events: 10,
                span: Duration::from_secs(24 * 60 * 60),
            },
        }
    }
}

/// What a new challenge is made from. Drawn by the caller, so that [`Slot::send`] stays pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The new challenge's name.
    pub id: ChallengeId,
    /// What its code is derived from.
    pub nonce: Nonce,
    /// The key its code is derived with: the ring's active one.
    pub kid: String,
    /// Where it is sent.
    pub phone: Phone,
    /// Who asks for it, and where it is counted.
    pub attribution: Attribution,
    /// Whether nobody is sent it: see [`Challenge::decoy`].
    pub decoy: bool,
}

/// Whom a send is on account of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Where it was asked for from.
    pub source: Source,
    /// The ledger's shard it was charged to.
    pub shard: Shard,
}

/// One code's life, from its first send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Its name.
    pub id: ChallengeId,
    /// What its code is derived from.
    pub nonce: Nonce,
    /// The key its code is derived with; it stays when the ring's active key moves on.
    pub kid: String,
    /// Where it was sent; a code for one phone never speaks for another.
    pub phone: Phone,
    /// When it was first sent.
    pub first_send: UnixMs,
    /// When it was last sent.
    pub last_send: UnixMs,
    /// The code is refused from this moment on.
    pub valid_until: UnixMs,
    /// Wrong tries so far.
    pub wrong_tries: u32,
    /// Accepted once, never again.
    pub spent: bool,
    /// On whose account each message went out, oldest first.
    pub attributions: Vec<Attribution>,
    /// It stands for an account that is not there and must not be seen to be missing: no message goes
    /// out and no code is right, and all else is as with any other.
    pub decoy: bool,
}

/// Everything about one purpose and one phone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slot {
    /// The current challenge: at most one, so nobody is left with two codes.
    pub challenge: Option<Challenge>,
    /// When the cool-down began; `None` before the first send and when a failed send gave it back.
    pub cooling_since: Option<UnixMs>,
    /// Wrong tries, newest first, across challenges.
    pub failures: Window,
}

/// A limit refused; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When it is worth trying again.
    pub retry_after: Duration,
    /// What refused it: the limit that lasts longer, if both do.
    pub limit: Limited,
}

/// What [`Slot::verify`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The right code, in time: the slot with the challenge spent.
    Accepted(Slot),
    /// A wrong code: the slot with the try counted.
    Wrong(Slot),
    /// No code is accepted here any more; nothing has changed.
    Expired {
        /// Set when the limit on wrong tries is the reason.
        retry_after: Option<Duration>,
    },
}

impl Slot {
    /// The slot after a send at `now`; its challenge is always there and is the one to send.
    ///
    /// Within a challenge's life the same code is sent again and the tries used stay used; a spent,
    /// exhausted or outlived challenge, and one for another phone, is replaced by a new one made from
    /// `fresh`.
    ///
    /// # Errors
    /// [`Refused`] during the cool-down, and while the limit on wrong tries holds: a code that could
    /// not be used is not worth a message.
    pub fn send(&self, now: UnixMs, policy: &Policy, fresh: Fresh) -> Result<Self, Refused> {
        if let Some(refused) = self.refuses(now, policy) {
            return Err(refused);
        }
        let kept = self.challenge.clone().filter(|challenge| {
            !challenge.spent
                && challenge.phone == fresh.phone
                && challenge.decoy == fresh.decoy
                && challenge.wrong_tries < policy.tries
                && challenge.first_send.plus(policy.lifetime).after(now) >= policy.least_validity
        });
        let mut challenge = kept.unwrap_or(Challenge {
            id: fresh.id,
            nonce: fresh.nonce,
            kid: fresh.kid,
            phone: fresh.phone,
            first_send: now,
            last_send: now,
            valid_until: now,
            wrong_tries: 0,
            spent: false,
            attributions: Vec::new(),
            decoy: fresh.decoy,
        });
        challenge.attributions.push(fresh.attribution);
        let end_of_life = challenge.first_send.plus(policy.lifetime);
        challenge.last_send = now;
        challenge.valid_until = now.plus(policy.validity).min(end_of_life);
        Ok(Self {
            challenge: Some(challenge),
            cooling_since: Some(now),
            failures: self.failures.clone(),
        })
    }

    fn refuses(&self, now: UnixMs, policy: &Policy) -> Option<Refused> {
        let cool = self.cooling_since.map(|since| since.plus(policy.cool_down));
        let cool = cool.filter(|until| *until > now).map(|until| Refused {
            retry_after: until.after(now),
            limit: Limited::CoolDown,
        });
        let failures = self.failures.wait(now, &policy.failures);
        let failures = failures.map(|retry_after| Refused {
            retry_after,
            limit: Limited::Failures,
        });
        cool.into_iter()
            .chain(failures)
            .max_by_key(|refused| refused.retry_after)
    }

    /// The slot after the message sent at `sent_at` turned out not to have gone out: the cool-down
    /// is given back, so that the user can retry at once. `None` when the slot has moved on.
    pub fn send_failed(&self, id: ChallengeId, sent_at: UnixMs) -> Option<Self> {
        let challenge = self.challenge.as_ref()?;
        let is_that_send = challenge.id == id && self.cooling_since == Some(sent_at);
        is_that_send.then(|| {
            let mut next = self.clone();
            next.cooling_since = None;
            if let Some(challenge) = &mut next.challenge {
                challenge.attributions.pop();
            }
            next
        })
    }

    /// Decides on a code at `now`.
    ///
    /// `id` is the challenge the client was told of, where its dialect has a ticket to carry it.
    /// `is_right` derives and compares the code; it is called only when a try is left to spend.
    pub fn verify(
        &self,
        now: UnixMs,
        policy: &Policy,
        id: Option<ChallengeId>,
        is_right: impl FnOnce(&Challenge) -> bool,
    ) -> Verdict {
        if let Some(wait) = self.failures.wait(now, &policy.failures) {
            return Verdict::Expired {
                retry_after: Some(wait),
            };
        }
        let live = self.challenge.as_ref().filter(|challenge| {
            id.is_none_or(|id| id == challenge.id)
                && !challenge.spent
                && challenge.wrong_tries < policy.tries
                && now < challenge.valid_until
        });
        let Some(challenge) = live else {
            return Verdict::Expired { retry_after: None };
        };
        let right = is_right(challenge) && !challenge.decoy;
        let mut next = self.clone();
        if let Some(challenge) = &mut next.challenge {
            challenge.spent = right;
            challenge.wrong_tries += u32::from(!right);
        }
        if right {
            return Verdict::Accepted(next);
        }
        next.failures = self.failures.with(now, policy.failures.events);
        Verdict::Wrong(next)
    }

    /// From this moment on the slot holds nothing that could decide a request: its TTL.
    pub fn useless_from(&self, policy: &Policy) -> UnixMs {
        let challenge = self.challenge.as_ref().map(|c| c.valid_until);
        let cool_down = self.cooling_since.map(|since| since.plus(policy.cool_down));
        let failures = self.failures.0.first();
        let failures = failures.map(|newest| newest.plus(policy.failures.span));
        challenge.max(cool_down).max(failures).unwrap_or(UnixMs(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(120);
    const POLICY: Policy = Policy::with_cool_down(COOL_DOWN);
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// A step of a random history: moves the clock, then acts.
    #[derive(Debug, Clone)]
    struct Step {
        wait_ms: u64,
        action: Action,
    }

    #[derive(Debug, Clone)]
    enum Action {
        Send,
        /// A send whose message did not go out.
        FailedSend,
        /// A code for the `back`-th challenge ever issued, counted from the newest.
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
        // Short waits crowd the limits; long ones cross validity, lifetime and the day.
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

    /// What happened, as an outside observer sees it.
    #[derive(Debug, Clone)]
    enum Event {
        Sent {
            at: UnixMs,
            id: ChallengeId,
            nonce: Nonce,
            valid_until: UnixMs,
            went_out: bool,
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

    /// Runs a history; along the way checks that a refusal leaves the slot as it was.
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
                decoy: false,
            };
            match step.action {
                Action::Send | Action::FailedSend => match slot.send(now, &POLICY, fresh) {
                    Ok(next) => {
                        let sent = next.challenge.clone().unwrap();
                        issued.push(sent.id);
                        let went_out = matches!(step.action, Action::Send);
                        events.push(Event::Sent {
                            at: now,
                            id: sent.id,
                            nonce: sent.nonce,
                            valid_until: sent.valid_until,
                            went_out,
                        });
                        slot = match went_out {
                            true => next,
                            false => next.send_failed(sent.id, now).unwrap(),
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
                    let verdict = slot.verify(now, &POLICY, id, |challenge| {
                        compared = Some(challenge.id);
                        right
                    });
                    let (next, accepted) = match verdict {
                        Verdict::Accepted(next) => (next, true),
                        Verdict::Wrong(next) => (next, false),
                        Verdict::Expired { .. } => {
                            assert_eq!(compared, None, "compared, but said expired");
                            events.push(Event::Expired);
                            continue;
                        }
                    };
                    let id = compared.expect("a decision without a comparison");
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
            for event in &events {
                match *event {
                    Event::Sent { at, went_out, .. } => {
                        prop_assert!(cooling.is_none_or(|since| since.plus(COOL_DOWN) <= at));
                        cooling = went_out.then_some(at).or(None);
                    }
                    Event::SendRefused { at, retry_after } => {
                        let failures: Vec<u64> = comparisons(&events)
                            .filter(|(when, _, ok)| !ok && *when <= at)
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
        // The types say so: neither outcome carries a slot to write.
        let sent = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        assert_eq!(
            sent.send(UnixMs(119_999), &POLICY, fresh(2)),
            Err(Refused {
                retry_after: Duration::from_millis(1),
                limit: Limited::CoolDown,
            })
        );
        assert_eq!(
            sent.verify(UnixMs(300_000), &POLICY, None, |_| true),
            Verdict::Expired { retry_after: None }
        );
    }

    #[test]
    fn a_resend_at_nine_minutes_keeps_the_code_and_one_past_it_starts_anew() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let at_nine = first.send(UnixMs(540_000), &POLICY, fresh(2)).unwrap();
        let later = first.send(UnixMs(540_001), &POLICY, fresh(2)).unwrap();
        let of = |slot: &Slot| slot.challenge.clone().map(|c| (c.id, c.valid_until));
        assert_eq!(of(&at_nine), Some((fresh(1).id, UnixMs(600_000))));
        assert_eq!(of(&later), Some((fresh(2).id, UnixMs(840_001))));
    }

    #[test]
    fn exhausted_tries_end_the_challenge_but_not_the_way_in() {
        let mut slot = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        for _ in 0..5 {
            let Verdict::Wrong(next) = slot.verify(UnixMs(1), &POLICY, None, |_| false) else {
                panic!("not counted as wrong");
            };
            slot = next;
        }
        let verdict = slot.verify(UnixMs(1), &POLICY, None, |_| true);
        assert_eq!(verdict, Verdict::Expired { retry_after: None });
        let next = slot.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        assert_eq!(next.challenge.unwrap().id, fresh(2).id);
    }

    #[test]
    fn a_decoy_has_no_right_code_and_gives_way_to_a_real_challenge() {
        let decoy = Fresh {
            decoy: true,
            ..fresh(1)
        };
        let slot = Slot::default().send(UnixMs(0), &POLICY, decoy).unwrap();
        let Verdict::Wrong(slot) = slot.verify(UnixMs(1), &POLICY, None, |_| true) else {
            panic!("a decoy's code was right");
        };
        let real = slot.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        assert_eq!(real.challenge.unwrap().id, fresh(2).id);
    }

    #[test]
    fn every_message_of_a_challenge_is_on_somebodys_account() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let second = first.send(UnixMs(120_000), &POLICY, fresh(2)).unwrap();
        let messages = |slot: &Slot| slot.challenge.as_ref().unwrap().attributions.len();
        assert_eq!((messages(&first), messages(&second)), (1, 2));
        let failed = second.send_failed(fresh(1).id, UnixMs(120_000)).unwrap();
        assert_eq!(messages(&failed), 1);
    }

    #[test]
    fn a_code_for_another_phone_is_another_code() {
        let first = Slot::default().send(UnixMs(0), &POLICY, fresh(1)).unwrap();
        let other = Phone::from_parts("86", "13900139000").unwrap();
        let to_other = Fresh {
            phone: other,
            ..fresh(2)
        };
        let moved = first.send(UnixMs(120_000), &POLICY, to_other).unwrap();
        assert_eq!(moved.challenge.unwrap().id, fresh(2).id);
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
            decoy: false,
        }
    }

    fn attribution() -> Attribution {
        Attribution {
            source: Source::of([192, 0, 2, 1].into()),
            shard: Shard { day: 0, number: 0 },
        }
    }
}
