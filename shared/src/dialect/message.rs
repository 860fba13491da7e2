//! Dialect A, "message": HTTP status = body status; `{"status","result","code","success"}` and
//! `{"success","message","code","status"}`.

use std::collections::BTreeMap;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, header},
};
use serde::Serialize;

use crate::{
    app::App,
    domain::{
        client_address::Source,
        code::Guess,
        error::{Error, Fault, Field},
        password::Password,
        phone::Phone,
        time::UnixMs,
        token::Token,
        user::{Name, User},
    },
    flow::session::Presented,
    telemetry::context,
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
    Done(bool),
}

impl Success {
    /// A ticket for the code that was sent.
    pub fn phone_info(ticket: Token) -> Self {
        Self::of(Outcome::PhoneInfo(ticket.into_string()))
    }

    /// An account.
    pub fn user(user: User) -> Self {
        Self::of(Outcome::User(UserObject::from(user)))
    }

    /// An account, and the session that has been started for it.
    pub fn session((user, token): (User, Token)) -> Self {
        Self {
            token: Some(token),
            ..Self::user(user)
        }
    }

    /// What was asked for has been done.
    pub fn done() -> Self {
        Self::of(Outcome::Done(true))
    }

    fn of(result: Outcome) -> Self {
        Self {
            result,
            token: None,
        }
    }
}

/// Runs an endpoint's work and answers, whatever comes of it.
pub async fn answer(
    endpoint: &'static str,
    work: impl Future<Output = Result<Success, Error>>,
) -> Response<Body> {
    let result = guard(work).await;
    log(endpoint, result.as_ref().err());
    render(result, None)
}

/// A request that a session is required for.
#[derive(Debug)]
pub struct InSession {
    /// The session, as far as it has been looked at.
    pub session: Presented,
    /// Where the request comes from.
    pub source: Source,
    fields: Result<Fields, Error>,
}

impl InSession {
    /// Reads body and token: `Authorization: Bearer x`, else the header `Token`, else the body's
    /// `token`; never the query string, which ends up in logs.
    pub fn read(app: &App, request: &Request, now: UnixMs) -> Self {
        Self::with(Fields::of(request), app, request, now)
    }

    /// The same for an endpoint that needs no field: it may be called without a body.
    pub fn read_any(app: &App, request: &Request, now: UnixMs) -> Self {
        Self::with(Fields::of_any(request), app, request, now)
    }

    fn with(fields: Result<Fields, Error>, app: &App, request: &Request, now: UnixMs) -> Self {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let token = header("authorization").and_then(bearer);
        let token = token
            .or(header("token").map(str::trim))
            .filter(|token| !token.is_empty());
        let in_body = match (token, &fields) {
            (None, Ok(fields)) => fields.text("token", Error::TokenInvalid).ok().flatten(),
            _ => None,
        };
        Self {
            session: Presented::read(app, token.or(in_body.as_deref()), now),
            source: super::source(request, app),
            fields,
        }
    }

    /// The fields of the body.
    ///
    /// # Errors
    /// [`Fault::Body`].
    pub fn fields(&self) -> Result<&Fields, Error> {
        self.fields.as_ref().map_err(Clone::clone)
    }
}

/// The same within a session: every answer that saw a valid one carries a fresh token, refusals too.
pub async fn answer_in_session(
    endpoint: &'static str,
    app: &App,
    request: &InSession,
    work: impl Future<Output = Result<Success, Error>>,
    now: UnixMs,
) -> Response<Body> {
    let answered = guard(async {
        let result = match (request.fields(), request.session.uid()) {
            (Err(body_invalid), _) => Err(body_invalid),
            (_, Err(token_invalid)) => return Err(token_invalid),
            (Ok(_), Ok(_)) => work.await,
        };
        match (request.session.refresh(app, now).await, result) {
            (Ok(token), result) => Ok((result, Some(token))),
            (Err(_), Err(error @ (Error::BadRequest(Fault::Body(_)) | Error::Internal(_)))) => {
                Err(error)
            }
            // Whatever else was wrong, without a session nothing more is said.
            (Err(error), _) => Err(error),
        }
    });
    let (result, token) = answered.await.unwrap_or_else(|error| (Err(error), None));
    log(endpoint, result.as_ref().err());
    render(result, token)
}

