//! The request at hand: what is learnt of it on the way, for the one log line and the one line of
//! metrics that it ends with.
//!
//! It belongs to the task that works on it, so that the local system, where many requests run at once
//! in one process, tells them apart as Lambda does.

use std::{cell::RefCell, fmt::Display, sync::Arc};

use crate::{
    app::App,
    clock,
    domain::{
        error::Error,
        phone::{CountryCode, Phone},
        time::UnixMs,
    },
    telemetry::metrics::{self, Measurement},
};

tokio::task_local! {
    static AT_HAND: RefCell<Noted>;
}

/// What is known of a request.
#[derive(Default)]
struct Noted {
    function: String,
    request_id: String,
    phone: Option<String>,
    phone_hash: Option<String>,
    /// Why SNS did not take the message, in its own words or ours.
    not_sent: Option<String>,
    /// The country of the code that was right, as long as the request does not fail after all.
    right_code: Option<CountryCode>,
    measurements: Vec<Measurement>,
}

/// Where a line of metrics comes from.
pub(crate) struct Origin<'a> {
    pub namespace: &'a str,
    pub function: &'a str,
    pub request_id: &'a str,
    pub at: UnixMs,
}

/// Works on a request: what is logged of it names the function and the request, and what was measured
/// is written when it ends.
pub async fn observed<T>(
    app: &App,
    function: &str,
    request_id: &str,
    now: UnixMs,
    work: impl Future<Output = T>,
) -> T {
    let noted = Noted {
        function: function.to_owned(),
        request_id: request_id.to_owned(),
        ..Noted::default()
    };
    let work = async {
        let answer = work.await;
        let measurements = with(|noted| std::mem::take(&mut noted.measurements));
        let origin = Origin {
            namespace: &app.metrics_namespace,
            function,
            request_id,
            at: now,
        };
        metrics::write(&origin, &measurements.unwrap_or_default());
        answer
    };
    AT_HAND.scope(RefCell::new(noted), work).await
}

/// Work that goes on after the request at hand is answered: what it measures is written when it ends,
/// as the request's.
pub(crate) fn continued(app: Arc<App>, work: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let names = with(|noted| (noted.function.clone(), noted.request_id.clone()));
    let (function, request_id) = names.unwrap_or_default();
    async move { observed(&app, &function, &request_id, clock::now(), work).await }
}

/// Nothing, where no request is at hand: a unit test, the start of a process.
fn with<T>(look: impl FnOnce(&mut Noted) -> T) -> Option<T> {
    AT_HAND.try_with(|noted| look(&mut noted.borrow_mut())).ok()
}

/// The request is about this phone.
pub(crate) fn about(app: &App, phone: &Phone) {
    with(|noted| {
        noted.phone = Some(phone.masked());
        noted.phone_hash = Some(app.keys.pseudonym(&phone.e164()).to_string());
    });
}

/// The provider did not take the message.
pub(crate) fn not_sent(reason: &str) {
    with(|noted| noted.not_sent = Some(reason.to_owned()));
}

/// A code to this country was right. The request counts as a verification if it ends well.
pub(crate) fn right_code(country: CountryCode) {
    with(|noted| noted.right_code = Some(country));
}

/// A value for a metric.
pub(crate) fn measure(measurement: Measurement) {
    with(|noted| noted.measurements.push(measurement));
}

/// A message did not go out, of which the answer says nothing: logs and counts it.
pub(crate) fn failed_unseen(error: &Error) {
    metrics::failed(error);
    with(|noted| {
        let (function, request_id) = (&noted.function, &noted.request_id);
        let reason = noted.not_sent.as_deref();
        tracing::error!(function, request_id, ?error, reason, "SMS failed");
    });
}

/// The request is answered: logs it, once, and counts it.
pub(crate) fn answered(endpoint: &'static str, outcome: impl Display, error: Option<&Error>) {
    let right_code = with(|noted| noted.right_code.take()).flatten();
    match (error, right_code) {
        (Some(error), _) => metrics::failed(error),
        (None, Some(country)) => metrics::verified(country),
        (None, None) => {}
    }
    with(|noted| {
        let Noted {
            function,
            request_id,
            phone,
            phone_hash,
            not_sent,
            ..
        } = noted;
        let (phone, phone_hash) = (phone.as_deref(), phone_hash.as_deref());
        match error {
            Some(Error::Internal(cause)) => tracing::error!(
                function, request_id, endpoint, %outcome, phone, phone_hash, cause, "failed"
            ),
            Some(Error::Sms(failure)) => tracing::error!(
                function, request_id, endpoint, %outcome, phone, phone_hash, ?failure,
                reason = not_sent.as_deref(), "SMS failed"
            ),
            _ => tracing::info!(
                function, request_id, endpoint, %outcome, phone, phone_hash, "answered"
            ),
        }
    });
}
