//! The closed set of ways a request can end badly.
//!
//! The core knows no HTTP and no dialect: it says *what* happened, and each file in
//! [`crate::dialect`] says how that reads on its wire, in one `match` without a catch-all, so that a
//! new variant does not compile until every dialect has an answer for it. Text meant for us
//! ([`Error::Internal`]) is logged at the boundary and never rendered.

use std::time::Duration;

/// A request field, where an error is about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The phone number.
    Phone,
    /// The country calling code.
    Country,
    /// The one-time code.
    Code,
    /// The signed ticket a send answers with.
    PhoneInfo,
    /// The password to be.
    NewPassword,
    /// The password.
    Password,
    /// The password so far.
    OldPassword,
    /// The account's name.
    Name,
    /// The account's name or phone.
    Value,
    /// The token that lets a password be changed.
    ResetToken,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyProblem {
    /// Over [`crate::dialect::body::MAX_BYTES`].
    TooLarge,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Not JSON; where the parser stopped, both counted from 1.
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but not an object.
    NotObject,
}

/// Why a request could not be read. Each dialect has its own rules for it.
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
    /// There is no SMS configuration (no brand to sign with).
    NotConfigured,
    /// The country requires a sender ID and none is configured.
    NoSenderId,
    /// No text for this purpose and country.
    NoText,
    /// The provider does not accept our credentials.
    NoCredentials,
    /// The provider refused this message: opted-out number, invalid parameter, spend limit.
    Rejected,
    /// The provider could not be reached, throttled us or failed.
    Unavailable,
}

/// The limits on sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// The last message is too recent.
    CoolDown,
    /// Too many wrong codes.
    Failures,
    /// Too many messages to the phone.
    Phone,
    /// Too many unused codes asked for from one source.
    Source,
    /// The day's money is spent.
    Budget,
    /// The toll-fraud guard.
    Fraud,
}

/// Every way a request can be refused or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request cannot be read. Only dialects make this one.
    BadRequest(Fault),
    /// Not a phone number of its country.
    PhoneInvalid,
    /// A country that `ALLOWED_COUNTRY_CODES` does not list.
    CountryNotServed,
    /// No account has this phone number.
    PhoneUnknown,
    /// No such account.
    UserNotFound,
    /// The account's status is not 0.
    UserDisabled,
    /// The phone number is no longer, or never was, the account's.
    PhoneMismatch,
    /// The account has no phone.
    NoPhone,
    /// Another account has this phone.
    PhoneTaken,
    /// Another account has this name.
    NameTaken,
    /// A limit on sends; passes with time.
    TooFrequent {
        /// How long to wait.
        retry_after: Duration,
        /// Which one; for the log, not for the client.
        limit: Limited,
    },
    /// The code is not the one that was sent; the try has been counted.
    CodeWrong,
    /// The code is too old, spent, replaced, or its tries are used up.
    CodeExpired {
        /// Set when a limit on wrong codes is the reason: when codes are taken again.
        retry_after: Option<Duration>,
    },
    /// The phoneInfo is not ours, or not for this endpoint.
    PhoneInfoInvalid,
    /// A session is required and no token was presented.
    TokenMissing,
    /// The session token is not ours, or has been revoked.
    TokenInvalid,
    /// The session token is too old.
    TokenExpired,
    /// The reset token is not ours, or another account's.
    ResetTokenInvalid,
    /// The reset token is too old or spent.
    ResetTokenExpired,
    /// This password cannot be set, or is not the one so far.
    PasswordRefused(Field),
    /// Wrong name or password; which of the two is nobody's business.
    LoginRefused {
        /// Set when there were too many wrong passwords: when they are taken again.
        retry_after: Option<Duration>,
    },
    /// Logging in by SMS is switched off by configuration.
    LoginOff,
    /// The SMS did not go out.
    Sms(SmsFailure),
    /// Something failed on our side. The text is for the log and holds no personal data.
    Internal(String),
}

impl Error {
    /// How long to wait, for a refusal that passes with time.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooFrequent { retry_after, .. } => Some(*retry_after),
            Self::CodeExpired { retry_after } | Self::LoginRefused { retry_after } => *retry_after,
            _ => None,
        }
    }
}