fn log(endpoint: &'static str, error: Option<&Error>) {
    let outcome = error.map_or("OK", |error| wire(error).1);
    context::answered(endpoint, outcome, error);
}

/// The token of `Bearer x`, the scheme in any case (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
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
    let phone = either("phone", "phon")?.ok_or(Error::BadRequest(Fault::Missing(Field::Phone)))?;
    let country = either("countryCode", "contryCode")?;
    let country = country.unwrap_or_else(|| "86".to_owned());
    let phone = Phone::parse(&digits(&country), &digits(&phone), &app.served)?;
    context::about(app, &phone);
    Ok(phone)
}

/// The `code` of a redemption.
///
/// # Errors
/// [`Error::Missing`], [`Error::CodeWrong`].
pub fn code(fields: &Fields) -> Result<Guess, Error> {
    let code = fields.text("code", Error::CodeWrong)?;
    let code = code.ok_or(Error::BadRequest(Fault::Missing(Field::Code)))?;
    Ok(Guess::parse(&code))
}

/// The `phoneInfo` of a redemption, unread.
///
/// # Errors
/// [`Error::Missing`], [`Error::PhoneInfoInvalid`].
pub fn phone_info(fields: &Fields) -> Result<String, Error> {
    let phone_info = fields.text("phoneInfo", Error::PhoneInfoInvalid)?;
    phone_info.ok_or(Error::BadRequest(Fault::Missing(Field::PhoneInfo)))
}

/// A password that must be there.
///
/// # Errors
/// [`Error::Missing`], [`Error::PasswordRefused`].
pub fn password(fields: &Fields, name: &str, field: Field) -> Result<Password, Error> {
    optional_password(fields, name, field)?.ok_or(Error::BadRequest(Fault::Missing(field)))
}

/// A password that may be there.
///
/// # Errors
/// [`Error::PasswordRefused`].
pub fn optional_password(
    fields: &Fields,
    name: &str,
    field: Field,
) -> Result<Option<Password>, Error> {
    let text = fields.exact_text(name, Error::PasswordRefused(field))?;
    text.map(|text| Password::parse(&text).ok_or(Error::PasswordRefused(field)))
        .transpose()
}

/// The `name` of a registration. What can be no name is as good as none.
///
/// # Errors
/// [`Error::Missing`].
pub fn name(fields: &Fields) -> Result<Name, Error> {
    let missing = Error::BadRequest(Fault::Missing(Field::Name));
    let name = fields.text("name", missing.clone())?;
    name.and_then(|name| Name::parse(&name)).ok_or(missing)
}

