//! Where a request comes from: the one place that decides whose address counts, for HTTP and for the handshakes of sockets alike.

use std::net::IpAddr;
use std::sync::Once;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpMessage as _, HttpRequest};
use ipnet::IpNet;
use mango_domain::model::Client;

use crate::middleware::access::SentBy;

/// What most proxies say in place of `Forwarded`.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The reverse proxies that are believed when they say who is in front of them: addresses and networks. By default nobody is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks in CIDR notation, separated by commas; `None` when one of them is neither.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let network = |entry: &str| entry.parse().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
        entries.map(network).collect::<Option<_>>().map(Self)
    }

    /// Whether any address at all is among them, so that everybody can forge theirs.
    #[must_use]
    pub fn trust_everybody(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }

    /// The address of the client of a request that came over a connection from `peer`.
    ///
    /// It is the other end of the connection, unless that is a trusted proxy. Then `Forwarded` (RFC 7239) or `X-Forwarded-For` is read
    /// from the right, where the nearest proxy writes: the first address that is not a trusted proxy's is the client. What
    /// stands left of it may be anybody's invention. Where an address is missing or cannot be read, the last one before it counts.
    ///
    /// A proxy sets one of the two headers and may pass on the other one as the client sent it. So when there are both and they
    /// disagree, neither is believed.
    ///
    /// An IPv4 address that is written as an IPv6 one is shown as what it is.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let (forwarded, listed) = (headers.contains_key(header::FORWARDED), headers.contains_key(X_FORWARDED_FOR));
        if !forwarded && !listed {
            return peer;
        }
        if !self.contains(peer) {
            warn_of_missing_trust(peer);
            return peer;
        }
        let by_forwarded = forwarded.then(|| self.walk(peer, headers, header::FORWARDED, nodes));
        let by_list = listed.then(|| self.walk(peer, headers, X_FORWARDED_FOR, entries));
        match (by_forwarded, by_list) {
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Goes from proxy to proxy, away from this server.
    fn walk(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: HeaderName,
        read: fn(&str) -> Vec<Option<IpAddr>>,
    ) -> IpAddr {
        let lines: Vec<_> = headers.get_all(name).collect();
        let hops = lines.iter().rev().flat_map(|line| {
            let mut hops = line.to_str().map_or_else(|_| vec![None], read);
            hops.reverse();
            hops
        });
        let mut nearest = peer;
        for hop in hops {
            let Some(hop) = hop.filter(|_| self.contains(nearest)) else { break };
            nearest = hop;
        }
        nearest
    }
}

/// Left with a request by the outermost middleware.
#[derive(Clone, Copy)]
pub(crate) struct ClientAddress(pub IpAddr);

/// The address of the client of a request, as [`TrustedProxies::client`] has it.
pub(crate) fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.extensions().get::<ClientAddress>().map(|address| address.0)
}

/// Whose request it is, as far as that has been found out.
pub(crate) fn client(request: &HttpRequest) -> Client {
    let user = request.extensions().get::<SentBy>().map(|sender| sender.0);
    Client { address: address(request), user }
}

/// The entries of a line of `X-Forwarded-For`.
fn entries(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|entry| node(entry.trim())).collect()
}

/// The `for` of each element of a line of `Forwarded`. A line that cannot be read as a whole, as with a quotation mark that a client
/// left open, is one element that cannot be read.
fn nodes(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = split(line, ',') else { return vec![None] };
    let read = |element: &str| {
        let pairs = split(element, ';')?;
        let mut given = pairs
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        let (_, value) = given.next()?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        node(bare).filter(|_| given.next().is_none())
    };
    elements.into_iter().map(read).collect()
}

/// Splits at a sign that is not within quotation marks; `None` when one of those is left open.
pub(crate) fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text
        .split(|sign: char| {
            let here = sign == at && !quoted;
            match sign {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
            here
        })
        .collect();
    (!quoted).then_some(parts)
}

/// An address, with or without a port; one of IPv6 in brackets or not. `unknown` and made-up names are none.
fn node(text: &str) -> Option<IpAddr> {
    let address = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        (port.is_empty() || is_port(port.strip_prefix(':')?)).then(|| address.parse().ok().map(IpAddr::V6))?
    } else if let Ok(address) = text.parse() {
        Some(address)
    } else {
        let (address, port) = text.split_once(':')?;
        is_port(port).then(|| address.parse().ok().map(IpAddr::V4))?
    };
    address.map(|address| address.to_canonical())
}

/// A port is a number, or a name that hides it (RFC 7239, section 6).
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok() || text.starts_with('_')
}

