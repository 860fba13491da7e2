//! An answer to a request.

use std::{ops::RangeInclusive, time::Duration};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was requested, so that a row that fails names itself.
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub took: Duration,
}

impl Answer {
    /// Asserts status and body whole, and the headers that every answer has.
    #[track_caller]
    pub fn assert(&self, status: u16, body: Value) {
        let (answered, expected) = ((self.status, &self.body), (status, &body));
        assert_eq!(answered, expected, "{}: {self:?}", self.request);
        let header = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(header("cache-control"), Some("no-store"));
    }

    /// Asserts whole that the request was refused at the front door.
    #[track_caller]
    pub fn assert_forbidden(&self) {
        self.assert(403, json!({"message": "Forbidden"}));
    }

    /// `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        let value = self.headers.get("retry-after")?;
        Some(value.to_str().unwrap().parse().unwrap())
    }

    /// The text of `result`.
    pub fn result(&self) -> &str {
        self.body["result"].as_str().unwrap_or_default()
    }

    #[track_caller]
    pub fn assert_retry_after(&self, seconds: RangeInclusive<u64>) {
        let told = self.retry_after();
        assert!(
            told.is_some_and(|told| seconds.contains(&told)),
            "{told:?} is not within {seconds:?}"
        );
    }
}
