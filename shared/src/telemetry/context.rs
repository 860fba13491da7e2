//! The telemetry context of one request.
//!
//! It is local to the task that works for the request. It holds which request that is, and what the
//! request collects on its way for its log line and its metrics. So no function takes a request id, and
//! the local system, where one process serves many requests at once, keeps them apart as Lambda does.

use std::{cell::RefCell, sync::Arc};

use super::{emf, metrics::Measurement};
use crate::domain::{keys::KeyRing, phone::Phone, region::Region, time::UnixMs};

tokio::task_local! {
    static CONTEXT: Context;
}

struct Context {
    request: Arc<RequestInfo>,
    notes: RefCell<Notes>,
}

/// Which request a task works for. Every log line carries `function` and `request_id`.
#[derive(Debug)]
pub struct RequestInfo {
    /// The function's name: `send-login-message`, or what Lambda calls it.
    pub function: String,
    /// The id that Lambda gave the request.
    pub request_id: String,
    /// The CloudWatch namespace of its metrics.
    pub namespace: String,
    /// The keys of the log's pseudonyms.
    pub keys: Arc<KeyRing>,
}

/// What a request has collected so far.
#[derive(Default)]
pub(super) struct Notes {
    /// Masked.
    pub(super) phone: Option<String>,
    /// The phone's pseudonym.
    pub(super) phone_hash: Option<String>,
    /// The id that SNS gave the message.
    pub(super) message_id: Option<String>,
    /// Why SNS did not accept the message: an error code, or the kind of transport failure.
    pub(super) not_sent: Option<String>,
    /// The region of a code that was right. It counts as verified if the request succeeds.
    pub(super) right_code: Option<Region>,
    measurements: Vec<Measurement>,
}

/// Works for a request. Its measurements, taken as of `now`, are written when the work ends.
pub async fn scope<T>(request: Arc<RequestInfo>, now: UnixMs, work: impl Future<Output = T>) -> T {
    let context = Context {
        request: request.clone(),
        notes: RefCell::default(),
    };
    let work = async {
        let answer = work.await;
        let measurements = with_notes(|notes| std::mem::take(&mut notes.measurements));
        let origin = emf::Origin {
            namespace: &request.namespace,
            function: &request.function,
            request_id: &request.request_id,
            at: now,
        };
        emf::write(&origin, &measurements.unwrap_or_default());
        answer
    };
    CONTEXT.scope(context, work).await
}

/// The request that the current task works for; none in a unit test and while a process starts.
pub fn current() -> Option<Arc<RequestInfo>> {
    CONTEXT.try_with(|context| context.request.clone()).ok()
}

/// Reads or changes the notes of the current request, if there is one.
pub(super) fn with_notes<T>(work: impl FnOnce(&mut Notes) -> T) -> Option<T> {
    let in_context = CONTEXT.try_with(|context| work(&mut context.notes.borrow_mut()));
    in_context.ok()
}

/// Notes the phone that the request is about.
pub(crate) fn about(phone: &Phone) {
    let Some(request) = current() else { return };
    with_notes(|notes| {
        notes.phone = Some(phone.masked());
        notes.phone_hash = Some(request.keys.pseudonym(&phone.e164()).to_string());
    });
}

/// Notes the id that SNS gave the message. SNS's delivery logs name the message by it.
pub(crate) fn message_id(id: &str) {
    with_notes(|notes| notes.message_id = Some(id.to_owned()));
}

/// Notes why SNS did not accept the message.
pub(crate) fn not_sent(reason: &str) {
    with_notes(|notes| notes.not_sent = Some(reason.to_owned()));
}

/// Notes that a code sent to this region was right.
pub(crate) fn right_code(region: Region) {
    with_notes(|notes| notes.right_code = Some(region));
}

/// Adds a measurement.
pub(super) fn measure(measurement: Measurement) {
    with_notes(|notes| notes.measurements.push(measurement));
}
