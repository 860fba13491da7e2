//! The notice to a number that an account has left.

use std::sync::Arc;

use super::send::Reservation;
use crate::{
    app::App,
    domain::{budget::Purse, error::Error, phone::Phone, stop::Stop, time::UnixMs},
    telemetry::{context, record},
};

/// Defers the notice to the number that an account has left, unless the operator has stopped sends to it.
pub(super) fn was_left(app: &Arc<App>, from: Phone, stop: Stop, now: UnixMs) {
    if !app.config.sms.notify_old_number {
        return;
    }
    app.defer(async move |app| {
        if stop.holds(from.region()) {
            record::stopped();
        } else {
            notify(&app, &from, now).await;
        }
    });
}

/// Sends the notice to the old number. It cannot undo the move, so a failure is only logged.
async fn notify(app: &Arc<App>, from: &Phone, now: UnixMs) {
    match send_notice(app, from, now).await {
        Ok(()) => {
            record::notice_sent();
            record::sent_after_answer(from);
        }
        Err(reason) => tracing::warn!(phone = %from, reason, "the old number got no notice"),
    }
}

async fn send_notice(app: &Arc<App>, from: &Phone, now: UnixMs) -> Result<(), String> {
    if app.is_test_number(from, now) {
        return Err("test number".to_owned());
    }
    let region = from.region();
    if !app.config.served.contains(region) {
        return Err("its region is not served".to_owned());
    }
    let in_words = |error: Error| format!("{error:?}");
    let plan = app.config.sms.plan_moved(from.country(), region);
    let plan = plan.map_err(in_words)?;
    let charge = app.config.budget.charge(region, 0, Purse::Common);
    let mut reservation = Reservation::new(app, now);
    reservation.reserve(app, charge).await.map_err(in_words)?;
    let not_sent = match app.sms.send_notice(&plan, from).await {
        Ok(message_id) => {
            context::message_id(&message_id.0);
            return Ok(());
        }
        Err(not_sent) => not_sent,
    };
    record::send_failed(not_sent.failure);
    if !not_sent.may_have_gone_out {
        reservation.release(app).await;
    }
    Err(not_sent.reason)
}
