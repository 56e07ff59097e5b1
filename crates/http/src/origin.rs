//! Where a web page comes from that a request was sent by.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::peer::split;
use crate::{CorsPolicy, TrustedProxies};

/// What a browser says of where the page is from that made it send a request (Fetch Metadata). Pages cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How most proxies say what scheme the client's request had.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether a request comes from a page that this server serves itself, as far as `Host` tells. A page that is not at home cannot make
/// its browser send another `Origin` or another `Host`. The scheme has to be that of the request as the client made it, if that is
/// [known](TrustedProxies::scheme): what comes in the clear can be from anybody on the way, and is not at home where TLS is. If it is not known,
/// either will do, since behind a proxy that does TLS the page has another one than the request.
#[must_use]
pub fn is_own_origin(headers: &HeaderMap, scheme: Option<&str>) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let page = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    page.zip(text(header::HOST)).is_some_and(|((page_scheme, page), host)| {
        let schemes = scheme.as_ref().map_or(&["http", "https"][..], std::slice::from_ref);
        schemes.iter().any(|scheme| page_scheme.eq_ignore_ascii_case(scheme)) && page.eq_ignore_ascii_case(host)
    })
}

impl TrustedProxies {
    /// The scheme of a request as its client made it, `http` or `https`, when it came over a connection from a trusted proxy that says so in
    /// `X-Forwarded-Proto` or as `proto` in `Forwarded` (RFC 7239). Several have to say the same: who of them is nearest to the client, and which of the
    /// words a client has put there itself, cannot be told. `None` when it is not known.
    #[must_use]
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> Option<&'static str> {
        if !self.contains(peer.to_canonical()) {
            return None;
        }
        let lines = |name| headers.get_all(name).map(|line| line.to_str().unwrap_or_default());
        let listed = lines(X_FORWARDED_PROTO).flat_map(|line| line.split(',').map(known).collect::<Vec<_>>());
        let mut told = listed.chain(lines(header::FORWARDED).flat_map(protos));
        let first = told.next()??;
        told.all(|other| other == Some(first)).then_some(first)
    }
}

/// The `proto` of each element of a line of `Forwarded` that has one.
fn protos(line: &str) -> Vec<Option<&'static str>> {
    let Some(elements) = split(line, ',') else { return vec![None] };
    let pairs = elements.into_iter().flat_map(|element| split(element, ';').unwrap_or_default());
    let protos =
        pairs.filter_map(|pair| pair.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("proto")));
    protos.map(|(_, value)| known(value.trim().trim_matches('"'))).collect()
}

/// A scheme of HTTP. Some proxies have one of their own for what becomes a WebSocket.
fn known(scheme: &str) -> Option<&'static str> {
    match scheme.trim().to_ascii_lowercase().as_str() {
        "http" | "ws" => Some("http"),
        "https" | "wss" => Some("https"),
        _ => None,
    }
}

