//! Reading a request's body, for all dialects.
//!
//! The fields stay a map, and each endpoint reads them one by one: the order in which missing and
//! malformed fields are reported is part of the contract, and a typed body would fix another one.

use lambda_http::{Body, Request, http::header::CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::domain::error::{BodyProblem, Error, Fault, Field};

/// The largest body that is read.
pub const MAX_BYTES: usize = 16 * 1024;

/// UTF-8's. Some editors and libraries write it before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// 2^53: up to here a float holds every integer.
const MAX_INTEGRAL: f64 = 9_007_199_254_740_992.0;

/// The fields of a JSON object or a form.
#[derive(Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` as a form and anything else as JSON. So is a form that
    /// begins with `{`: curl and axios label as a form whatever is not labelled otherwise. No body has no
    /// fields.
    ///
    /// # Errors
    /// [`Fault::Body`].
    pub fn of(request: &Request) -> Result<Self, Error> {
        let bytes = bytes_of(request);
        if bytes.len() > MAX_BYTES {
            return Err(Error::BadRequest(Fault::Body(BodyProblem::TooLarge)));
        }
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let fields = if bytes.is_empty() {
            Ok(Map::new())
        } else if is_form(request) && !bytes.trim_ascii_start().starts_with(b"{") {
            form(bytes)
        } else {
            json(bytes)
        };
        fields
            .map(Self)
            .map_err(|problem| Error::BadRequest(Fault::Body(problem)))
    }

    /// A scalar as text, white space included. `None` if there is only white space.
    ///
    /// # Errors
    /// `malformed`, when the field is neither a string nor a number.
    pub fn exact_text(&self, name: &str, malformed: Error) -> Result<Option<String>, Error> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => match number.as_f64() {
                // Some clients send every number as a float.
                Some(float) if number.is_f64() && is_integral(float) => format!("{float:.0}"),
                _ => number.to_string(),
            },
            Some(_) => return Err(malformed),
        };
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// A field as it is. `None` if it is `null`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is a string. In a form every field is one.
    pub fn is_string(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::String(_)))
    }

    /// A scalar as text: a number in its JSON form, an integral float as that integer, white space trimmed.
    ///
    /// # Errors
    /// `malformed`, when the field is neither a string nor a number.
    pub fn text(&self, name: &str, malformed: Error) -> Result<Option<String>, Error> {
        let text = self.exact_text(name, malformed)?;
        Ok(text.map(|text| text.trim().to_owned()))
    }
}

/// The error for an absent field.
pub(super) fn missing(field: Field) -> Error {
    Error::BadRequest(Fault::Missing(field))
}

/// The error for a field that is not in its form.
pub(super) fn malformed(field: Field) -> Error {
    Error::BadRequest(Fault::Malformed(field))
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.0.keys().collect();
        write!(f, "Fields({names:?})")
    }
}

fn bytes_of(request: &Request) -> &[u8] {
    // lambda_http has decoded API Gateway's base64.
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    }
}

fn is_form(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| {
        media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

fn is_integral(float: f64) -> bool {
    float.fract() == 0.0 && float.abs() <= MAX_INTEGRAL
}

fn form(bytes: &[u8]) -> Result<Map<String, Value>, BodyProblem> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        // The decoder replaces what is not UTF-8 by this character.
        if name.contains('\u{FFFD}') || value.contains('\u{FFFD}') {
            return Err(BodyProblem::NotUtf8);
        }
        fields.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    Ok(fields)
}

fn json(bytes: &[u8]) -> Result<Map<String, Value>, BodyProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| BodyProblem::NotUtf8)?;
    let value = serde_json::from_str(text).map_err(|error| BodyProblem::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(BodyProblem::NotObject),
    }
}
