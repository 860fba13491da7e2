//! Web origins: whether the page that a browser sends a request for may call the API.
//!
//! CORS keeps the answers from a page that may not read them, not the requests: a form, or a body of
//! `text/plain`, is sent without asking first. So a page could make each of its visitors request a code, from
//! that visitor's own address. Browsers say in two headers, which no page can change, where a request comes
//! from: `Origin` (<https://fetch.spec.whatwg.org/#origin-header>) and `Sec-Fetch-Site`
//! (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>). Apps send neither.

/// The origins whose pages may call the API, beside those of the API's own site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebOrigins(Vec<String>);

impl WebOrigins {
    /// Reads a comma-separated list: `https://app.example.com,https://example.com:8443`.
    ///
    /// # Errors
    /// What an origin has to be.
    pub fn parse(list: &str) -> Result<Self, &'static str> {
        let origins = list.split(',').map(str::trim);
        let origins: Vec<String> = origins
            .filter(|origin| !origin.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let is_origin = |origin: &String| {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        if origins.iter().all(is_origin) {
            Ok(Self(origins))
        } else {
            Err("must be scheme and host each, comma-separated: https://app.example.com")
        }
    }

    /// Whether a request with these headers `Origin` and `Sec-Fetch-Site` comes from no foreign page. A
    /// header that is no text is foreign. `null` is the origin of a page that hides its own.
    pub fn admits(&self, origin: Option<&[u8]>, fetch_site: Option<&[u8]>) -> bool {
        let is_listed = |origin: &[u8]| {
            let listed = self.0.iter();
            let mut listed = listed.map(String::as_bytes);
            listed.any(|listed| listed.eq_ignore_ascii_case(origin))
        };
        match (fetch_site, origin) {
            // `none`: no page, but the user, at the address bar.
            (Some(b"same-origin" | b"same-site" | b"none"), _) | (None, None) => true,
            (_, Some(origin)) => is_listed(origin),
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_origins_only() {
        for list in [
            "",
            " ",
            "https://a.example",
            "https://a.example, http://localhost:5173,capacitor://localhost",
        ] {
            assert!(WebOrigins::parse(list).is_ok(), "{list}");
        }
        for list in ["a.example", "https://a.example/", "https://", "null", "*"] {
            assert!(WebOrigins::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn a_foreign_page_is_one_of_another_site_that_is_not_listed() {
        let origins = WebOrigins::parse("https://App.example.com").unwrap();
        let admits = |origin: Option<&str>, site: Option<&str>| {
            origins.admits(origin.map(str::as_bytes), site.map(str::as_bytes))
        };
        let (ours, evil) = (
            Some("https://app.example.com"),
            Some("https://evil.example"),
        );
        for (origin, site, admitted) in [
            (None, None, true),
            (ours, None, true),
            (ours, Some("cross-site"), true),
            (evil, None, false),
            (evil, Some("cross-site"), false),
            (Some("null"), None, false),
            (Some("null"), Some("cross-site"), false),
            (None, Some("cross-site"), false),
            (None, Some("something-new"), false),
            (evil, Some("same-site"), true),
            (Some("null"), Some("same-origin"), true),
            (None, Some("none"), true),
        ] {
            assert_eq!(admits(origin, site), admitted, "{origin:?} {site:?}");
        }
        assert!(!origins.admits(Some(b"\xff"), None));
        assert!(!origins.admits(None, Some(b"\xff")));
    }
}
