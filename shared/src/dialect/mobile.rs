//! Dialect C, "mobile": HTTP status always 200; `{"code":200,"msg":"success"}`. An error of a
//! parameter has its code as a string, every other one as a number.

use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::{
    app::App,
    domain::{
        code::Guess,
        error::{BodyProblem, Error, Fault, Field, SmsFailure},
        phone::{CountryCode, Phone},
        time::UnixMs,
    },
    flow::session::{self, Presented},
    telemetry::{context, record},
};

use super::{
    body::{Fields, MAX_BYTES, malformed, missing},
    guard::guard,
    number,
};

/// The longest `verify_code` that is evaluated, in characters.
const MAX_CODE_CHARS: usize = 6;

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WireCode {
    /// Of a parameter.
    Text(&'static str),
    /// Of anything else.
    Number(u32),
}

#[derive(Serialize)]
struct Answer<'a> {
    code: &'a WireCode,
    msg: &'a str,
}

/// Runs an endpoint's work and renders its answer.
pub async fn answer(
    endpoint: &'static str,
    work: impl Future<Output = Result<(), Error>>,
) -> Response<Body> {
    match guard(work).await {
        Ok(()) => {
            record::answered(endpoint, 200, None);
            let code = &WireCode::Number(200);
            super::respond(
                200,
                &Answer {
                    code,
                    msg: "success",
                },
            )
        }
        Err(error) => {
            let (code, msg) = wire(&error);
            match code {
                WireCode::Text(code) => record::answered(endpoint, code, Some(&error)),
                WireCode::Number(code) => record::answered(endpoint, code, Some(&error)),
            }
            let mut response = super::respond(
                200,
                &Answer {
                    code: &code,
                    msg: &msg,
                },
            );
            super::set_retry_after(&mut response, &error);
            response
        }
    }
}

/// The session token of a request: `Authorization: Bearer x`, or a bare `x`.
pub fn session(app: &App, request: &Request, now: UnixMs) -> Presented {
    let header = request.headers().get("authorization");
    let header = header.and_then(|value| value.to_str().ok()).map(str::trim);
    let header =
        header.filter(|header| !header.is_empty() && !header.eq_ignore_ascii_case("bearer"));
    let token = header.map(|header| super::bearer(header).unwrap_or(header));
    Presented::read(app, token, now)
}

/// The parameters of a request, or their error. The token comes first: only a session that the account
/// still honours learns what is wrong with its parameters.
///
/// # Errors
/// Those of [`Presented::user`], [`Error::Internal`]; those of the parameters.
pub async fn in_session<T>(
    app: &App,
    session: &Presented,
    parameters: Result<T, Error>,
) -> Result<T, Error> {
    match parameters {
        Ok(parameters) => Ok(parameters),
        Err(error) => {
            session::account(app, session).await?;
            Err(error)
        }
    }
}

/// The new number: `mcode` (`+` and one to three digits) and `mobile`.
///
/// # Errors
/// [`Fault::Missing`], [`Fault::Malformed`], [`Error::CountryNotServed`], [`Error::PhoneInvalid`].
pub fn phone(fields: &Fields, app: &App) -> Result<Phone, Error> {
    let mcode = fields.text("mcode", malformed(Field::Country))?;
    let mcode = mcode.ok_or(missing(Field::Country))?;
    let digits = mcode.strip_prefix('+');
    let digits = digits.ok_or(malformed(Field::Country))?;
    let is_code = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_code {
        return Err(malformed(Field::Country));
    }
    let country = CountryCode::parse(digits).filter(|country| app.config.served.has_code(*country));
    country.ok_or(Error::CountryNotServed)?;
    let mobile = fields.text("mobile", Error::PhoneInvalid)?;
    let mobile = mobile.ok_or(missing(Field::Phone))?;
    let phone = number::phone(digits, &number::compact(&mobile), &app.config.served)?;
    context::about(&phone);
    Ok(phone)
}

/// The new number and the `verify_code` that was sent there.
///
/// # Errors
/// Those of [`phone`] and [`verify_code`], in this order.
pub fn phone_and_code(fields: &Fields, app: &App) -> Result<(Phone, Guess), Error> {
    Ok((phone(fields, app)?, verify_code(fields)?))
}

/// The `verify_code`: a string of at most six characters. Without any digit it counts as missing.
///
/// # Errors
/// [`Fault::Missing`], [`Fault::Malformed`], [`Fault::CodeTooLong`].
fn verify_code(fields: &Fields) -> Result<Guess, Error> {
    let not_a_string = malformed(Field::Code);
    let code = fields.text("verify_code", not_a_string.clone())?;
    let code = code.ok_or(missing(Field::Code))?;
    if !fields.is_string("verify_code") {
        return Err(not_a_string);
    }
    if code.chars().count() > MAX_CODE_CHARS {
        return Err(Error::BadRequest(Fault::CodeTooLong));
    }
    Guess::parse(&code).ok_or(missing(Field::Code))
}

