//! Delivering a recorded send: the message, at once or after the answer, and what a failure releases.

use std::sync::Arc;

use futures_util::future::{join, join3};

use super::reserve::Reservation;
use crate::{
    app::App,
    domain::{
        client::Client,
        client_address::Source,
        code::Code,
        error::{Error, SmsFailure},
        phone::Phone,
        purpose::Purpose,
        slot::{Challenge, Policy},
        slot_key::{SlotKey, Tag},
        time::UnixMs,
        token::PhoneInfo,
        user::{Uid, User},
        window::Limit,
    },
    flow::{
        hiding::Hiding,
        race::{Round, until_won},
    },
    random,
    sms::Plan,
    store::{Key, slots::SlotMove},
    telemetry::{context, record},
};

/// A send that has been recorded, or may have been.
pub(super) struct Sent {
    pub purpose: Purpose,
    pub policy: Policy,
    /// The limits it was counted by.
    pub limits: Vec<Limit>,
    pub key: SlotKey,
    pub source: Source,
    pub phone: Phone,
    pub uid: Option<Uid>,
    pub client: Client,
    pub plan: Plan,
    pub challenge: Challenge,
    pub at: UnixMs,
    pub hiding: Hiding,
    pub reservation: Reservation,
    /// The account, where it was read beside the write.
    pub account: Option<User>,
}

/// A code that was sent, or looks as if.
pub(in crate::flow) struct Delivered {
    /// What a ticket says of it.
    pub info: PhoneInfo,
    /// When it expires.
    pub valid_until: UnixMs,
}

/// What happens to a failed send's place in its source's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceCount {
    /// It is released: the failure is ours.
    Release,
    /// It is kept: SNS refused this number, and would refuse it as often as it is asked for.
    Keep,
}

/// What happens to a failed send's place in the phone's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhoneCount {
    /// It is released.
    Release,
    /// It is kept: SNS may have sent the message, and will charge for it.
    Keep,
}

impl Sent {
    /// Sends the message. Where users are hidden it is sent after the answer, so that the time does not
    /// show whether there is one.
    pub(super) async fn deliver(mut self, app: &Arc<App>) -> Result<Delivered, Error> {
        let valid_until = self.challenge.valid_until;
        let info = PhoneInfo {
            purpose: self.purpose,
            phone: self.phone.clone(),
            // A registration has no account yet; a decoy of one has a stand-in.
            uid: self.uid.filter(|_| self.purpose != Purpose::Register),
            challenge: self.challenge.id,
        };
        let delivered = Delivered { info, valid_until };
        if app.is_test_number(&self.phone, self.at) {
            let (purpose, phone) = (self.purpose.name(), &self.phone);
            tracing::info!(purpose, %phone, "test number, no SMS");
            return Ok(delivered);
        }
        if !self.hiding.is_on() {
            self.publish(app).await?;
            return Ok(delivered);
        }
        let has_message = !self.challenge.decoy && self.hiding.reaches(self.account.as_ref());
        app.defer(async move |app| {
            if !has_message {
                // The environment takes the next request when this is done. It is busy for as long as if
                // it had sent a message, or the next request's time would show that it has not.
                let [which] = random::bytes().unwrap_or_default();
                let busy = tokio::time::sleep(app.sms.would_take(which));
                join(self.reservation.release(&app), busy).await;
                return;
            }
            match self.publish(&app).await {
                Ok(()) => record::sent_after_answer(&self.phone),
                Err(error) => record::send_failed_after_answer(&error),
            }
        });
        Ok(delivered)
    }

    async fn publish(&mut self, app: &App) -> Result<(), Error> {
        let code = Code::derive(&app.config.keys, self.key.as_str(), &self.challenge);
        let code = code.ok_or_else(|| Error::internal("no key for our own challenge"))?;
        let valid_for = self.challenge.valid_until.after(self.at);
        let sent = app.sms.send_code(&self.plan, &self.phone, &code, valid_for);
        let not_sent = match sent.await {
            Ok(message_id) => {
                context::message_id(&message_id.0);
                record::sent(self.plan.region);
                return Ok(());
            }
            Err(not_sent) => not_sent,
        };
        context::not_sent(&not_sent.reason);
        let count = if not_sent.may_have_gone_out {
            PhoneCount::Keep
        } else {
            self.reservation.release(app).await;
            PhoneCount::Release
        };
        // Where users are hidden, a cool-down that ends early would show that the phone has an account.
        if !self.hiding.is_on() {
            let of_source = match not_sent.failure {
                SmsFailure::Rejected => SourceCount::Keep,
                SmsFailure::NotConfigured
                | SmsFailure::NoSenderId
                | SmsFailure::NoText
                | SmsFailure::NoCredentials
                | SmsFailure::Unavailable => SourceCount::Release,
            };
            self.release_limits(app, count, of_source).await;
        }
        Err(Error::Sms(not_sent.failure))
    }

    /// Releases the cool-down, the phone's count and the source's count, so that the client can retry
    /// at once. What cannot be released passes with time, so a failure is only logged.
    pub(super) async fn release_limits(
        &self,
        app: &App,
        count: PhoneCount,
        of_source: SourceCount,
    ) {
        let (store, limits) = (&app.store, &self.limits);
        let at = (&self.phone, self.client);
        let phone = async {
            match count {
                PhoneCount::Release => {
                    let counted = self.hiding.counted(self.challenge.decoy);
                    let released = store.release_send(counted, &self.key, at, self.at, limits);
                    released.await
                }
                PhoneCount::Keep if self.has_cool_down_per_phone() => {
                    store.back_date_send(at, self.at, limits).await
                }
                PhoneCount::Keep => Ok(()),
            }
        };
        let source = async {
            match of_source {
                SourceCount::Release => {
                    let tag = Tag::of(&self.key, &app.config.keys);
                    let limits = &app.config.limits.sends_per_source;
                    let released = store.release_source(&self.source, tag, self.at, limits);
                    released.await
                }
                SourceCount::Keep => Ok(()),
            }
        };
        let released = join3(self.release_cool_down(app), phone, source).await;
        for failure in [released.0, released.1, released.2] {
            if let Err(failure) = failure {
                tracing::warn!(
                    ?failure,
                    "the limits of a failed send could not be released"
                );
            }
        }
    }

    /// Whether one of the phone's limits is a cool-down, whichever account asks.
    fn has_cool_down_per_phone(&self) -> bool {
        let cool_down = self.policy.cool_down;
        let mut limits = self.limits.iter();
        limits.any(|limit| limit.events == 1 && limit.span == cool_down)
    }

    async fn release_cool_down(&self, app: &App) -> Result<(), Error> {
        let key = &self.key;
        until_won(&app.store, &[Key::slot(key)], |seen| async move {
            let stored = seen.slot(key)?;
            let Some(next) = stored
                .slot
                .send_failed(self.client, self.challenge.id, self.at)
            else {
                return Ok(Round::Won(()));
            };
            let step = SlotMove {
                key,
                seen: stored,
                useless_from: next.useless_from(&self.policy),
                next,
            };
            Ok(app.store.move_slot(&step).await?.round(|| ()))
        })
        .await
    }
}
