//! The decision on a send: pure, so it is tested without HTTP and without DynamoDB.

use crate::{
    domain::{
        budget::Shard,
        client::Client,
        client_address::Source,
        error::{Error, Limited},
        fraud::SourceHistory,
        keys::KeyRing,
        metadata::Metadata,
        phone::Phone,
        purpose::Purpose,
        slot::{Attribution, Challenge, ChallengeId, Fresh, Making, Mover, Nonce, Policy},
        slot_key::SlotKey,
        stop::Stop,
        time::UnixMs,
        user::Uid,
    },
    flow::hiding::{Hiding, is_session_error, stand_in},
    sms::Plan,
    store::{
        slots::{SlotMove, StoredSlot},
        sources::SourceOutcome,
    },
};

/// The phone that a code is sent to, and the account that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::flow) struct Target {
    pub phone: Phone,
    /// It has to be active. None when an account is to be created.
    pub uid: Option<Uid>,
    /// Who asks, to the account.
    pub client: Client,
    /// The account that money is kept for.
    pub kept_for: Option<Uid>,
    /// What an account that the code makes begins with.
    pub newcomer: Option<Metadata>,
}

/// What a send asks for, and the rules it is decided by.
pub(super) struct Case<'a> {
    pub purpose: Purpose,
    pub key: &'a SlotKey,
    /// The phone that the request names, if it names one.
    pub named: Option<&'a Phone>,
    /// Who moves to the phone.
    pub mover: Option<&'a Mover>,
    pub policy: Policy,
    pub hiding: Hiding,
    pub keys: &'a KeyRing,
    pub now: UnixMs,
}

/// What was read and counted.
pub(super) struct Facts {
    pub stop: Stop,
    pub slot: StoredSlot,
    pub target: Result<Target, Error>,
    pub counted: SourceOutcome,
    /// Whether the phone has had as many messages as it may, where nobody must be told.
    pub is_used_up: bool,
}

/// What a new challenge is made from, beside its phone and its key.
pub(super) struct FreshParts {
    pub id: [u8; 16],
    pub nonce: [u8; 16],
    pub source: Source,
    pub shard: Shard,
}

/// A send that is decided on and not written yet.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub target: Target,
    pub plan: Plan,
    pub step: SlotMove<'a>,
    /// The challenge to be sent.
    pub challenge: Challenge,
    /// No message is sent.
    pub is_decoy: bool,
    /// What is known of the source.
    pub history: SourceHistory,
}

/// A send that is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub error: Error,
    /// The account to read before refusing. If it is gone or disabled, that error is returned instead.
    pub check_first: Option<Uid>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            check_first: None,
        }
    }
}

/// Decides on a send. `plan` plans the message to a phone.
///
/// The order of the refusals is the contract's: the session, the configuration and the operator's
/// switch, the source's limit, the account, the slot's limits.
pub(super) fn decide<'a>(
    case: &Case<'a>,
    facts: Facts,
    parts: FreshParts,
    plan: impl FnOnce(&Phone) -> Result<Plan, Error>,
) -> Result<Draft<'a>, Refusal> {
    let phone = match (&facts.target, case.named) {
        (Err(error), _) if is_session_error(case.purpose, error) => {
            return Err(error.clone().into());
        }
        (Ok(target), _) => &target.phone,
        (Err(_), Some(named)) => named,
        (Err(error), None) => return Err(error.clone().into()),
    };
    let plan = plan(phone)?;
    if facts.stop.holds(plan.region) {
        return Err(Error::SendsStopped.into());
    }
    let history = match facts.counted {
        SourceOutcome::Done(history) => history,
        // What others at the source have asked for does not count against a client that is known.
        SourceOutcome::TooMany { .. } if is_known(&facts.target) => SourceHistory::default(),
        SourceOutcome::TooMany { retry_after } => {
            let limit = Limited::Source;
            return Err(Error::TooFrequent { retry_after, limit }.into());
        }
    };
    let (target, is_decoy) = match (facts.target, case.named) {
        (Ok(target), _) => (target, facts.is_used_up),
        (Err(error), Some(named)) if case.hiding.replaces(&error) => {
            let decoy = Target {
                phone: named.clone(),
                uid: Some(stand_in(named, case.keys)),
                client: Client::Stranger,
                kept_for: None,
                newcomer: None,
            };
            (decoy, true)
        }
        (Err(error), _) => return Err(error.into()),
    };
    let seen = readable(facts.slot, case.keys);
    let fresh = Fresh {
        id: ChallengeId(parts.id),
        nonce: Nonce(parts.nonce),
        kid: case.keys.active().to_owned(),
        phone: target.phone.clone(),
        attribution: Attribution {
            client: target.client,
            source: parts.source,
            shard: parts.shard,
        },
        making: match (case.hiding.is_on(), is_decoy) {
            (_, true) => Making::Decoy,
            (true, false) => Making::Hidden,
            (false, false) => Making::Challenge,
        },
        newcomer: target.newcomer.clone(),
        mover: case.mover.cloned(),
    };
    let next = match seen.slot.send(case.now, &case.policy, fresh) {
        Ok(next) => next,
        Err(refused) => {
            return Err(Refusal {
                error: Error::TooFrequent {
                    retry_after: refused.retry_after,
                    limit: refused.limit,
                },
                // Nothing is written that would check the account.
                check_first: case.hiding.account_to_check(target.uid),
            });
        }
    };
    let challenge = next.current(is_decoy).cloned();
    let challenge = challenge.ok_or_else(|| Error::internal("no challenge after a send"))?;
    Ok(Draft {
        target,
        plan,
        step: SlotMove {
            key: case.key,
            seen,
            useless_from: next.useless_from(&case.policy),
            next,
        },
        challenge,
        is_decoy,
        history,
    })
}

fn is_known(target: &Result<Target, Error>) -> bool {
    let target = target.as_ref();
    target.is_ok_and(|target| target.client.is_known())
}

/// A challenge whose key has left the ring has no code any more. It is as if there were none.
fn readable(mut stored: StoredSlot, keys: &KeyRing) -> StoredSlot {
    let has_code = |challenge: &Challenge| keys.has(&challenge.kid);
    stored.slot.challenge = stored.slot.challenge.take().filter(has_code);
    stored.slot.decoy = stored.slot.decoy.take().filter(has_code);
    stored
}

impl Draft<'_> {
    /// Attributes the send to another shard than the one it was drawn with.
    pub(super) fn attribute_to(&mut self, shard: Shard) {
        let challenge = self.step.next.challenge.as_mut();
        let attribution = challenge.and_then(|challenge| challenge.attributions.last_mut());
        if let Some(attribution) = attribution.filter(|_| !self.is_decoy) {
            attribution.shard = shard;
        }
    }
}

#[cfg(test)]
mod tests;
