//! Refusals, in the two forms that GoTrue's clients read.

use std::borrow::Cow;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderName, HeaderValue},
};
use serde::Serialize;

use crate::{
    dialect::{guard::guard, respond, set_retry_after},
    domain::{
        error::{BodyProblem, Error, Fault, Field, SmsFailure},
        time::retry_after_secs,
    },
    telemetry::record,
};

/// The first version of the API in which an error has its code in `code`.
const API_VERSION: &str = "2024-01-01";
const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-supabase-api-version");

/// A refusal in GoTrue's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// What is wrong with a password, if it is too weak.
    pub weak_password: Option<WeakPassword>,
}

/// What is wrong with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WeakPassword {
    reasons: [&'static str; 1],
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Problem {
    /// By this dialect.
    Here(Refusal),
    /// By the core.
    Core(Error),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Here(refusal)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            weak_password: None,
        }
    }

    /// A password that is too short.
    pub(super) fn weak_password() -> Self {
        let message = "Password should be at least 6 characters.";
        Self {
            weak_password: Some(WeakPassword {
                reasons: ["length"],
            }),
            ..Self::new(422, "weak_password", message)
        }
    }

    /// A field that is missing or not in its form.
    pub(super) const fn invalid(message: &'static str) -> Self {
        Self::new(400, "validation_failed", message)
    }

    /// What failed on our side.
    pub(super) const fn internal() -> Self {
        Self::new(
            500,
            "unexpected_failure",
            "Unexpected failure, please check server logs for more information",
        )
    }

    /// The refusal with an error of the core.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::BadRequest(Fault::Body(BodyProblem::TooLarge)) => Self::new(
                413,
                "request_entity_too_large",
                "Request body too large (max 16384 bytes)",
            ),
            Error::BadRequest(Fault::Body(_)) => {
                Self::new(400, "bad_json", "Could not parse request body as JSON")
            }
            Error::BadRequest(Fault::Missing(Field::Phone) | Fault::Malformed(Field::Phone))
            | Error::PhoneInvalid
            | Error::CountryNotServed => {
                Self::invalid("Invalid phone number format (E.164 required)")
            }
            Error::BadRequest(_) => Self::invalid("A field is missing or not in its form"),
            Error::PhoneUnknown => Self::new(422, "otp_disabled", "Signups not allowed for otp"),
            Error::UserDisabled => Self::new(403, "user_banned", "User is banned"),
            Error::UserNotFound => Self::new(
                403,
                "session_not_found",
                "Session from session_id claim in JWT does not exist",
            ),
            Error::PhoneTaken => Self::new(
                422,
                "phone_exists",
                "A user with this phone number has already been registered",
            ),
            Error::TooFrequent { retry_after, .. } => Self {
                status: 429,
                code: "over_sms_send_rate_limit",
                message: Cow::Owned(format!(
                    "For security purposes, you can only request this after {} seconds.",
                    retry_after_secs(*retry_after)
                )),
                weak_password: None,
            },
            Error::CodeWrong | Error::CodeExpired { .. } => {
                Self::new(403, "otp_expired", "Token has expired or is invalid")
            }
            Error::LoginRefused { .. } => {
                Self::new(400, "invalid_credentials", "Invalid login credentials")
            }
            Error::TokenMissing => Self::new(
                401,
                "no_authorization",
                "This endpoint requires a valid Bearer token",
            ),
            Error::TokenInvalid | Error::TokenExpired => Self::new(
                403,
                "bad_jwt",
                "invalid JWT: unable to parse or verify signature",
            ),
            Error::LoginOff
            | Error::SendsStopped
            | Error::Sms(
                SmsFailure::NotConfigured
                | SmsFailure::NoSenderId
                | SmsFailure::NoText
                | SmsFailure::NoCredentials,
            ) => Self::new(400, "phone_provider_disabled", "Unsupported phone provider"),
            Error::Sms(SmsFailure::Rejected | SmsFailure::Unavailable) => Self::new(
                422,
                "sms_send_failed",
                "Error sending confirmation OTP to provider",
            ),
            Error::ReauthenticationNeeded => Self::new(
                400,
                "reauthentication_needed",
                "Password update requires reauthentication",
            ),
            Error::PasswordRefused(_) => Self::new(
                422,
                "same_password",
                "New password should be different from the old password.",
            ),
            Error::MetadataTooLarge => Self::invalid("data is too large (max 2048 bytes)"),
            Error::NoPhone => Self::invalid(
                "Reauthentication requires the user to have an email or a phone number",
            ),
            // No endpoint of this dialect has these.
            Error::PhoneMismatch
            | Error::NameTaken
            | Error::NameInvalid
            | Error::PhoneInfoInvalid
            | Error::ResetTokenInvalid
            | Error::ResetTokenExpired => Self::internal(),
            Error::Internal(cause) if cause.passes => Self::new(
                504,
                "request_timeout",
                "Processing this request timed out, please retry after a moment.",
            ),
            Error::Internal(_) => Self::internal(),
        }
    }
}

/// Runs an endpoint's work and renders its answer.
pub(super) async fn answer<T: Serialize>(
    endpoint: &'static str,
    request: &Request,
    work: impl Future<Output = Result<T, Problem>>,
) -> Response<Body> {
    // Boxed: as one type with the layers around it, it is deeper than the compiler looks.
    match guard(Box::pin(work)).await {
        Ok(done) => {
            record::answered(endpoint, "OK", None);
            respond(200, &done)
        }
        Err(problem) => refuse_for(endpoint, request, problem),
    }
}

/// Refuses a request, and notes why.
pub(super) fn refuse_for(
    endpoint: &'static str,
    request: &Request,
    problem: Problem,
) -> Response<Body> {
    match problem {
        Problem::Here(refusal) => {
            record::answered(endpoint, refusal.code, None);
            refuse(request, &refusal)
        }
        Problem::Core(error) => {
            let refusal = Refusal::of(&error);
            record::answered(endpoint, refusal.code, Some(&error));
            let mut response = refuse(request, &refusal);
            set_retry_after(&mut response, &error);
            response
        }
    }
}

#[derive(Serialize)]
struct Since2024<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_password: Option<&'a WeakPassword>,
}

#[derive(Serialize)]
struct Before2024<'a> {
    code: u16,
    error_code: &'a str,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_password: Option<&'a WeakPassword>,
}

/// The answer to a refused request, in the form of the API's version that the client names. A version is a
/// date, so later ones sort later.
fn refuse(request: &Request, refusal: &Refusal) -> Response<Body> {
    let Refusal {
        status,
        code,
        message,
        weak_password,
    } = refusal;
    let (status, weak_password) = (*status, weak_password.as_ref());
    let version = request.headers().get(API_VERSION_HEADER);
    let version = version.and_then(|version| version.to_str().ok());
    if !version.is_some_and(|version| is_date(version) && version >= API_VERSION) {
        let body = Before2024 {
            code: status,
            error_code: code,
            msg: message,
            weak_password,
        };
        return respond(status, &body);
    }
    let body = Since2024 {
        code,
        message,
        weak_password,
    };
    let mut response = respond(status, &body);
    let version = HeaderValue::from_static(API_VERSION);
    response.headers_mut().insert(API_VERSION_HEADER, version);
    response
}

/// Whether a text has the form of a date: `2024-01-01`.
fn is_date(text: &str) -> bool {
    let form = "dddd-dd-dd";
    let fits = |(form, byte): (u8, u8)| match form {
        b'd' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    text.len() == form.len() && form.bytes().zip(text.bytes()).all(fits)
}
