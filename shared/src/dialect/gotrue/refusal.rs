//! Refusals, in the two forms that GoTrue's clients read.

use lambda_http::{
    Body, Request, Response,
    http::{HeaderName, HeaderValue},
};
use serde::Serialize;

use crate::dialect::respond;

/// The first version of the API in which an error has its code in `code`.
const API_VERSION: &str = "2024-01-01";
const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-supabase-api-version");

/// A refusal in GoTrue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
}

impl Refusal {
    /// What failed on our side.
    pub(super) const fn internal() -> Self {
        Self {
            status: 500,
            code: "unexpected_failure",
            message: "Unexpected failure, please check server logs for more information",
        }
    }
}

#[derive(Serialize)]
struct Since2024<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Before2024<'a> {
    code: u16,
    error_code: &'a str,
    msg: &'a str,
}

/// The answer to a refused request, in the form of the API's version that the client names. A version is a
/// date, so later ones sort later.
pub(super) fn refuse(request: &Request, refusal: Refusal) -> Response<Body> {
    let Refusal {
        status,
        code,
        message,
    } = refusal;
    let version = request.headers().get(API_VERSION_HEADER);
    let version = version.and_then(|version| version.to_str().ok());
    if !version.is_some_and(|version| is_date(version) && version >= API_VERSION) {
        let body = Before2024 {
            code: status,
            error_code: code,
            msg: message,
        };
        return respond(status, &body);
    }
    let mut response = respond(status, &Since2024 { code, message });
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
