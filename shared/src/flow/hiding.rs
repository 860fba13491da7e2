//! `HIDE_UNKNOWN_USERS`: whether a request may show that an account exists.
//!
//! Every send makes or prolongs a *decoy*: a challenge of which no message is sent. A refused send that would
//! show the account makes nothing else, with the same reads and the same writes as any other. Real messages are
//! then sent after the answer, so the time shows nothing either.

use crate::{
    domain::{
        error::Error,
        keys::KeyRing,
        phone::Phone,
        purpose::Purpose,
        user::{Draws, Uid, User},
    },
    store::sends::Counted,
};

/// What hiding does to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hiding {
    purpose: Purpose,
    is_on: bool,
}

impl Hiding {
    /// For a redemption, or for a send that names its phone. Other sends cannot show anything.
    pub(super) fn new(is_configured: bool, purpose: Purpose) -> Self {
        Self {
            purpose,
            is_on: is_configured,
        }
    }

    /// For a request that hides nothing.
    pub(super) fn off(purpose: Purpose) -> Self {
        Self {
            purpose,
            is_on: false,
        }
    }

    /// Whether accounts are hidden. Then
    /// - a send that a limit refuses does not check the account first,
    /// - the account is read beside the write that records the send, and not checked by it,
    /// - requests are refused by the count of their slot; a message beyond the phone's becomes a decoy,
    /// - the message is sent after the answer,
    /// - a message that failed releases no limits,
    /// - a redemption for an unknown name goes on, so that it takes as long as any other,
    /// - an expired code does not say that its phone has an account by now.
    pub(super) fn is_on(self) -> bool {
        self.is_on
    }

    /// Whether a decoy replaces a refusal with this error.
    pub(super) fn replaces(self, error: &Error) -> bool {
        self.is_on && reveals_account(self.purpose, error)
    }

    /// What a send counts against.
    pub(super) fn counted(self, decoy: bool) -> Counted {
        if self.is_on {
            Counted::Hidden { decoy }
        } else {
            Counted::Openly
        }
    }

    /// The account to read beside the write: the send's own, or a stand-in, so that every send reads
    /// one.
    pub(super) fn account_to_read(
        self,
        uid: Option<Uid>,
        phone: &Phone,
        keys: &KeyRing,
    ) -> Option<Uid> {
        self.is_on
            .then(|| uid.unwrap_or_else(|| stand_in(phone, keys)))
    }

    /// The account that the write checks.
    pub(super) fn account_to_check(self, uid: Option<Uid>) -> Option<Uid> {
        uid.filter(|_| !self.is_on)
    }

    /// Whether the message is sent to the account that was read.
    pub(super) fn reaches(self, account: Option<&User>) -> bool {
        match self.purpose {
            // No account has the phone yet.
            Purpose::Register | Purpose::ChangePhone => true,
            Purpose::SignIn => account.is_none_or(User::is_active),
            Purpose::Login
            | Purpose::ChangePassword
            | Purpose::ResetPassword
            | Purpose::Recover
            | Purpose::Delete => account.is_some_and(User::is_active),
        }
    }
}

/// A uid for a phone without an account: the same each time, and like any that is drawn. So a decoy reads
/// the same key each time. Whoever has the number gets no message: the challenge is a decoy.
pub(super) fn stand_in(phone: &Phone, keys: &KeyRing) -> Uid {
    let pseudonym = keys.pseudonym(&format!("nobody#{}", phone.e164()));
    let random = pseudonym.number().to_be_bytes();
    Uid::from_random(random, Draws::USUAL.largest_uid)
}

/// Whether a refusal is about the session that was presented. It comes before everything else.
pub(super) fn is_session_error(purpose: Purpose, error: &Error) -> bool {
    let in_session = match purpose {
        Purpose::ChangePassword | Purpose::ChangePhone | Purpose::Delete => true,
        Purpose::Login
        | Purpose::Register
        | Purpose::ResetPassword
        | Purpose::Recover
        | Purpose::SignIn => false,
    };
    let is_first = match error {
        Error::PhoneTaken => false,
        Error::BadRequest(_)
        | Error::PhoneInvalid
        | Error::CountryNotServed
        | Error::PhoneUnknown
        | Error::UserNotFound
        | Error::UserDisabled
        | Error::PhoneMismatch
        | Error::NoPhone
        | Error::NameTaken
        | Error::NameInvalid
        | Error::TooFrequent { .. }
        | Error::CodeWrong
        | Error::CodeExpired { .. }
        | Error::PhoneInfoInvalid
        | Error::TokenMissing
        | Error::TokenInvalid
        | Error::TokenExpired
        | Error::ResetTokenInvalid
        | Error::ResetTokenExpired
        | Error::PasswordRefused(_)
        | Error::ReauthenticationNeeded
        | Error::MetadataTooLarge
        | Error::LoginRefused { .. }
        | Error::LoginOff
        | Error::SendsStopped
        | Error::Sms(_)
        | Error::Internal(_) => true,
    };
    in_session && is_first
}

/// Whether a refusal shows a stranger that an account exists, or that none does.
fn reveals_account(purpose: Purpose, error: &Error) -> bool {
    match error {
        Error::PhoneTaken => true,
        Error::PhoneUnknown
        | Error::UserNotFound
        | Error::UserDisabled
        | Error::PhoneMismatch
        | Error::NoPhone => !is_session_error(purpose, error),
        // No send looks at an account's name, code, ticket, password or metadata.
        Error::ReauthenticationNeeded
        | Error::MetadataTooLarge
        | Error::NameTaken
        | Error::NameInvalid
        | Error::CodeWrong
        | Error::CodeExpired { .. }
        | Error::PhoneInfoInvalid
        | Error::ResetTokenInvalid
        | Error::ResetTokenExpired
        | Error::PasswordRefused(_)
        | Error::LoginRefused { .. } => false,
        // These do not depend on the account.
        Error::BadRequest(_)
        | Error::PhoneInvalid
        | Error::CountryNotServed
        | Error::TooFrequent { .. }
        | Error::TokenMissing
        | Error::TokenInvalid
        | Error::TokenExpired
        | Error::LoginOff
        | Error::SendsStopped
        | Error::Sms(_)
        | Error::Internal(_) => false,
    }
}
