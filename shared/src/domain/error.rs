//! The closed set of errors that a request can end with.
//!
//! An [`Error`] says what happened and knows no HTTP. Each dialect renders it in one `match` without
//! a `_` arm, so a new variant does not compile until every dialect has an answer for it. The text of
//! [`Error::Internal`] is logged once and never sent to a client.

use std::time::Duration;

/// The request field that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The phone number.
    Phone,
    /// The country calling code.
    Country,
    /// The one-time code.
    Code,
    /// The signed ticket in the answer to a send.
    PhoneInfo,
    /// The password to set.
    NewPassword,
    /// The password to log in or register with.
    Password,
    /// The present password, in a request to change it.
    OldPassword,
    /// The account's name.
    Name,
    /// The account's name or phone.
    Value,
    /// The reset token, which permits setting a new password.
    ResetToken,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyProblem {
    /// The body has more bytes than the dialects read.
    TooLarge,
    /// The body is not UTF-8.
    NotUtf8,
    /// The body is not JSON. The position is where the parser stopped.
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The body is JSON, but not an object.
    NotObject,
}

/// Why a request could not be read. Each dialect has rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The body is not in a form that the dialect reads.
    Body(BodyProblem),
    /// A required field is absent, `null`, empty or white space.
    Missing(Field),
    /// A field is not in its form.
    Malformed(Field),
    /// The code has more digits than a code can have.
    CodeTooLong,
}

/// Why an SMS could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsFailure {
    /// SMS is not configured: there is no brand name to sign the text with.
    NotConfigured,
    /// The region requires a sender id, and none is configured.
    NoSenderId,
    /// There is no text for this purpose and region.
    NoText,
    /// The provider rejected our credentials.
    NoCredentials,
    /// The provider rejected this message: opted-out number, invalid parameter, spend limit.
    Rejected,
    /// The provider could not be reached, throttled the request, or failed.
    Unavailable,
}

/// The limit that refused a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// The cool-down since the last message.
    CoolDown,
    /// The code that would be replaced is kept for the client that asked for it.
    Kept,
    /// Too many wrong codes for the slot.
    Failures,
    /// Too many messages to the phone.
    Phone,
    /// Too many unused codes requested from one source.
    Source,
    /// The ledger of the day has no room.
    Budget,
    /// The toll-fraud guard.
    Fraud,
}

/// Every way a request can be refused or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request cannot be read. Only dialects create this error.
    BadRequest(Fault),
    /// The number is not a mobile number of its country.
    PhoneInvalid,
    /// The region is not in `ALLOWED_COUNTRY_CODES`.
    CountryNotServed,
    /// No account has this phone number.
    PhoneUnknown,
    /// The account does not exist.
    UserNotFound,
    /// The account's status is not 0.
    UserDisabled,
    /// The phone is not the account's, or not any more.
    PhoneMismatch,
    /// The account has no phone.
    NoPhone,
    /// Another account has this phone.
    PhoneTaken,
    /// Another account has this name, or it is kept for nobody to have.
    NameTaken,
    /// The name cannot be chosen: it could look like another.
    NameInvalid,
    /// A limit on sends. It passes with time.
    TooFrequent {
        /// How long the client has to wait.
        retry_after: Duration,
        /// Which limit: for the log, not for the client.
        limit: Limited,
    },
    /// The code is not the one that was sent. The try has been counted.
    CodeWrong,
    /// The code is too old, spent, replaced, or its tries are used up.
    CodeExpired {
        /// How long no code is accepted, when the limit on wrong codes is the reason.
        retry_after: Option<Duration>,
    },
    /// The phoneInfo ticket has no valid signature, or it is for another endpoint.
    PhoneInfoInvalid,
    /// The endpoint requires a session, and the request has no token.
    TokenMissing,
    /// The session token has no valid signature, or it has been revoked.
    TokenInvalid,
    /// The session token has expired.
    TokenExpired,
    /// The reset token was not issued, or was issued for another account.
    ResetTokenInvalid,
    /// The reset token has expired or has been used.
    ResetTokenExpired,
    /// The password in this field cannot be set, or is not the present one, or is the present one already.
    PasswordRefused(Field),
    /// The session is too old to set a password without a code.
    ReauthenticationNeeded,
    /// What apps keep with the account would be too large.
    MetadataTooLarge,
    /// The name or the password is wrong. The error does not reveal which one.
    LoginRefused {
        /// How long no password is accepted, when the limit on wrong passwords is the reason.
        retry_after: Option<Duration>,
    },
    /// The configuration has switched off logging in by SMS.
    LoginOff,
    /// The operator's switch has stopped sends to this region.
    SendsStopped,
    /// The SMS was not sent.
    Sms(SmsFailure),
    /// The service failed.
    Internal(Cause),
}

/// Why the service failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// For the log. It contains no personal data.
    pub text: String,
    /// Whether it passes: AWS did not answer in time, or had no capacity. The same request can succeed later.
    pub passes: bool,
}

impl Error {
    /// A failure that stays.
    pub fn internal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Internal(Cause {
            text,
            passes: false,
        })
    }

    /// A failure that passes.
    pub fn passing(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Internal(Cause { text, passes: true })
    }

    /// How long the client has to wait, for a refusal that passes with time.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooFrequent { retry_after, .. } => Some(*retry_after),
            Self::CodeExpired { retry_after } | Self::LoginRefused { retry_after } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_pass_with_time_say_how_long_to_wait() {
        let wait = Duration::from_secs(7);
        let retry_after = Some(wait);
        let too_frequent = Error::TooFrequent {
            retry_after: wait,
            limit: Limited::Phone,
        };
        for error in [
            too_frequent,
            Error::CodeExpired { retry_after },
            Error::LoginRefused { retry_after },
        ] {
            assert_eq!(error.retry_after(), Some(wait), "{error:?}");
        }
        for error in [
            Error::CodeExpired { retry_after: None },
            Error::LoginRefused { retry_after: None },
            Error::CodeWrong,
        ] {
            assert_eq!(error.retry_after(), None, "{error:?}");
        }
    }
}
