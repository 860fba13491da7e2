//! Dialect A's answers: one envelope for success, one for errors, and the table of errors.

use std::collections::BTreeMap;

use lambda_http::{
    Body, Response,
    http::{HeaderValue, header},
};
use serde::Serialize;

use crate::{
    dialect::{respond, set_retry_after},
    domain::{
        error::{Error, Fault, Field},
        token::Token,
        user::User,
    },
};

/// A successful answer. It has no `Debug`: it can hold a whole account.
pub struct Success {
    result: Payload,
    token: Option<Token>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload {
    PhoneInfo(String),
    User(UserObject),
    Done(bool),
}

impl Success {
    /// The ticket of the code that was sent.
    pub fn phone_info(ticket: Token) -> Self {
        Self::of(Payload::PhoneInfo(ticket.into_string()))
    }

    /// An account.
    pub fn user(user: User) -> Self {
        Self::of(Payload::User(UserObject::from(user)))
    }

    /// An account, and the token of the session that was started.
    pub fn session((user, token): (User, Token)) -> Self {
        Self {
            token: Some(token),
            ..Self::user(user)
        }
    }

    /// `true`: the request has done what it asks for.
    pub fn done() -> Self {
        Self::of(Payload::Done(true))
    }

    fn of(result: Payload) -> Self {
        Self {
            result,
            token: None,
        }
    }
}

/// Status, code and message of every error.
pub(super) fn wire(error: &Error) -> (u16, &'static str, &'static str) {
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
        Error::NameInvalid => (400, "{NAME}_NOT_VALID", "Name not valid"),
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
        Error::LoginOff | Error::SendsStopped | Error::Sms(_) => (
            500,
            "SEND_MESSAGE_ERROR",
            "Cannot send message, try again later.",
        ),
        // No endpoint of this dialect has the first two.
        Error::ReauthenticationNeeded | Error::MetadataTooLarge | Error::Internal(_) => (
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
        Field::Password => ("{PASSWORD}_REQUIRED", "Password required"),
        Field::OldPassword => ("{OLD_PASSWORD}_REQUIRED", "Old password required"),
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
    result: &'a Payload,
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

/// Renders an answer. `token` is the fresh token of the session that the request came in.
pub(super) fn render(result: Result<Success, Error>, token: Option<Token>) -> Response<Body> {
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
            (respond(200, &body), token)
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
            let mut response = respond(status, &body);
            set_retry_after(&mut response, &error);
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

/// An account as clients get it, with exactly these keys (seed 003's sample).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserObject {
    uuid: u64,
    name: String,
    email: String,
    country_code: String,
    phone: String,
    create_time: u64,
    create_ip: String,
    /// Linked accounts of other services. Always empty.
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
