//! The source of a request, as limits count it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use crate::domain::window::Limit;

/// Where a request comes from: an IPv4 address, or an IPv6 /64, which is the smallest network that a
/// subscriber gets. It is personal data, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source(String);

impl Source {
    /// The source that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }

    /// The source of a request from this client ([`client_address`]).
    pub fn of_client(client: Option<IpAddr>) -> Self {
        client.map_or_else(|| Self("unknown".to_owned()), Self::of)
    }

    /// A source read from the store.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The IPv6 /56 that it lies in: a subscriber may have all of it (RFC 6177). None of an IPv4 address.
    pub fn network(&self) -> Option<Self> {
        let address: Ipv6Addr = self.0.strip_suffix("/64")?.parse().ok()?;
        let [a, b, c, d, ..] = address.segments();
        let network = Ipv6Addr::new(a, b, c, d & 0xff00, 0, 0, 0, 0);
        Some(Self(format!("{network}/56")))
    }

    /// The text for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many sends a source may ask for whose codes are unused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLimits {
    /// The limits. Without any, sends are not even counted.
    pub limits: Vec<Limit>,
    /// Whether a source beyond them is refused. Otherwise its sends are counted for the fraud guard alone.
    pub refuse: bool,
}

/// The address of the client whose request API Gateway received from the address `source_ip`, behind
/// `trusted_proxies` proxies of the operator.
///
/// Each proxy appends to `X-Forwarded-For` the address that called it; API Gateway appends last. Entries
/// further left than those of the trusted proxies can be forged by the client. If the header has fewer
/// entries than there are trusted proxies, the request did not pass them, and the address is `source_ip`.
pub fn client_address(
    forwarded_for: Option<&str>,
    source_ip: &str,
    trusted_proxies: usize,
) -> Option<IpAddr> {
    let hops: Vec<IpAddr> = forwarded_for
        .unwrap_or_default()
        .rsplit(',')
        .map_while(address)
        .collect();
    let caller = address(source_ip);
    // The hops are newest first. The newest one is the entry that API Gateway has appended.
    let gateway_appended = caller.is_some() && hops.first() == caller.as_ref();
    let before_gateway = &hops[usize::from(gateway_appended)..];
    match trusted_proxies {
        0 => caller,
        proxies => before_gateway.get(proxies - 1).copied().or(caller),
    }
}

/// Reads an address as proxies write it, with or without a port.
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
    fn an_ipv6_subscriber_is_one_source() {
        let of = |text: &str| Source::of(text.parse().unwrap()).0;
        assert_eq!(of("203.0.113.7"), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2:ffff::9"), of("2001:db8:1:2::"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
        let network = |text: &str| Some(Source::of(text.parse().unwrap()).network()?.0);
        assert_eq!(network("2001:db8:1:2ff::1").unwrap(), "2001:db8:1:200::/56");
        assert_eq!(network("2001:db8:1:300::1").unwrap(), "2001:db8:1:300::/56");
        assert_eq!(network("203.0.113.7"), None);
    }

    #[test]
    fn only_entries_of_trusted_proxies_count() {
        let at = |forwarded, source_ip, proxies| {
            Source::of_client(client_address(forwarded, source_ip, proxies)).0
        };
        let of = |forwarded, proxies| at(forwarded, "198.51.100.1", proxies);
        // Without trusted proxies the header does not count.
        assert_eq!(of(Some("192.0.2.9, 198.51.100.1"), 0), "198.51.100.1");
        // Behind one proxy, the address that called it.
        let chain = Some("192.0.2.66, 203.0.113.7, 198.51.100.1");
        assert_eq!(of(chain, 1), "203.0.113.7");
        assert_eq!(of(chain, 2), "192.0.2.66");
        assert_eq!(of(Some("203.0.113.7:4711,198.51.100.1"), 1), "203.0.113.7");
        // A gateway may pass the header on without appending to it.
        assert_eq!(of(Some("192.0.2.66, 203.0.113.7"), 1), "203.0.113.7");
        // Too few readable entries: the address that called API Gateway.
        for short in [
            None,
            Some(""),
            Some("198.51.100.1"),
            Some("x, 198.51.100.1"),
        ] {
            assert_eq!(of(short, 1), "198.51.100.1", "{short:?}");
        }
        assert_eq!(at(None, "", 0), "unknown");
        assert_eq!(at(Some("x"), "", 1), "unknown");
        assert_eq!(at(Some("203.0.113.7"), "", 1), "203.0.113.7");
    }

    #[test]
    fn debug_hides_the_address() {
        let source = Source::of("203.0.113.7".parse().unwrap());
        assert_eq!(format!("{source:?}"), "Source(…)");
        assert_eq!(Source::from_stored(source.as_str().to_owned()), source);
    }
}
