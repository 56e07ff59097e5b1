//! Where a web page comes from that a request was sent by.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::CorsPolicy;

/// What a browser says of where the page is from that made it send a request (Fetch Metadata). Pages cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request comes from a page that this server serves itself, as far as `Host` tells. A page that is not at home cannot make
/// its browser send another `Origin` or another `Host`. The scheme is not compared: behind a proxy that does TLS the page has another
/// one than the request.
#[must_use]
pub fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.zip(text(header::HOST)).is_some_and(|(page, host)| page.eq_ignore_ascii_case(host))
}

impl CorsPolicy {
    /// Whether the cookie of this request counts. A browser sends it along with what pages of others make it send, so that it counts
    /// for the server's own pages and for those of listed origins alone. Programs that are not browsers send no `Origin`, and those that
    /// are may leave it out, but then say how far away the page is.
    pub(crate) fn trusts_cookie(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
            return site.is_none_or(|site| [b"same-origin".as_slice(), b"none"].contains(&site));
        };
        let listed = |origin: &str| match self {
            Self::AnyOrigin => false,
            Self::Origins(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
        };
        is_own_origin(headers) || origin.to_str().is_ok_and(listed)
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
        assert_eq!(policy.trusts_cookie(&headers), trusted, "{policy:?} and {origin:?}");
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
            assert_eq!(listed.trusts_cookie(&headers), trusted, "{site:?} and {origin:?}");
        }
    }

    #[test]
    fn without_a_host_nobody_is_at_home() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, "http://chat.example:5000".parse().unwrap());
        assert!(!is_own_origin(&headers));
    }
}
