//! Reading a request's body: what the dialects have in common.

use lambda_http::{Body, Request, http::header::CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::domain::error::{BodyProblem, Error, Fault};

/// The largest body we read.
pub const MAX_BYTES: usize = 16 * 1024;

/// The fields of a JSON object or a form.
#[derive(Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` as a form and anything else as JSON.
    ///
    /// # Errors
    /// [`Fault::Body`].
    pub fn of(request: &Request) -> Result<Self, Error> {
        let bytes = bytes_of(request);
        if bytes.len() > MAX_BYTES {
            return Err(Error::BadRequest(Fault::Body(BodyProblem::TooLarge)));
        }
        let fields = match is_form(request) {
            true => form(bytes),
            false => json(bytes),
        };
        fields
            .map(Self)
            .map_err(|problem| Error::BadRequest(Fault::Body(problem)))
    }

    /// The same for an endpoint that needs no field: it may be called without a body.
    ///
    /// # Errors
    /// [`Fault::Body`].
    pub fn of_any(request: &Request) -> Result<Self, Error> {
        match bytes_of(request).is_empty() {
            true => Ok(Self(Map::new())),
            false => Self::of(request),
        }
    }

    /// A scalar as text, white space and all; `None` if there is nothing else.
    ///
    /// # Errors
    /// `malformed`, when the field is neither a string nor a number.
    pub fn exact_text(&self, name: &str, malformed: Error) -> Result<Option<String>, Error> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(malformed),
        };
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// Whether a field is a string: in a form everything is.
    pub fn is_string(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::String(_)))
    }

    /// A scalar as text: a number as it would be written, white space trimmed.
    ///
    /// # Errors
    /// `malformed`, when the field is neither a string nor a number.
    pub fn text(&self, name: &str, malformed: Error) -> Result<Option<String>, Error> {
        let text = self.exact_text(name, malformed)?;
        Ok(text.map(|text| text.trim().to_owned()))
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.0.keys().collect();
        write!(f, "Fields({names:?})")
    }
}

fn bytes_of(request: &Request) -> &[u8] {
    // lambda_http has undone API Gateway's base64.
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

fn form(bytes: &[u8]) -> Result<Map<String, Value>, BodyProblem> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        // What is not UTF-8 once decoded arrives here as the replacement character.
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