impl CorsPolicy {
    /// Whether the cookie of this request counts. A browser sends it along with what pages of others make it send, so that it counts
    /// for the server's own pages and for those of listed origins alone. Programs that are not browsers send no `Origin`, and those that
    /// are may leave it out, but then say how far away the page is.
    pub(crate) fn trusts_cookie(&self, headers: &HeaderMap, scheme: Option<&str>) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
            return site.is_none_or(|site| [b"same-origin".as_slice(), b"none"].contains(&site));
        };
        let listed = |origin: &str| match self {
            Self::AnyOrigin => false,
            Self::Origins(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
        };
        is_own_origin(headers, scheme) || origin.to_str().is_ok_and(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &CorsPolicy, origin: Option<&str>, trusted: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "chat.example:5000".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(policy.trusts_cookie(&headers, None), trusted, "{policy:?} and {origin:?}");
    }

    #[test]
    fn a_cookie_counts_at_home_and_for_listed_origins() {
        let listed = CorsPolicy::Origins(vec!["https://app.example".to_owned()]);
        for policy in [&CorsPolicy::AnyOrigin, &listed] {
            check(policy, None, true);
            check(policy, Some("http://chat.example:5000"), true);
            check(policy, Some("https://Chat.Example:5000"), true);
            for foreign in [
                "https://evil.example",
                "http://chat.example",
                "http://chat.example:5001",
                "http://sub.chat.example:5000",
                "http://chat.example:5000.evil.example",
                "http://evil.example/chat.example:5000",
                "https://app.example.evil.example",
                "http://app.example",
                "chat.example:5000",
                "ftp://chat.example:5000",
                "null",
                "",
            ] {
                check(policy, Some(foreign), false);
            }
        }
        check(&listed, Some("https://app.example"), true);
        check(&CorsPolicy::AnyOrigin, Some("https://app.example"), false);
    }

    #[test]
    fn without_an_origin_a_browser_says_how_far_away_the_page_is() {
        let listed = CorsPolicy::Origins(vec!["https://app.example".to_owned()]);
        for (site, origin, trusted) in [
            ("same-origin", None, true),
            ("none", None, true),
            ("cross-site", None, false),
            ("same-site", None, false),
            ("", None, false),
            ("cross-site", Some("https://app.example"), true),
            ("same-origin", Some("https://evil.example"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "chat.example:5000".parse().unwrap());
            headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(listed.trusts_cookie(&headers, None), trusted, "{site:?} and {origin:?}");
        }
    }

    #[test]
    fn without_a_host_nobody_is_at_home() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, "http://chat.example:5000".parse().unwrap());
        assert!(!is_own_origin(&headers, None));
    }

    #[test]
    fn where_the_scheme_is_known_a_page_of_another_one_is_not_at_home() {
        for (origin, scheme, own) in [
            ("https://chat.example", Some("https"), true),
            ("HTTPS://chat.example", Some("https"), true),
            ("http://chat.example", Some("https"), false),
            ("http://chat.example", Some("http"), true),
            ("https://chat.example", Some("http"), false),
            ("http://chat.example", None, true),
            ("https://chat.example", None, true),
            ("chrome-extension://chat.example", None, false),
            ("://chat.example", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "chat.example".parse().unwrap());
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            assert_eq!(is_own_origin(&headers, scheme), own, "{origin} by {scheme:?}");
        }
    }

    #[test]
    fn trusted_proxies_tell_the_scheme_and_nobody_else() {
        let (short, long) = ("x-forwarded-proto", "forwarded");
        for (peer, told, scheme) in [
            ("10.0.0.1", &[][..], None),
            ("10.0.0.1", &[(short, "https")], Some("https")),
            ("::ffff:10.0.0.1", &[(short, "http")], Some("http")),
            ("10.0.0.1", &[(short, "HTTPS")], Some("https")),
            ("10.0.0.1", &[(short, "wss")], Some("https")),
            ("10.0.0.2", &[(short, "https")], None),
            ("10.0.0.1", &[(short, "gopher")], None),
            ("10.0.0.1", &[(short, "")], None),
            ("10.0.0.1", &[(short, "https, https")], Some("https")),
            ("10.0.0.1", &[(short, "https, http")], None),
            ("10.0.0.1", &[(short, "https"), (short, "http")], None),
            ("10.0.0.1", &[(long, "for=192.0.2.1;proto=https")], Some("https")),
            ("10.0.0.1", &[(long, "For=\"[2001:db8::1]:7\"; Proto=\"http\"")], Some("http")),
            ("10.0.0.1", &[(long, "for=192.0.2.1, for=10.0.0.3;proto=https")], Some("https")),
            ("10.0.0.1", &[(long, "for=192.0.2.1")], None),
            ("10.0.0.1", &[(long, "proto=https, for=\"")], None),
            ("10.0.0.1", &[(short, "https"), (long, "proto=http")], None),
            ("10.0.0.1", &[(short, "https"), (long, "for=192.0.2.1")], Some("https")),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in told {
                headers.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            let proxies = TrustedProxies::parse("10.0.0.1").unwrap();
            assert_eq!(proxies.scheme(peer.parse().unwrap(), &headers), scheme, "{told:?} from {peer}");
        }
    }
}
