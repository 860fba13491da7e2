//! Web origins: whether the page that a browser sends a request for may call the API.
//!
//! CORS keeps the answers from a page that may not read them, not the requests: a form, or a body of
//! `text/plain`, is sent without asking first. So a page could make each of its visitors request a code, from
//! that visitor's own address. Browsers say in two headers, which no page can change, where a request comes
//! from: `Origin` (<https://fetch.spec.whatwg.org/#origin-header>) and `Sec-Fetch-Site`
//! (<https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>). Apps send neither.

use std::net::Ipv6Addr;

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
        if origins.iter().all(|origin| is_origin(origin)) {
            Ok(Self(origins))
        } else {
            Err("must be scheme and host each, comma-separated: https://app.example.com")
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

/// Whether a page's requests can name this origin: scheme, host, and a port other than the scheme's own, in
/// lower case, and nothing else (<https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin>). A wildcard
/// is none: it would let every page call the API.
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, place)) = text.split_once("://") else {
        return false;
    };
    // The colons of an IPv6 address are in brackets.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    is_scheme(scheme) && is_host(host) && port.is_none_or(|port| is_port_of(scheme, port))
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '+' | '-' | '.'))
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let in_brackets = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.split('.').all(is_label),
    }
}

fn is_label(text: &str) -> bool {
    let is_inside = |c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    !text.is_empty()
        && text.chars().all(is_inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Browsers leave the scheme's own port out.
fn is_port_of(scheme: &str, text: &str) -> bool {
    let own = match scheme {
        "http" => "80",
        "https" => "443",
        _ => "",
    };
    text != own && !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_host_perhaps_a_port_and_nothing_else() {
        for origin in [
            "https://app.example.com",
            "https://a-b.example_c.com:8443",
            "http://localhost:5173",
            "http://127.0.0.1",
            "http://[::1]",
            "http://[2001:db8::1]:8080",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "",
            "*",
            "null",
            "app.example.com",
            "https:app.example.com",
            "://app.example.com",
            "1https://app.example.com",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://App.example.com",
            "https://app.example.com.",
            "https://app..example.com",
            "https://.example.com",
            "https://-app.example.com",
            "https://app.example.com/",
            "https://app.example.com?x",
            "https://eric@example.com",
            "https://app example.com",
            "https://例え.example",
            "https://:8443",
            "https://app.example.com:",
            "https://app.example.com:0",
            "https://app.example.com:+1",
            "https://app.example.com:080",
            "https://app.example.com:65536",
            "https://app.example.com:8443:1",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "http://[::1",
            "http://::1",
            "http://[]",
            "http://[::1]x",
            "http://[app.example.com]",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }

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
        for list in [
            "a.example",
            "https://a.example/",
            "https://",
            "null",
            "*",
            "https://*",
            "https://a.example,https://b example",
        ] {
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
