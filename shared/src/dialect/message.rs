//! Dialect A, "message": HTTP status = body status; `{"status","result","code","success"}` and
//! `{"success","message","code","status"}`.

use std::collections::BTreeMap;

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;

use crate::{
    app::App,
    code::Guess,
    error::{Error, Field},
    phone::Phone,
    time::retry_after_secs,
    token::Token,
    user::User,
};

use super::{body::Fields, guard::guard};

/// A successful answer.
#[derive(Debug)]
pub struct Success {
    result: Outcome,
    token: Option<Token>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    PhoneInfo(String),
    User(UserObject),
}

impl Success {
    /// A ticket for the code that was sent.
    pub fn phone_info(ticket: Token) -> Self {
        Self {
            result: Outcome::PhoneInfo(ticket.0),
            token: None,
        }
    }

    /// An account, and the session that has been started for it.
    pub fn session(user: User, token: Token) -> Self {
        Self {
            result: Outcome::User(UserObject::from(user)),
            token: Some(token),
        }
    }
}

/// Runs an endpoint's work and answers, whatever comes of it.
pub async fn answer(
    endpoint: &'static str,
    work: impl Future<Output = Result<Success, Error>>,
) -> Response<Body> {
    match guard(work).await {
        Ok(success) => {
            tracing::info!(endpoint, outcome = "OK", "answered");
            render_success(success)
        }
        Err(error) => {
            let (status, code, message) = wire(&error);
            match &error {
                Error::Internal(cause) => {
                    tracing::error!(endpoint, outcome = code, cause, "failed")
                }
                Error::Sms(failure) => {
                    tracing::error!(endpoint, outcome = code, ?failure, "SMS failed")
                }
                _ => tracing::info!(endpoint, outcome = code, "refused"),
            }
            render_error(&error, status, code, message)
        }
    }
}

/// The phone of a send: `phone` in `countryCode`, default 86; seed 000's misspellings too.
///
/// # Errors
/// [`Error::Missing`], [`Error::PhoneInvalid`], [`Error::CountryNotServed`].
pub fn phone(fields: &Fields, app: &App) -> Result<Phone, Error> {
    let either = |right: &str, misspelt: &str| match fields.text(right, Error::PhoneInvalid) {
        Ok(None) => fields.text(misspelt, Error::PhoneInvalid),
        found => found,
    };
    let phone = either("phone", "phon")?.ok_or(Error::Missing(Field::Phone))?;
    let country = either("countryCode", "contryCode")?;
    let country = country.unwrap_or_else(|| "86".to_owned());
    Phone::parse(&digits(&country), &digits(&phone), &app.served)
}

/// The `code` of a redemption.
///
/// # Errors
/// [`Error::Missing`], [`Error::CodeWrong`].
pub fn code(fields: &Fields) -> Result<Guess, Error> {
    let code = fields.text("code", Error::CodeWrong)?;
    let code = code.ok_or(Error::Missing(Field::Code))?;
    Ok(Guess::parse(&code))
}

/// The `phoneInfo` of a redemption, unread.
///
/// # Errors
/// [`Error::Missing`], [`Error::PhoneInfoInvalid`].
pub fn phone_info(fields: &Fields) -> Result<String, Error> {
    let phone_info = fields.text("phoneInfo", Error::PhoneInfoInvalid)?;
    phone_info.ok_or(Error::Missing(Field::PhoneInfo))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Status, code and message of every error.
fn wire(error: &Error) -> (u16, &'static str, &'static str) {
    match error {
        Error::BodyInvalid(_) => (400, "{BODY}_NOT_VALID", "Body not valid"),
        Error::Missing(Field::Phone) => (400, "{PHONE}_REQUIRED", "Phone required"),
        Error::Missing(Field::Code) => (400, "{CODE}_REQUIRED", "Code required"),
        Error::Missing(Field::PhoneInfo) => (400, "{PHONE_INFO}_REQUIRED", "Phone info required"),
        Error::PhoneInvalid | Error::CountryNotServed => {
            (400, "PHONE_NOT_VALIDATE", "Phone not validate")
        }
        Error::PhoneUnknown => (400, "USER_PHONE_NOT_EXIST", "User phone not exists"),
        Error::UserNotFound => (400, "USER_NOT_FOUND", "User not found"),
        Error::UserDisabled => (400, "USER_LOGIN_FAILED", "User login failed"),
        Error::PhoneMismatch => (400, "USER_PHONE_NOT_MATCH", "User phone not match."),
        Error::TooFrequent { .. } => (
            400,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        ),
        Error::CodeWrong | Error::CodeExpired { .. } => (400, "{CODE}_NOT_VALID", "Code not valid"),
        Error::PhoneInfoInvalid => (400, "{PHONE_INFO}_NOT_VALID", "Phone info not valid"),
        Error::LoginOff | Error::Sms(_) => (
            500,
            "SEND_MESSAGE_ERROR",
            "Cannot send message, try again later.",
        ),
        Error::Internal(_) => (
            500,
            "INTERNAL_SERVER_ERROR",
            "Server can't handle your request now.",
        ),
    }
}

#[derive(Serialize)]
struct SuccessBody<'a> {
    status: u16,
    result: &'a Outcome,
    code: &'static str,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    success: bool,
    message: &'a str,
    code: &'a str,
    status: u16,
}

fn render_success(success: Success) -> Response<Body> {
    let token = success.token.as_ref().map(|token| token.0.as_str());
    let body = SuccessBody {
        status: 200,
        result: &success.result,
        code: "OK",
        success: true,
        token,
    };
    let mut response = respond(200, &body);
    if let Some(token) = token
        && let Ok(value) = HeaderValue::try_from(format!("Bearer {token}"))
    {
        response.headers_mut().insert(header::AUTHORIZATION, value);
    }
    response
}

fn render_error(error: &Error, status: u16, code: &str, message: &str) -> Response<Body> {
    let body = ErrorBody {
        success: false,
        message,
        code,
        status,
    };
    let mut response = respond(status, &body);
    if let Some(wait) = error.retry_after() {
        let value = HeaderValue::from(retry_after_secs(wait));
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// An account as clients see it, exactly these keys (seed 003's sample).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserObject {
    uuid: u64,
    name: String,
    email: String,
    country_code: String,
    phone: String,
    create_time: u64,
    create_ip: String,
    /// Linked accounts of other services; there are none.
    ssid: BTreeMap<String, String>,
    icon: String,
    space_used: u64,
    space_capacity: u64,
    #[serde(rename = "type")]
    kind: i64,
    status: i64,
}

impl From<User> for UserObject {
    fn from(user: User) -> Self {
        let phone = user.phone.as_ref();
        Self {
            uuid: user.uid.0,
            country_code: phone
                .map(|phone| phone.country().to_string())
                .unwrap_or_default(),
            phone: phone
                .map(|phone| phone.national().to_owned())
                .unwrap_or_default(),
            name: user.name,
            email: user.email,
            create_time: user.created_at.0,
            create_ip: user.created_ip,
            ssid: BTreeMap::new(),
            icon: user.icon,
            space_used: user.space_used,
            space_capacity: user.space_capacity,
            kind: user.kind,
            status: user.status,
        }
    }
}

fn respond(status: u16, body: &impl Serialize) -> Response<Body> {
    // These bodies are strings, numbers and maps with string keys: they always serialise.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
