//! Dialect C, "mobile": HTTP status always 200; `{"code":200,"msg":"success"}`. What is wrong with a
//! parameter carries its code as a string, everything else as a number.

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
    telemetry::context,
};

use super::{
    body::{Fields, MAX_BYTES},
    guard::guard,
};

/// The longest `verify_code` that is looked at, in characters.
const MAX_CODE_CHARS: usize = 6;

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Code {
    /// Of a parameter.
    Text(&'static str),
    /// Of anything else.
    Number(u32),
}

#[derive(Serialize)]
struct Answer<'a> {
    code: &'a Code,
    msg: &'a str,
}

/// Runs an endpoint's work and answers, whatever comes of it.
pub async fn answer(
    endpoint: &'static str,
    work: impl Future<Output = Result<(), Error>>,
) -> Response<Body> {
    match guard(work).await {
        Ok(()) => {
            context::answered(endpoint, 200, None);
            let code = &Code::Number(200);
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
                Code::Text(code) => context::answered(endpoint, code, Some(&error)),
                Code::Number(code) => context::answered(endpoint, code, Some(&error)),
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
    let token = header.map(|header| match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        None if header.eq_ignore_ascii_case("bearer") => "",
        _ => header,
    });
    Presented::read(app, token.filter(|token| !token.is_empty()), now)
}

/// The parameters of a request, or what is wrong with them: the token is looked at before they are, so
/// only a session that the account still honours is told.
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
            session::read(app, session).await?;
            Err(error)
        }
    }
}

/// The new number: `mcode` (`+` and one to three digits) and `mobile`.
///
/// # Errors
/// [`Error::Missing`], [`Error::Malformed`], [`Error::CountryNotServed`], [`Error::PhoneInvalid`].
pub fn phone(fields: &Fields, app: &App) -> Result<Phone, Error> {
    let malformed = Error::BadRequest(Fault::Malformed(Field::Country));
    let mcode = fields.text("mcode", malformed.clone())?;
    let mcode = mcode.ok_or(Error::BadRequest(Fault::Missing(Field::Country)))?;
    let digits = mcode.strip_prefix('+').ok_or(malformed.clone())?;
    let is_code = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_code {
        return Err(malformed);
    }
    let country = CountryCode::parse(digits).filter(|country| app.served.contains(*country));
    country.ok_or(Error::CountryNotServed)?;
    let mobile = fields.text("mobile", Error::PhoneInvalid)?;
    let mobile = mobile.ok_or(Error::BadRequest(Fault::Missing(Field::Phone)))?;
    let phone = Phone::parse(digits, &mobile, &app.served)?;
    context::about(app, &phone);
    Ok(phone)
}

/// The new number and the `verify_code` that was sent there.
///
/// # Errors
/// Those of [`phone`] and [`verify_code`], in this order.
pub fn phone_and_code(fields: &Fields, app: &App) -> Result<(Phone, Guess), Error> {
    Ok((phone(fields, app)?, verify_code(fields)?))
}

/// The `verify_code`: a string of at most six characters.
///
/// # Errors
/// [`Fault::Missing`], [`Fault::Malformed`], [`Fault::CodeTooLong`].
fn verify_code(fields: &Fields) -> Result<Guess, Error> {
    let not_a_string = Error::BadRequest(Fault::Malformed(Field::Code));
    let code = fields.text("verify_code", not_a_string.clone())?;
    let code = code.ok_or(Error::BadRequest(Fault::Missing(Field::Code)))?;
    if !fields.is_string("verify_code") {
        return Err(not_a_string);
    }
    match code.chars().count() <= MAX_CODE_CHARS {
        true => Ok(Guess::parse(&code)),
        false => Err(Error::BadRequest(Fault::CodeTooLong)),
    }
}

/// `code` and `msg` of every error.
fn wire(error: &Error) -> (Code, String) {
    let (code, msg) = match error {
        Error::BadRequest(Fault::Body(problem)) => {
            let msg = format!("Invalid Request: {}", describe(*problem));
            return (Code::Number(400), msg);
        }
        Error::BadRequest(Fault::Missing(Field::Country)) => {
            (Code::Text("400104"), "mcode must be required")
        }
        Error::BadRequest(Fault::Malformed(Field::Country)) | Error::CountryNotServed => {
            (Code::Text("400105"), "mcode must be valid")
        }
        Error::BadRequest(Fault::Missing(Field::Code)) => {
            (Code::Text("400108"), "verify_code must be required")
        }
        Error::BadRequest(Fault::Malformed(Field::Code)) => {
            (Code::Text("400109"), "verify_code must be a string")
        }
        Error::BadRequest(Fault::CodeTooLong) => (
            Code::Text("400110"),
            "verify_code must be at most 6 characters",
        ),
        // This dialect's only other parameter is the number.
        Error::BadRequest(Fault::Missing(_)) => (Code::Text("400106"), "mobile must be required"),
        Error::BadRequest(Fault::Malformed(_)) | Error::PhoneInvalid => {
            (Code::Text("400107"), "mobile must be valid")
        }
        Error::CodeWrong => (Code::Number(400_190), "verify code error"),
        Error::CodeExpired { .. } => (Code::Number(400_191), "verify code expired"),
        Error::Sms(SmsFailure::Unavailable) => (Code::Number(400_192), "sms unavailable"),
        Error::Sms(SmsFailure::Rejected) => (Code::Number(400_193), "sms rejected"),
        Error::Sms(SmsFailure::NoCredentials) => {
            (Code::Number(400_194), "sms access key not found")
        }
        Error::Sms(SmsFailure::NoText) => (Code::Number(400_195), "sms template not found"),
        Error::Sms(SmsFailure::NoSenderId) => (Code::Number(400_196), "sms sign name not found"),
        Error::Sms(SmsFailure::NotConfigured) => (Code::Number(400_197), "sms config not found"),
        Error::LoginOff => (Code::Number(400_198), "login interface config not found"),
        Error::PhoneTaken | Error::NameTaken => (Code::Number(400_199), "mobile already in use"),
        Error::TooFrequent { .. } => (Code::Number(429), "Too Many Requests"),
        Error::TokenMissing => (Code::Number(400), "Token is required"),
        Error::TokenInvalid
        | Error::UserNotFound
        | Error::PhoneUnknown
        | Error::PhoneInfoInvalid
        | Error::ResetTokenInvalid
        | Error::LoginRefused { .. } => (Code::Number(401), "Unauthorized"),
        Error::TokenExpired | Error::ResetTokenExpired => (Code::Number(402), "Token expired"),
        Error::UserDisabled => (Code::Number(403), "Forbidden"),
        Error::NoPhone | Error::PhoneMismatch | Error::PasswordRefused(_) | Error::Internal(_) => {
            (Code::Number(500), "Server Error")
        }
    };
    (code, msg.to_owned())
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
