//! Taking a code back: what every purpose has in common.

use std::sync::Arc;

use futures_util::future::{join, join_all};

use crate::{
    app::App,
    domain::{
        code::{Code, Guess},
        error::Error,
        phone::Phone,
        purpose::Purpose,
        slot::{Attribution, Challenge, ChallengeId, Verdict},
        slot_key::{SlotKey, Tag},
        time::UnixMs,
    },
    store::{Outcome, Seen, SlotMove},
    telemetry::context,
};

use super::race::Race;

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
    origins: Vec<Attribution>,
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
        context::about(app, &challenge.phone);
    }
    let is_right = |challenge: &Challenge| {
        if let Some(code) = app.test_numbers.code_of(&challenge.phone, now) {
            return code.matches(guess);
        }
        let code = Code::derive(&app.keys, key.as_str(), challenge);
        code.is_some_and(|code| code.matches(guess))
    };
    let (next, right) = match stored.slot.verify(now, &policy, id, is_right) {
        Verdict::Accepted(next) => (next, true),
        Verdict::Wrong(next) => (next, false),
        Verdict::Expired { retry_after } => return Err(Error::CodeExpired { retry_after }),
    };
    let challenge = next.challenge.clone();
    let step = SlotMove {
        key,
        seen: stored,
        useless_from: next.useless_from(&policy),
        next,
    };
    if let (true, Some(challenge)) = (right, challenge) {
        context::right_code(challenge.phone.country());
        return Ok(Some(Right {
            spend: step,
            phone: challenge.phone,
            origins: challenge.attributions,
        }));
    }
    match app.store.move_slot(&step).await? {
        Outcome::Done => Err(Error::CodeWrong),
        Outcome::Raced => {
            race.lost().await;
            Ok(None)
        }
    }
}

impl Right<'_> {
    /// To be called when the code has been spent, by whoever spent it: gives its messages back to the
    /// sources they were asked for from, and counts them as used in the ledger. After the answer: it
    /// is nobody's to wait for, and if it is lost, limits are stricter for a day.
    pub(super) fn was_used(self, app: &Arc<App>, now: UnixMs) {
        // Whoever knows a test number's code proves nothing by it.
        if app.test_numbers.code_of(&self.phone, now).is_some() {
            return;
        }
        let tag = Tag::of(self.spend.key, &app.keys);
        let country = self.phone.country();
        let origins = self.origins;
        app.after_answer(async move |app| {
            let mut sources: Vec<_> = origins.iter().map(|origin| &origin.source).collect();
            sources.dedup();
            let answered = sources.into_iter();
            let answered =
                answered.map(|source| app.store.answered(source, tag, now, &app.source_limits));
            let verified = origins.iter().map(|origin| origin.shard);
            let verified = verified.map(|shard| app.store.count_verified(shard, country, 1));
            let (answered, verified) = join(join_all(answered), join_all(verified)).await;
            for failure in answered.into_iter().chain(verified).filter_map(Result::err) {
                tracing::warn!(?failure, "a used code could not be counted as used");
            }
        });
    }
}
