//! Dialect A's requests: the fields of the body, and the session token.

use lambda_http::Request;

use crate::{
    app::App,
    dialect::{
        body::{Fields, missing},
        number, requester, source, token_in_headers,
    },
    domain::{
        client_address::Source,
        code::Guess,
        digits::digits,
        error::{Error, Field},
        password::Password,
        phone::Phone,
        requester::Requester,
        time::UnixMs,
        user::Name,
    },
    flow::session::Presented,
    telemetry::context,
};

/// A request that needs a session.
#[derive(Debug)]
pub struct InSession {
    /// The session, as far as it has been checked.
    pub session: Presented,
    /// Where the request comes from.
    pub source: Source,
    fields: Result<Fields, Error>,
}

impl InSession {
    /// Reads body and token: `Authorization: Bearer x`, else the header `Token`, else the body's
    /// `token`. The query string is not read, because it ends up in logs.
    pub fn read(app: &App, request: &Request, now: UnixMs) -> Self {
        let fields = Fields::of(request);
        let in_body = fields.as_ref().ok().and_then(token_in);
        let token = token_in_headers(request).or(in_body.as_deref());
        Self {
            session: Presented::read(app, token, now),
            source: source(request, app),
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

/// The body's `token`.
fn token_in(fields: &Fields) -> Option<String> {
    fields.text("token", Error::TokenInvalid).ok().flatten()
}

/// Who asks. A session token that is not asked for makes a known client of its owner.
pub fn requester_of(request: &Request, fields: &Fields, app: &App) -> Requester {
    requester(request, token_in(fields).as_deref(), app)
}

/// The phone of a send: `phone` in `countryCode`, 86 by default. Seed 000's misspellings are accepted.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PhoneInvalid`], [`Error::CountryNotServed`].
pub fn phone(fields: &Fields, app: &App) -> Result<Phone, Error> {
    let either = |right: &str, misspelt: &str| match fields.text(right, Error::PhoneInvalid) {
        Ok(None) => fields.text(misspelt, Error::PhoneInvalid),
        found => found,
    };
    let phone = either("phone", "phon")?.ok_or(missing(Field::Phone))?;
    let country = either("countryCode", "contryCode")?;
    let country = country.unwrap_or_else(|| "86".to_owned());
    let phone = number::phone(&digits(&country), &digits(&phone), &app.config.served)?;
    context::about(&phone);
    Ok(phone)
}

/// The `code` of a redemption. Without any digit it counts as missing.
///
/// # Errors
/// [`Fault::Missing`], [`Error::CodeWrong`].
pub fn code(fields: &Fields) -> Result<Guess, Error> {
    let code = fields.text("code", Error::CodeWrong)?;
    let code = code.and_then(|code| Guess::parse(&code));
    code.ok_or(missing(Field::Code))
}

/// The `phoneInfo` of a redemption, unread.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PhoneInfoInvalid`].
pub fn phone_info(fields: &Fields) -> Result<String, Error> {
    let phone_info = fields.text("phoneInfo", Error::PhoneInfoInvalid)?;
    phone_info.ok_or(missing(Field::PhoneInfo))
}

/// A required password.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PasswordRefused`].
pub fn password(fields: &Fields, name: &str, field: Field) -> Result<Password, Error> {
    optional_password(fields, name, field)?.ok_or(missing(field))
}

/// An optional password.
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

/// The `oldPassword`, which published clients also write with a capital.
///
/// # Errors
/// [`Fault::Missing`], [`Error::PasswordRefused`].
pub fn old_password(fields: &Fields) -> Result<Password, Error> {
    let field = Field::OldPassword;
    match optional_password(fields, "oldPassword", field)? {
        Some(old) => Ok(old),
        None => password(fields, "OldPassword", field),
    }
}

/// The `name` that an account is to have.
///
/// # Errors
/// [`Fault::Missing`], and those of [`optional_name`].
pub fn name(fields: &Fields) -> Result<Name, Error> {
    optional_name(fields)?.ok_or(missing(Field::Name))
}

/// The same, where it may be left out.
///
/// # Errors
/// Those of [`Name::choose`].
pub fn optional_name(fields: &Fields) -> Result<Option<Name>, Error> {
    let name = fields.text("name", Error::NameInvalid)?;
    name.map(|name| Name::choose(&name)).transpose()
}

/// The `value` of a login: a phone of `countryCode`, a name, or a text that could be either.
///
/// # Errors
/// [`Fault::Missing`].
pub fn phone_or_name(fields: &Fields, app: &App) -> Result<(Option<Phone>, Option<Name>), Error> {
    let value = fields.text("value", missing(Field::Value))?;
    let value = value.ok_or(missing(Field::Value))?;
    let country = fields
        .text("countryCode", Error::PhoneInvalid)
        .ok()
        .flatten();
    let country = country.unwrap_or_else(|| "86".to_owned());
    // A name that merely contains digits is no phone.
    let phone = number::is_number(&value)
        .then(|| number::phone(&digits(&country), &digits(&value), &app.config.served).ok())
        .flatten();
    if let Some(phone) = &phone {
        context::about(phone);
    }
    Ok((phone, Name::parse(&value)))
}
