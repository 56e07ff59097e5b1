//! Which web pages may open a socket. Browsers do not apply CORS to WebSockets, and of long-polling they hide the answers alone, so the
//! server has to look at `Origin` itself.

use actix_http::header::{self, HeaderMap};

/// The origins that may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// These, each written `scheme://host[:port]`, and the server's own.
    Only(Vec<String>),
}

impl Origins {
    /// Whether a request with these headers may open a socket or go on with it. Programs that are not browsers send no `Origin`, and
    /// a page that this server serves itself is at home whatever the settings say. `scheme` is that of the request, as far as it is known.
    pub(super) fn allow(&self, headers: &HeaderMap, scheme: Option<&str>) -> bool {
        let (Self::Only(origins), Some(origin)) = (self, headers.get(header::ORIGIN)) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        mango_http::is_own_origin(headers, scheme) || origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, origin: Option<&str>, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "chat.example:5000".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        assert_eq!(origins.allow(&headers, None), allowed, "{origins:?} and {origin:?}");
    }

    #[test]
    fn pages_of_listed_origins_and_programs_may_connect() {
        let listed = Origins::Only(vec!["https://app.example".to_owned()]);
        check(&Origins::Any, None, true);
        check(&Origins::Any, Some("https://anywhere.example"), true);
        check(&Origins::Any, Some("null"), true);
        check(&listed, None, true);
        check(&listed, Some("https://app.example"), true);
        check(&listed, Some("HTTPS://App.example"), true);
        check(&listed, Some("http://chat.example:5000"), true);
        check(&listed, Some("http://app.example"), false);
        check(&listed, Some("https://app.example:8443"), false);
        check(&listed, Some("https://app.example.evil.example"), false);
        check(&listed, Some("https://evil.example"), false);
        check(&listed, Some("null"), false);
        check(&listed, Some(""), false);
    }
}