/// `code` and `msg` of every error.
fn wire(error: &Error) -> (WireCode, String) {
    let (code, msg) = match error {
        Error::BadRequest(Fault::Body(problem)) => {
            let msg = format!("Invalid Request: {}", describe(*problem));
            return (WireCode::Number(400), msg);
        }
        Error::BadRequest(Fault::Missing(field)) => parameter(*field).missing,
        Error::BadRequest(Fault::Malformed(field)) => parameter(*field).not_valid,
        Error::BadRequest(Fault::CodeTooLong) => (
            WireCode::Text("400110"),
            "verify_code length must be less than 6",
        ),
        Error::CountryNotServed => parameter(Field::Country).not_valid,
        Error::PhoneInvalid => parameter(Field::Phone).not_valid,
        Error::CodeWrong => (WireCode::Number(400_190), "verify code error"),
        Error::CodeExpired { .. } => (WireCode::Number(400_191), "verify code expired"),
        Error::Sms(SmsFailure::Unavailable) => (WireCode::Number(400_192), "sms unavailable"),
        Error::Sms(SmsFailure::Rejected) => (WireCode::Number(400_193), "sms rejected"),
        Error::Sms(SmsFailure::NoCredentials) => {
            (WireCode::Number(400_194), "sms access key not found")
        }
        Error::Sms(SmsFailure::NoText) => (WireCode::Number(400_195), "sms template not found"),
        Error::Sms(SmsFailure::NoSenderId) => {
            (WireCode::Number(400_196), "sms sign name not found")
        }
        Error::Sms(SmsFailure::NotConfigured) => {
            (WireCode::Number(400_197), "sms config not found")
        }
        Error::LoginOff | Error::SendsStopped => (
            WireCode::Number(400_198),
            "login interface config not found",
        ),
        Error::PhoneTaken | Error::NameTaken => {
            (WireCode::Number(400_199), "mobile already in use")
        }
        Error::TooFrequent { .. } => (WireCode::Number(429), "Too Many Requests"),
        Error::TokenMissing => (WireCode::Number(400), "Token is required"),
        Error::TokenInvalid
        | Error::UserNotFound
        | Error::PhoneUnknown
        | Error::PhoneInfoInvalid
        | Error::ResetTokenInvalid
        | Error::LoginRefused { .. } => (WireCode::Number(401), "Unauthorized"),
        Error::TokenExpired | Error::ResetTokenExpired => (WireCode::Number(402), "Token expired"),
        Error::UserDisabled => (WireCode::Number(403), "Forbidden"),
        Error::NoPhone
        | Error::PhoneMismatch
        | Error::NameInvalid
        | Error::ReauthenticationNeeded
        | Error::MetadataTooLarge
        | Error::PasswordRefused(_)
        | Error::Internal(_) => (WireCode::Number(500), "Server Error"),
    };
    (code, msg.to_owned())
}

/// What is said of a parameter that is missing, and of one that is not in its form.
struct Parameter {
    missing: (WireCode, &'static str),
    not_valid: (WireCode, &'static str),
}

fn parameter(field: Field) -> Parameter {
    let (missing, not_valid) = match field {
        Field::Country => (
            ("400104", "mcode must be required"),
            ("400105", "mcode must be valid"),
        ),
        Field::Code => (
            ("400108", "verify_code must be required"),
            ("400109", "verify_code must be string"),
        ),
        // The dialect's endpoints read no other field than these three.
        Field::Phone
        | Field::PhoneInfo
        | Field::NewPassword
        | Field::Password
        | Field::OldPassword
        | Field::Name
        | Field::Value
        | Field::ResetToken => (
            ("400106", "mobile must be required"),
            ("400107", "mobile must be valid"),
        ),
    };
    let text = |(code, msg)| (WireCode::Text(code), msg);
    Parameter {
        missing: text(missing),
        not_valid: text(not_valid),
    }
}

fn describe(problem: BodyProblem) -> String {
    match problem {
        BodyProblem::TooLarge => format!("the body is larger than {MAX_BYTES} bytes"),
        BodyProblem::NotUtf8 => "the body is not UTF-8".to_owned(),
        BodyProblem::NotJson { line, column } => {
            format!("the body is not JSON at line {line} column {column}")
        }
        BodyProblem::NotObject => "the body is not a JSON object".to_owned(),
    }
}
