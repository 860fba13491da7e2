//! Dialect B, "systems": HTTP status always 200; `{"code":0,"msg":2006,"info":"…"}` and
//! `{"code":1,"msg":NNNN,"info":"…"}`. `info` is shown to people as it is.

use lambda_http::{Body, Response};
use serde::Serialize;

use crate::{
    app::App,
    domain::{
        code::Guess,
        error::{Error, Fault, Field, SmsFailure},
        password::Password,
        phone::Phone,
        token::Token,
        user::Name,
    },
    telemetry::{context, record},
};

use super::{
    body::{Fields, missing},
    guard::guard,
    number,
};

/// The three steps. Each names missing fields in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `/Systems/sendVerificationCode`
    Send,
    /// `/Systems/makeSureVerificationCode`
    Verify,
    /// `/Systems/changepasswd`
    Change,
}

impl Step {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Send => "sendVerificationCode",
            Self::Verify => "makeSureVerificationCode",
            Self::Change => "changepasswd",
        }
    }
}

/// The `info` of a successful answer.
pub struct Info(String);

impl Info {
    /// The code has been sent.
    pub fn sent() -> Self {
        Self("已发送短信".into())
    }

    /// The token that lets the password be changed.
    pub fn reset_token(token: Token) -> Self {
        Self(token.into_string())
    }

    /// The password has been changed.
    pub fn changed() -> Self {
        Self("密码修改成功".into())
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    code: u8,
    msg: u16,
    info: &'a str,
}

/// Runs a step's work and renders its answer.
pub async fn answer(step: Step, work: impl Future<Output = Result<Info, Error>>) -> Response<Body> {
    let result = guard(work).await;
    let endpoint = step.endpoint();
    match &result {
        Ok(info) => {
            record::answered(endpoint, 2006, None);
            let info = &info.0;
            super::respond(
                200,
                &Answer {
                    code: 0,
                    msg: 2006,
                    info,
                },
            )
        }
        Err(error) => {
            let (msg, info) = wire(error, step);
            record::answered(endpoint, msg, Some(error));
            let mut response = super::respond(200, &Answer { code: 1, msg, info });
            super::set_retry_after(&mut response, error);
            response
        }
    }
}

/// `username` and `mobile_phone`: a national number of country 86 unless it starts with `+`.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PhoneInvalid`], [`Error::CountryNotServed`], and
/// [`Error::UserNotFound`] for an invalid name.
pub fn account_and_phone(fields: &Fields, app: &App) -> Result<(Name, Phone), Error> {
    let name = required(fields, "username", Field::Name, &Error::UserNotFound)?;
    let phone = required(fields, "mobile_phone", Field::Phone, &Error::PhoneInvalid)?;
    let phone = number::compact(&phone);
    let phone = match phone.strip_prefix('+') {
        Some(e164) => Phone::parse_e164(e164, &app.config.served)?,
        None => number::phone("86", &phone, &app.config.served)?,
    };
    context::about(&phone);
    Ok((Name::parse(&name).ok_or(Error::UserNotFound)?, phone))
}

/// `username` and `verification_code`. A code without any digit counts as missing.
///
/// # Errors
/// [`Fault::Missing`], [`Error::CodeWrong`], and [`Error::CodeExpired`] for an invalid name.
pub fn account_and_code(fields: &Fields) -> Result<(Name, Guess), Error> {
    let unknown = Error::CodeExpired { retry_after: None };
    let name = required(fields, "username", Field::Name, &unknown)?;
    let code = required(fields, "verification_code", Field::Code, &Error::CodeWrong)?;
    let code = Guess::parse(&code).ok_or(missing(Field::Code))?;
    Ok((Name::parse(&name).ok_or(unknown)?, code))
}

/// The fields of the last step.
pub struct PasswordChange {
    /// The account's name.
    pub name: Name,
    /// `Verification_char`: the reset token, unread.
    pub token: String,
    /// The new password.
    pub new: Password,
}

/// `username`, `Verification_char` and `new_password`: the plain password, 6 to 15 letters and
/// digits.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PasswordRefused`], [`Error::ResetTokenInvalid`], and
/// [`Error::ResetTokenExpired`] for an invalid name.
pub fn password_change(fields: &Fields) -> Result<PasswordChange, Error> {
    let refused = Error::PasswordRefused(Field::NewPassword);
    let unknown = Error::ResetTokenExpired;
    let invalid = Error::ResetTokenInvalid;
    let name = required(fields, "username", Field::Name, &unknown)?;
    let token = required(fields, "Verification_char", Field::ResetToken, &invalid)?;
    let new = fields.exact_text("new_password", refused.clone())?;
    let new = new.ok_or(missing(Field::NewPassword))?;
    Ok(PasswordChange {
        new: Password::parse_alphanumeric(&new).ok_or(refused)?,
        name: Name::parse(&name).ok_or(unknown)?,
        token,
    })
}

fn required(fields: &Fields, name: &str, field: Field, malformed: &Error) -> Result<String, Error> {
    let text = fields.text(name, malformed.clone())?;
    text.ok_or(missing(field))
}

/// `msg` and `info` of every error.
fn wire(error: &Error, step: Step) -> (u16, &'static str) {
    match error {
        Error::BadRequest(Fault::Body(_)) => (3003, "请求格式错误"),
        Error::BadRequest(Fault::Missing(_)) => match step {
            Step::Send => (3003, "账号和手机号不可为空"),
            Step::Verify | Step::Change => (3003, "账号、密码和验证码不可为空"),
        },
        Error::BadRequest(Fault::Malformed(_)) => (3003, "请求格式错误"),
        Error::PhoneInvalid | Error::CountryNotServed => (8011, "手机号格式错误"),
        Error::PhoneUnknown | Error::UserNotFound | Error::LoginRefused { .. } => {
            (2002, "用户不存在")
        }
        Error::UserDisabled => (2005, "账号已停用"),
        Error::NoPhone => (8004, "账号未绑定手机号"),
        Error::PhoneMismatch | Error::PhoneTaken => (8005, "手机号与绑定手机号不一致"),
        Error::TooFrequent { .. } => (8012, "发送过于频繁，请稍后再试:8"),
        Error::CodeWrong | Error::BadRequest(Fault::CodeTooLong) => (8013, "验证码错误"),
        Error::CodeExpired { .. } => (8014, "验证码已过期"),
        Error::PhoneInfoInvalid
        | Error::TokenMissing
        | Error::TokenInvalid
        | Error::ResetTokenInvalid => (8013, "令牌无效"),
        Error::TokenExpired | Error::ResetTokenExpired => (8014, "令牌已过期"),
        Error::PasswordRefused(_) => (2009, "密码只支持6~15位英文字母和数字"),
        Error::LoginOff
        | Error::SendsStopped
        | Error::Sms(
            SmsFailure::NotConfigured
            | SmsFailure::NoSenderId
            | SmsFailure::NoText
            | SmsFailure::NoCredentials,
        ) => (8010, "短信未开通"),
        Error::Sms(SmsFailure::Rejected | SmsFailure::Unavailable) => {
            (8012, "短信发送失败，请稍后再试:1")
        }
        Error::NameTaken
        | Error::NameInvalid
        | Error::ReauthenticationNeeded
        | Error::MetadataTooLarge
        | Error::Internal(_) => (2003, "操作失败"),
    }
}
