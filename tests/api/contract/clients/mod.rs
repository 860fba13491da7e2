//! The calls of published clients, as their sources make them, and the whole answers that they get.
//!
//! One file for each client. What a client reads of an answer is read here as it reads it.

mod android;
mod cpp;
mod csharp;
mod documents;
mod typescript;
mod vue_page;
mod web;

use serde_json::Value;

use crate::support::{Answer, TestApp};

/// A client: how it labels its bodies and shows its token.
struct Client<'a> {
    app: &'a TestApp,
    headers: &'static [(&'static str, &'static str)],
    /// The headers of a token, each with what stands before it.
    token_headers: &'static [(&'static str, &'static str)],
    token: String,
}

impl<'a> Client<'a> {
    fn new(
        app: &'a TestApp,
        headers: &'static [(&'static str, &'static str)],
        token_headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            app,
            headers,
            token_headers,
            token: String::new(),
        }
    }

    /// Posts this text, with the token if there is one.
    async fn post(&self, path: &str, body: &Value) -> Answer {
        let shown = if self.token.is_empty() {
            &[]
        } else {
            self.token_headers
        };
        let shown: Vec<(&str, String)> = shown
            .iter()
            .map(|(name, before)| (*name, format!("{before}{}", self.token)))
            .collect();
        let shown = shown.iter().map(|(name, value)| (*name, value.as_str()));
        let headers: Vec<(&str, &str)> = self.headers.iter().copied().chain(shown).collect();
        self.app.post_raw(path, &headers, body.to_string()).await
    }
}