/// The `value` of a login: a phone of `countryCode`, or a name, or what could be either.
///
/// # Errors
/// [`Error::Missing`].
pub fn phone_or_name(fields: &Fields, app: &App) -> Result<(Option<Phone>, Option<Name>), Error> {
    let missing = Error::BadRequest(Fault::Missing(Field::Value));
    let value = fields.text("value", missing.clone())?.ok_or(missing)?;
    let country = fields
        .text("countryCode", Error::PhoneInvalid)
        .ok()
        .flatten();
    let country = country.unwrap_or_else(|| "86".to_owned());
    // A name that merely contains digits is no phone.
    let is_phone_like = value
        .chars()
        .all(|c| c.is_ascii_digit() || " +-()".contains(c));
    let phone = is_phone_like
        .then(|| Phone::parse(&digits(&country), &digits(&value), &app.served).ok())
        .flatten();
    if let Some(phone) = &phone {
        context::about(app, phone);
    }
    Ok((phone, Name::parse(&value)))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Status, code and message of every error.
fn wire(error: &Error) -> (u16, &'static str, &'static str) {
    match error {
        Error::BadRequest(Fault::Body(_)) => (400, "{BODY}_NOT_VALID", "Body not valid"),
        Error::BadRequest(Fault::Missing(field)) => missing(*field),
        Error::BadRequest(Fault::Malformed(field)) => refused(*field),
        Error::PasswordRefused(field) => refused(*field),
        Error::PhoneInvalid | Error::CountryNotServed => {
            (400, "PHONE_NOT_VALIDATE", "Phone not validate")
        }
        Error::PhoneUnknown => (400, "USER_PHONE_NOT_EXIST", "User phone not exists"),
        Error::UserNotFound => (400, "USER_NOT_FOUND", "User not found"),
        Error::UserDisabled | Error::LoginRefused { .. } => {
            (400, "USER_LOGIN_FAILED", "User login failed")
        }
        Error::NoPhone => missing(Field::Phone),
        Error::PhoneMismatch => (400, "USER_PHONE_NOT_MATCH", "User phone not match."),
        Error::PhoneTaken => (400, "USER_PHONE_EXIST", "User phone exists"),
        Error::NameTaken => (400, "{NAME}_EXISTS", "User name exists"),
        Error::TooFrequent { .. } => (
            400,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        ),
        Error::CodeWrong | Error::BadRequest(Fault::CodeTooLong) | Error::CodeExpired { .. } => {
            refused(Field::Code)
        }
        Error::PhoneInfoInvalid => refused(Field::PhoneInfo),
        Error::TokenMissing
        | Error::TokenInvalid
        | Error::TokenExpired
        | Error::ResetTokenInvalid
        | Error::ResetTokenExpired => (401, "INVALID_TOKEN", "Invalid token"),
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

fn missing(field: Field) -> (u16, &'static str, &'static str) {
    let (code, message) = match field {
        Field::Phone | Field::Country => ("{PHONE}_REQUIRED", "Phone required"),
        Field::Code => ("{CODE}_REQUIRED", "Code required"),
        Field::PhoneInfo => ("{PHONE_INFO}_REQUIRED", "Phone info required"),
        Field::NewPassword => ("{NEW_PASSWORD}_REQUIRED", "New password required"),
        Field::Password | Field::OldPassword => ("{PASSWORD}_REQUIRED", "Password required"),
        Field::Name => ("{NAME}_REQUIRED", "Name required"),
        Field::Value => ("{VALUE}_REQUIRED", "Value required"),
        Field::ResetToken => ("INVALID_TOKEN", "Invalid token"),
    };
    (400, code, message)
}

fn refused(field: Field) -> (u16, &'static str, &'static str) {
    let (code, message) = match field {
        Field::Phone | Field::Country => ("PHONE_NOT_VALIDATE", "Phone not validate"),
        Field::Code => ("{CODE}_NOT_VALID", "Code not valid"),
        Field::PhoneInfo => ("{PHONE_INFO}_NOT_VALID", "Phone info not valid"),
        Field::NewPassword => ("{NEW_PASSWORD}_NOT_VALID", "New password not valid"),
        Field::Password => ("{PASSWORD}_NOT_VALID", "Password not valid"),
        Field::OldPassword => ("{OLD_PASSWORD}_NOT_VALID", "Old password not valid"),
        Field::Name | Field::Value => ("USER_LOGIN_FAILED", "User login failed"),
        Field::ResetToken => ("INVALID_TOKEN", "Invalid token"),
    };
    (400, code, message)
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
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// `token` is the fresh one of the session the request came in.
fn render(result: Result<Success, Error>, token: Option<Token>) -> Response<Body> {
    let (mut response, token) = match result {
        Ok(Success {
            result,
            token: started,
        }) => {
            let token = started.or(token).map(Token::into_string);
            let body = SuccessBody {
                status: 200,
                result: &result,
                code: "OK",
                success: true,
                token: token.as_deref(),
            };
            (super::respond(200, &body), token)
        }
        Err(error) => {
            let (status, code, message) = wire(&error);
            let token = token.map(Token::into_string);
            let body = ErrorBody {
                success: false,
                message,
                code,
                status,
                token: token.as_deref(),
            };
            let mut response = super::respond(status, &body);
            super::set_retry_after(&mut response, &error);
            (response, token)
        }
    };
    if let Some(token) = token
        && let Ok(value) = HeaderValue::try_from(format!("Bearer {token}"))
    {
        response.headers_mut().insert(header::AUTHORIZATION, value);
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
            name: user.name.as_str().to_owned(),
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
