//! An SNS endpoint that delivers SMS into an inbox.
//!
//! It answers `Publish` in the protocol of the SDK, the AWS query protocol: a form in, XML out. It refuses
//! invalid SMS as SNS does, and every other action or target.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::domain::time::UnixMs;
use tokio::sync::watch;

use crate::{clock::Clock, error::StartError, server::Server};

/// SNS's limit for the text of one `Publish`, in characters.
const MAX_CHARACTERS: usize = 1600;

/// A delivered SMS. `Debug` hides its number and its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Sms {
    /// The receiver's number, in E.164 format.
    pub phone: String,
    /// The text.
    pub message: String,
    /// When it was delivered, by the system's clock.
    pub at: UnixMs,
    /// The message attributes: `AWS.SNS.SMS.SMSType` and its like.
    pub attributes: BTreeMap<String, String>,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Every SMS delivered so far, newest last, and who wants none. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    messages: watch::Sender<Vec<Sms>>,
    opted_out: Arc<Mutex<BTreeSet<String>>>,
}

impl Inbox {
    /// All messages.
    pub fn messages(&self) -> Vec<Sms> {
        self.messages.borrow().clone()
    }

    /// The messages after the first `seen`.
    pub fn messages_after(&self, seen: usize) -> Vec<Sms> {
        self.messages.borrow().iter().skip(seen).cloned().collect()
    }

    /// The messages to one E.164 number.
    pub fn to(&self, phone: &str) -> Vec<Sms> {
        let messages = self.messages.borrow();
        let sent_there = messages.iter().filter(|sms| sms.phone == phone);
        sent_there.cloned().collect()
    }

    /// A receiver that always holds all messages and is notified of new ones.
    pub fn subscribe(&self) -> watch::Receiver<Vec<Sms>> {
        self.messages.subscribe()
    }

    /// From now on SNS refuses messages to this E.164 number, as if its owner had answered STOP.
    pub fn opt_out(&self, phone: &str) {
        self.opted_out().insert(phone.to_owned());
    }

    fn opted_out(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A set is whole, whoever panicked with it.
        self.opted_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, sms: Sms) -> Result<(), Refusal> {
        if self.opted_out().contains(&sms.phone) {
            return Err(Refusal {
                code: "OptedOut",
                message: "The phone number has opted out".to_owned(),
            });
        }
        self.messages.send_modify(|messages| messages.push(sms));
        Ok(())
    }
}

#[derive(Clone)]
struct Sns {
    inbox: Inbox,
    clock: Clock,
    requests: Arc<AtomicU64>,
}

/// Starts an SNS endpoint on `address` that delivers into `inbox`.
///
/// # Errors
/// [`StartError::Listen`].
pub async fn start(address: SocketAddr, inbox: Inbox, clock: Clock) -> Result<Server, StartError> {
    let router = Router::new().fallback(answer).with_state(Sns {
        inbox,
        clock,
        requests: Arc::default(),
    });
    Server::start("SNS", address, |listener, stopped| async move {
        let serve = axum::serve(listener, router);
        let stopped = async { drop(stopped.await) };
        // An error here means that it can't accept connections: its clients will report that.
        let _ = serve.with_graceful_shutdown(stopped).await;
    })
    .await
}

async fn answer(State(sns): State<Sns>, body: Bytes) -> Response {
    let number = sns.requests.fetch_add(1, Ordering::Relaxed);
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    let sms = publish(&body, sns.clock.now());
    match sms.and_then(|sms| sns.inbox.deliver(sms)) {
        Ok(()) => xml(StatusCode::OK, published(&id)),
        Err(refusal) => xml(StatusCode::BAD_REQUEST, refusal.document(&id)),
    }
}

fn xml(status: StatusCode, document: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml")], document).into_response()
}

fn published(id: &str) -> String {
    format!(
        r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>{id}</MessageId></PublishResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></PublishResponse>"#
    )
}

/// The code and message of an error answer.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Self {
            code: "InvalidParameter",
            message: format!("Invalid parameter: {}", message.into()),
        }
    }

    fn document(&self, id: &str) -> String {
        let Self { code, message } = self;
        let message = message
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        format!(
            r#"<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"#
        )
    }
}

