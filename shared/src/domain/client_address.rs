//! Where a request comes from, as far as limits count it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// One place that requests come from: an IPv4 address, or an IPv6 /64, which is what one subscriber
/// is given (RFC 6177). It is personal data, so it is not printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source(String);

impl Source {
    /// The place of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }

    /// The place of a request that API Gateway got from `source_ip`, behind so many trusted proxies.
    ///
    /// Each proxy appends to `X-Forwarded-For` the address it was called from, and API Gateway does
    /// so last; what stands further left than the trusted ones is the client's own claim. A request
    /// that came past the proxies counts as its last hop's.
    pub fn of_request(
        forwarded_for: Option<&str>,
        source_ip: &str,
        trusted_proxies: usize,
    ) -> Self {
        let hops: Vec<IpAddr> = forwarded_for
            .unwrap_or_default()
            .rsplit(',')
            .map_while(address)
            .collect();
        let last = address(source_ip);
        // Newest first, and the newest is the one API Gateway itself was called from.
        let newest_is_ours = last.is_some() && hops.first() == last.as_ref();
        let before = &hops[usize::from(newest_is_ours)..];
        let client = match trusted_proxies {
            0 => last,
            proxies => before.get(proxies - 1).copied().or(last),
        };
        client.map_or_else(|| Self("unknown".to_owned()), Self::of)
    }

    /// A place we wrote down ourselves, back from the store.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address as proxies write it, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port)
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_one_place() {
        let of = |text: &str| Source::of(text.parse().unwrap()).0;
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2:ffff::9"), of("2001:db8:1:2::"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
    }

    #[test]
    fn only_declared_proxies_are_believed() {
        let of = |forwarded, proxies| Source::of_request(forwarded, "198.51.100.1", proxies).0;
        // Whatever a client claims, without proxies it is where it came from.
        assert_eq!(of(Some("192.0.2.9, 198.51.100.1"), 0), "198.51.100.1");
        // Behind one, the address that one was called from.
        let chain = Some("192.0.2.66, 203.0.113.7, 198.51.100.1");
        assert_eq!(of(chain, 1), "203.0.113.7");
        assert_eq!(of(chain, 2), "192.0.2.66");
        assert_eq!(of(Some("203.0.113.7:4711,198.51.100.1"), 1), "203.0.113.7");
        // Some gateways hand the header on as it came.
        assert_eq!(of(Some("192.0.2.66, 203.0.113.7"), 1), "203.0.113.7");
        // Too few hops, or none that can be read: the last one.
        for short in [
            None,
            Some(""),
            Some("198.51.100.1"),
            Some("x, 198.51.100.1"),
        ] {
            assert_eq!(of(short, 1), "198.51.100.1", "{short:?}");
        }
        assert_eq!(Source::of_request(None, "", 0).0, "unknown");
    }

    #[test]
    fn printing_it_shows_nothing() {
        let source = Source::of("203.0.113.7".parse().unwrap());
        assert!(!format!("{source:?}").contains("203"));
    }
}
