use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    domain::{budget::MicroUsd, client::PerClient, slot::Slot, window::Window},
    sms::SmsConfig,
};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const UID: Uid = Uid(5);

fn ring() -> KeyRing {
    KeyRing::parse(r#"{"active":"k1","k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#)
        .unwrap()
}

fn phone(national: &str) -> Phone {
    Phone::from_parts("86", national).unwrap()
}

fn plan(brand: Option<&str>) -> impl Fn(&Phone) -> Result<Plan, Error> {
    let config = SmsConfig {
        brand: brand.map(str::to_owned),
        sender_ids: Default::default(),
        sender_id_required: Vec::new(),
        max_price: MicroUsd(200_000),
        registrations: Default::default(),
        origin_domain: None,
        notify_old_number: true,
        texts: Default::default(),
    };
    move |phone| config.plan(Purpose::Login, phone.country(), phone.region())
}

fn attribution() -> Attribution {
    Attribution {
        client: Client::Stranger,
        source: Source::of([192, 0, 2, 1].into()),
        shard: Shard { day: 1, number: 2 },
    }
}

fn parts() -> FreshParts {
    FreshParts {
        id: [1; 16],
        nonce: [2; 16],
        source: attribution().source,
        shard: attribution().shard,
    }
}

/// A slot with a send some time ago and some wrong tries.
fn slots() -> impl Strategy<Value = Slot> {
    let sent = prop::option::of((
        0u64..700_000,
        any::<bool>(),
        0u32..7,
        prop::bool::weighted(0.3),
    ));
    let failures = prop::collection::vec(0u64..90_000_000, 0..12);
    (sent, failures, any::<bool>()).prop_map(|(sent, mut failures, is_known_key)| {
        failures.sort_unstable();
        let challenge = sent.map(|(age, spent, wrong_tries, decoy)| Challenge {
            id: ChallengeId([9; 16]),
            nonce: Nonce([9; 16]),
            kid: if is_known_key { "k1" } else { "gone" }.to_owned(),
            phone: phone("13800138001"),
            first_send: UnixMs(NOW.0 - age),
            last_send: UnixMs(NOW.0 - age),
            valid_until: UnixMs(NOW.0 - age + 300_000),
            wrong_tries: PerClient::default().with(Client::Stranger, wrong_tries),
            taken_names: 0,
            spent,
            attributions: vec![attribution()],
            decoy,
            newcomer: None,
            mover: None,
        });
        let cooling_since = PerClient::default();
        let last_send = challenge.as_ref().map(|challenge| challenge.last_send);
        let failures = failures.into_iter().map(|age| UnixMs(NOW.0 - age));
        let (decoy, challenge) = match challenge {
            Some(decoy) if decoy.decoy => (Some(decoy), None),
            challenge => (None, challenge),
        };
        Slot {
            cooling_since: match last_send {
                Some(at) => cooling_since.with(Client::Stranger, at),
                None => cooling_since,
            },
            challenge,
            decoy,
            failures: PerClient::default().with(Client::Stranger, Window(failures.collect())),
        }
    })
}

fn stored(slot: &Slot) -> StoredSlot {
    let mut stored = StoredSlot::default();
    stored.slot = slot.clone();
    stored
}

fn counted() -> impl Strategy<Value = SourceOutcome> {
    prop_oneof![
        3 => (0u64..9, 0u64..9).prop_map(|(unused, used)| {
            SourceOutcome::Done(SourceHistory { unused, used })
        }),
        1 => (1u64..4000).prop_map(|seconds| SourceOutcome::TooMany {
            retry_after: Duration::from_secs(seconds),
        }),
    ]
}

/// What a flow finds of the account: it is there, or one of the errors that a flow refuses with.
fn targets() -> impl Strategy<Value = Result<Target, Error>> {
    let found = Target {
        phone: phone("13800138001"),
        uid: Some(UID),
        client: Client::Stranger,
        kept_for: None,
        newcomer: None,
    };
    prop_oneof![
        4 => Just(Ok(found)),
        1 => Just(Err(Error::PhoneUnknown)),
        1 => Just(Err(Error::UserNotFound)),
        1 => Just(Err(Error::UserDisabled)),
        1 => Just(Err(Error::PhoneMismatch)),
        1 => Just(Err(Error::NoPhone)),
        1 => Just(Err(Error::PhoneTaken)),
        1 => Just(Err(Error::TokenInvalid)),
        1 => Just(Err(Error::internal("of the test"))),
    ]
}

fn purposes() -> impl Strategy<Value = Purpose> {
    prop::sample::select(Purpose::ALL)
}

/// Decides on a send of a purpose that names its phone.
fn decided(
    purpose: Purpose,
    hides: bool,
    slot: &Slot,
    target: Result<Target, Error>,
    counted: SourceOutcome,
    brand: Option<&str>,
) -> Result<(Target, bool, Slot), Refusal> {
    let (keys, named) = (ring(), phone("13800138001"));
    let key = SlotKey::login(&named);
    let case = Case {
        purpose,
        key: &key,
        named: Some(&named),
        mover: None,
        policy: purpose.policy(),
        hiding: Hiding::new(hides, purpose),
        keys: &keys,
        now: NOW,
    };
    let facts = Facts {
        stop: Stop::Nothing,
        slot: stored(slot),
        target,
        counted,
        is_used_up: false,
    };
    let draft = decide(&case, facts, parts(), plan(brand))?;
    Ok((draft.target, draft.is_decoy, draft.step.next))
}

proptest! {
    #[test]
    fn hidden_every_account_gets_the_same_decision(
        purpose in prop::sample::select(&[
            Purpose::Login, Purpose::Register, Purpose::ResetPassword, Purpose::Recover,
        ][..]),
        slot in slots(), counted in counted(), one in targets(), other in targets(),
    ) {
        let is_about_the_account = |target: &Result<Target, Error>| {
            !matches!(target, Err(Error::TokenInvalid | Error::Internal(_)))
        };
        prop_assume!(is_about_the_account(&one) && is_about_the_account(&other));
        // A decoy lives in the slot of its phone: an account that comes or goes changes the challenge,
        // never the refusal.
        let (one, other) = (
            decided(purpose, true, &slot, one, counted, Some("Latchkey")),
            decided(purpose, true, &slot, other, counted, Some("Latchkey")),
        );
        match (one, other) {
            (Ok((one, ..)), Ok((other, ..))) => prop_assert_eq!(one.phone, other.phone),
            (one, other) => prop_assert_eq!(one.map(drop), other.map(drop)),
        }
    }

    #[test]
    fn a_decoy_is_made_only_where_users_are_hidden(
        purpose in purposes(), hides in any::<bool>(), slot in slots(), counted in counted(),
        target in targets(),
    ) {
        let is_found = target.is_ok();
        if let Ok((target, is_decoy, next)) = decided(purpose, hides, &slot, target, counted, Some("x")) {
            prop_assert_eq!(is_decoy, !is_found);
            prop_assert!(hides || !is_decoy);
            prop_assert!(next.current(is_decoy).is_some_and(|it| it.decoy == is_decoy));
            prop_assert!(!is_decoy || target.uid != Some(UID));
        }
    }

    #[test]
    fn a_draft_is_the_slots_own_next_state(
        purpose in purposes(), slot in slots(), target in targets(), counted in counted(),
    ) {
        let refused_by_slot = {
            let readable = readable(stored(&slot), &ring()).slot;
            let fresh = Fresh {
                id: ChallengeId([1; 16]),
                nonce: Nonce([2; 16]),
                kid: "k1".to_owned(),
                phone: phone("13800138001"),
                attribution: attribution(),
                making: Making::Challenge,
                newcomer: None,
                mover: None,
            };
            readable.send(NOW, &purpose.policy(), fresh)
        };
        let decided = decided(purpose, false, &slot, target.clone(), counted, Some("x"));
        match (target, counted, refused_by_slot) {
            (Ok(target), SourceOutcome::Done(_), Ok(next)) => {
                prop_assert_eq!(decided, Ok((target, false, next)));
            }
            (Ok(target), SourceOutcome::Done(_), Err(refused)) => {
                let refusal = decided.unwrap_err();
                // The account's own error comes first, so it is checked.
                prop_assert_eq!(refusal.check_first, target.uid);
                prop_assert_eq!(refusal.error.retry_after(), Some(refused.retry_after));
            }
            _ => prop_assert!(decided.is_err()),
        }
    }

    #[test]
    fn the_session_comes_before_the_configuration_and_that_before_the_limit_and_the_account(
        purpose in purposes(), hides in any::<bool>(), slot in slots(), target in targets(),
        counted in counted(),
    ) {
        let in_session = matches!(
            purpose,
            Purpose::ChangePassword | Purpose::ChangePhone | Purpose::Delete
        );
        let unplanned = decided(purpose, hides, &slot, target.clone(), counted, None);
        let error = unplanned.unwrap_err().error;
        match &target {
            Err(session) if in_session && *session != Error::PhoneTaken => {
                prop_assert_eq!(&error, session);
            }
            _ => prop_assert!(matches!(error, Error::Sms(_)), "{error:?}"),
        }
        let decided = decided(purpose, hides, &slot, target.clone(), counted, Some("x"));
        if let (SourceOutcome::TooMany { retry_after }, Err(refusal)) = (counted, &decided) {
            let is_limit = refusal.error == Error::TooFrequent { retry_after, limit: Limited::Source };
            prop_assert!(is_limit || (in_session && target.is_err()));
        }
        prop_assert!(matches!(counted, SourceOutcome::Done(_)) || decided.is_err());
    }

    #[test]
    fn the_refusal_of_a_hidden_send_checks_no_account(
        purpose in purposes(), slot in slots(), target in targets(), counted in counted(),
    ) {
        if let Err(refusal) = decided(purpose, true, &slot, target, counted, Some("x")) {
            prop_assert_eq!(refusal.check_first, None);
        }
    }
}

#[test]
fn a_draft_can_be_attributed_to_another_shard() {
    let (keys, named) = (ring(), phone("13800138001"));
    let key = SlotKey::login(&named);
    let case = Case {
        purpose: Purpose::Login,
        key: &key,
        named: Some(&named),
        mover: None,
        policy: Purpose::Login.policy(),
        hiding: Hiding::off(Purpose::Login),
        keys: &keys,
        now: NOW,
    };
    let facts = Facts {
        stop: Stop::Nothing,
        slot: StoredSlot::default(),
        target: Ok(Target {
            phone: named.clone(),
            uid: Some(UID),
            client: Client::Stranger,
            kept_for: None,
            newcomer: None,
        }),
        counted: SourceOutcome::Done(SourceHistory::default()),
        is_used_up: false,
    };
    let mut draft = decide(&case, facts, parts(), plan(Some("x"))).unwrap();
    let other = Shard { day: 1, number: 7 };
    draft.attribute_to(other);
    let next = draft.step.next.challenge.unwrap();
    let shards: Vec<Shard> = next.attributions.iter().map(|send| send.shard).collect();
    assert_eq!(shards, [other]);
}

#[test]
fn a_send_without_a_named_phone_is_planned_for_the_accounts_phone() {
    let keys = ring();
    let key = SlotKey::change_password(UID);
    let own = phone("13900139000");
    let case = Case {
        purpose: Purpose::ChangePassword,
        key: &key,
        named: None,
        mover: None,
        policy: Purpose::ChangePassword.policy(),
        hiding: Hiding::off(Purpose::ChangePassword),
        keys: &keys,
        now: NOW,
    };
    let facts = Facts {
        stop: Stop::Nothing,
        slot: StoredSlot::default(),
        target: Ok(Target {
            phone: own.clone(),
            uid: Some(UID),
            client: Client::Stranger,
            kept_for: None,
            newcomer: None,
        }),
        counted: SourceOutcome::Done(SourceHistory::default()),
        is_used_up: false,
    };
    let planned = std::cell::RefCell::new(Vec::new());
    let plan = |phone: &Phone| {
        planned.borrow_mut().push(phone.clone());
        plan(Some("x"))(phone)
    };
    let draft = decide(&case, facts, parts(), plan).unwrap();
    assert_eq!(draft.target.phone, own);
    assert_eq!(planned.into_inner(), [own]);
}

#[test]
fn a_stopped_send_is_refused_as_soon_as_its_phone_is_known() {
    let (keys, named) = (ring(), phone("13800138001"));
    let key = SlotKey::login(&named);
    let decided = |stop, hides, target, brand| {
        let case = Case {
            purpose: Purpose::Login,
            key: &key,
            named: Some(&named),
            mover: None,
            policy: Purpose::Login.policy(),
            hiding: Hiding::new(hides, Purpose::Login),
            keys: &keys,
            now: NOW,
        };
        let facts = Facts {
            stop,
            slot: StoredSlot::default(),
            target,
            counted: SourceOutcome::TooMany {
                retry_after: Duration::from_secs(1),
            },
            is_used_up: false,
        };
        decide(&case, facts, parts(), plan(brand))
            .unwrap_err()
            .error
    };
    let known = || {
        Ok(Target {
            phone: phone("13800138001"),
            uid: Some(UID),
            client: Client::Stranger,
            kept_for: None,
            newcomer: None,
        })
    };
    let china = || Stop::named(["86"]);
    for stop in [Stop::All, china()] {
        for hides in [true, false] {
            for target in [known(), Err(Error::PhoneUnknown)] {
                let error = decided(stop.clone(), hides, target, Some("x"));
                assert_eq!(error, Error::SendsStopped);
            }
        }
    }
    // What the configuration lacks comes first; another region's stop is no stop.
    let unconfigured = Error::Sms(crate::domain::error::SmsFailure::NotConfigured);
    assert_eq!(decided(Stop::All, false, known(), None), unconfigured);
    let elsewhere = decided(Stop::named(["1"]), false, known(), Some("x"));
    assert!(
        matches!(elsewhere, Error::TooFrequent { .. }),
        "{elsewhere:?}"
    );
}