fn publish(form: &[u8], at: UnixMs) -> Result<Sms, Refusal> {
    let fields: BTreeMap<_, _> = form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| fields.get(name).map(String::as_str);
    if field("Action") != Some("Publish") {
        return Err(Refusal {
            code: "InvalidAction",
            message: "This endpoint does nothing but Publish".to_owned(),
        });
    }
    if field("TopicArn").is_some() || field("TargetArn").is_some() {
        return Err(Refusal::invalid(
            "this endpoint has no topics or targets, only phone numbers",
        ));
    }
    let phone = field("PhoneNumber").unwrap_or_default();
    if !is_e164(phone) {
        let reason = format!("PhoneNumber Reason: {phone} is not valid to publish to");
        return Err(Refusal::invalid(reason));
    }
    let message = field("Message").unwrap_or_default();
    if message.is_empty() {
        return Err(Refusal::invalid("Empty message"));
    }
    if message.chars().count() > MAX_CHARACTERS {
        return Err(Refusal::invalid("Message too long"));
    }
    let attributes = attributes(&fields);
    for (name, value) in &attributes {
        check_attribute(name, value)?;
    }
    Ok(Sms {
        phone: phone.to_owned(),
        message: message.to_owned(),
        at,
        attributes,
    })
}

fn is_e164(phone: &str) -> bool {
    let Some(digits) = phone.strip_prefix('+') else {
        return false;
    };
    (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// The message attributes: each `MessageAttributes.entry.N.Name` with its `….Value.StringValue`.
fn attributes(fields: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    fields
        .iter()
        .filter_map(|(key, name)| {
            let entry = key
                .strip_prefix("MessageAttributes.")?
                .strip_suffix(".Name")?;
            let value = fields.get(&format!("MessageAttributes.{entry}.Value.StringValue"));
            Some((name.clone(), value.cloned().unwrap_or_default()))
        })
        .collect()
}

/// <https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html>
fn check_attribute(name: &str, value: &str) -> Result<(), Refusal> {
    let valid = match name {
        "AWS.SNS.SMS.SMSType" => ["Promotional", "Transactional"].contains(&value),
        "AWS.SNS.SMS.SenderID" => {
            (1..=11).contains(&value.len())
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        }
        "AWS.SNS.SMS.MaxPrice" => value.parse::<f64>().is_ok_and(|price| price > 0.0),
        "AWS.MM.SMS.EntityId" | "AWS.MM.SMS.TemplateId" => (1..=50).contains(&value.len()),
        _ => !value.is_empty(),
    };
    if valid {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "message attribute {name} has an invalid value"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: (&str, &str) = ("PhoneNumber", "+8613800138001");

    fn publish(fields: &[(&str, &str)]) -> Result<Sms, Refusal> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "Publish").extend_pairs(fields);
        super::publish(form.finish().as_bytes(), UnixMs(7))
    }

    #[test]
    fn an_sms_keeps_its_text_and_attributes() {
        let sms = publish(&[
            PHONE,
            ("Message", "验证码 + 123456 & <more>"),
            ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SMSType"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            (
                "MessageAttributes.entry.1.Value.StringValue",
                "Transactional",
            ),
        ]);
        let attribute = ("AWS.SNS.SMS.SMSType".to_owned(), "Transactional".to_owned());
        let expected = Sms {
            phone: "+8613800138001".to_owned(),
            message: "验证码 + 123456 & <more>".to_owned(),
            at: UnixMs(7),
            attributes: [attribute].into(),
        };
        assert_eq!(sms, Ok(expected));
    }

    fn code(fields: &[(&str, &str)]) -> Result<(), &'static str> {
        publish(fields).map(drop).map_err(|refusal| refusal.code)
    }

    #[test]
    fn messages_that_sns_refuses_are_refused_here_too() {
        let invalid = Err("InvalidParameter");
        let text = ("Message", "hello");
        for phone in [
            "13800138001",
            "+",
            "+0123",
            "+1",
            "+1234567890123456",
            "+86 138",
            "+86138x",
        ] {
            assert_eq!(code(&[("PhoneNumber", phone), text]), invalid, "{phone}");
        }
        assert_eq!(code(&[text]), invalid);
        assert_eq!(code(&[PHONE]), invalid);
        assert_eq!(code(&[PHONE, ("Message", "")]), invalid);
        assert_eq!(code(&[PHONE, ("Message", &"字".repeat(1600))]), Ok(()));
        assert_eq!(code(&[PHONE, ("Message", &"字".repeat(1601))]), invalid);
        assert_eq!(
            code(&[("TopicArn", "arn:aws:sns:us-east-1:1:t"), text]),
            invalid
        );
        let sender = [
            PHONE,
            text,
            ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SenderID"),
            (
                "MessageAttributes.entry.1.Value.StringValue",
                "TwelveLetter",
            ),
        ];
        assert_eq!(code(&sender), invalid);
    }

    #[test]
    fn every_other_action_is_refused() {
        let refused = super::publish(b"Action=Subscribe", UnixMs(0));
        assert_eq!(
            refused.map_err(|refusal| refusal.code),
            Err("InvalidAction")
        );
    }
}