/// Tells once that a proxy seems to be in front that is not trusted. Only what is near can be one; anybody else who sends the headers is
/// making them up.
fn warn_of_missing_trust(peer: IpAddr) {
    static WARNED: Once = Once::new();
    let near = match peer {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    if near {
        WARNED.call_once(|| {
            tracing::warn!(
                proxy = %peer,
                "requests come with Forwarded or X-Forwarded-For from an address that MANGO_TRUSTED_PROXIES does not list: all \
                 clients behind it count as one"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client that is found behind the proxies 10.0.0.0/8, 192.0.2.1 and 2001:db8:1::/48.
    fn check(peer: &str, headers: &[(&str, &str)], client: &str) {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.1,2001:db8:1::/48").unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse().unwrap(), value.parse().unwrap());
        }
        let found = proxies.client(peer.parse().unwrap(), &map);
        assert_eq!(found.to_string(), client, "{peer} with {headers:?}");
    }

    #[test]
    fn nobody_else_is_believed() {
        let forged = [("forwarded", "for=198.51.100.9"), ("x-forwarded-for", "198.51.100.9")];
        for peer in ["203.0.113.7", "192.0.2.2", "2001:db8:2::1", "127.0.0.1"] {
            check(peer, &[], peer);
            check(peer, &forged, peer);
            check(peer, &forged[..1], peer);
            check(peer, &forged[1..], peer);
        }
        let nobody = TrustedProxies::default();
        let mut map = HeaderMap::new();
        map.append(X_FORWARDED_FOR, "198.51.100.9".parse().unwrap());
        assert_eq!(nobody.client("127.0.0.1".parse().unwrap(), &map).to_string(), "127.0.0.1");
    }

    #[test]
    fn a_list_is_walked_from_the_right_over_trusted_proxies() {
        let name = "x-forwarded-for";
        check("10.1.2.3", &[], "10.1.2.3");
        check("10.1.2.3", &[(name, "203.0.113.7")], "203.0.113.7");
        check("::ffff:10.1.2.3", &[(name, "::ffff:203.0.113.7")], "203.0.113.7");
        check("10.1.2.3", &[(name, "6.6.6.6, 203.0.113.7")], "203.0.113.7");
        check("10.1.2.3", &[(name, "10.6.6.6, 203.0.113.7")], "203.0.113.7");
        check("10.1.2.3", &[(name, "203.0.113.7, 192.0.2.1,10.0.0.9")], "203.0.113.7");
        check("10.1.2.3", &[(name, "6.6.6.6"), (name, "203.0.113.7, 10.0.0.9")], "203.0.113.7");
        check("2001:db8:1::5", &[(name, "2001:db8:2::7")], "2001:db8:2::7");
        check("10.1.2.3", &[(name, "203.0.113.7:4711")], "203.0.113.7");
        check("10.1.2.3", &[(name, "[2001:db8:2::7]:4711")], "2001:db8:2::7");
        check("10.1.2.3", &[(name, "10.0.0.9, 10.0.0.8")], "10.0.0.9");
        // What cannot be read ends the walk.
        for unreadable in ["", "unknown", "203.0.113.7.1", "203.0.113.7:http", "[203.0.113.7", "[::1]x"] {
            check("10.1.2.3", &[(name, unreadable)], "10.1.2.3");
            check("10.1.2.3", &[(name, &format!("6.6.6.6, {unreadable}, 10.0.0.9"))], "10.0.0.9");
        }
        check("10.1.2.3", &[(name, "caf\u{e9}, 203.0.113.7")], "10.1.2.3");
    }

    #[test]
    fn forwarded_is_walked_likewise() {
        let name = "forwarded";
        for (value, client) in [
            ("for=203.0.113.7", "203.0.113.7"),
            ("For=203.0.113.7;proto=http;by=203.0.113.43", "203.0.113.7"),
            ("proto=https; for=\"203.0.113.7:4711\"", "203.0.113.7"),
            ("for=\"[2001:db8:2::7]:_port\"", "2001:db8:2::7"),
            ("for=6.6.6.6, for=203.0.113.7, for=10.0.0.9", "203.0.113.7"),
            // What a client has the proxy quote is no element of its own.
            ("for=203.0.113.7;host=\"a, for=6.6.6.6\"", "203.0.113.7"),
            ("for=203.0.113.7;host=\"a;for=6.6.6.6\"", "203.0.113.7"),
            ("for=203.0.113.7;host=\"a\\\", for=6.6.6.6\"", "203.0.113.7"),
            ("for=\"6.6.6.6, for=203.0.113.7", "10.1.2.3"),
            ("for=6.6.6.6;for=203.0.113.7", "10.1.2.3"),
            ("for=unknown", "10.1.2.3"),
            ("for=_hidden", "10.1.2.3"),
            ("by=203.0.113.7", "10.1.2.3"),
            ("203.0.113.7", "10.1.2.3"),
            ("for=6.6.6.6, for=_hidden, for=10.0.0.9", "10.0.0.9"),
        ] {
            check("10.1.2.3", &[(name, value)], client);
        }
        check("10.1.2.3", &[(name, "for=\"6.6.6.6"), (name, "for=203.0.113.7")], "203.0.113.7");
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let both = |forwarded, listed| [("forwarded", forwarded), ("x-forwarded-for", listed)];
        check("10.1.2.3", &both("for=6.6.6.6", "203.0.113.7"), "10.1.2.3");
        check("10.1.2.3", &both("for=203.0.113.7", "6.6.6.6"), "10.1.2.3");
        check("10.1.2.3", &both("for=203.0.113.7", "203.0.113.7, 10.0.0.9"), "203.0.113.7");
    }

    #[test]
    fn lists_of_proxies() {
        for (list, allowed) in [
            ("", true),
            ("127.0.0.1", true),
            ("::1, 10.0.0.0/8,fd00::/8", true),
            ("10.0.0.0/33", false),
            ("proxy.internal", false),
            ("10.0.0.1:80", false),
            ("127.0.0.1;::1", false),
        ] {
            assert_eq!(TrustedProxies::parse(list).is_some(), allowed, "{list:?}");
        }
        assert!(TrustedProxies::parse("0.0.0.0/0").unwrap().trust_everybody());
        assert!(!TrustedProxies::parse("10.0.0.0/8,::1").unwrap().trust_everybody());
    }
}
