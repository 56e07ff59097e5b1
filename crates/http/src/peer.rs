//! Where a request comes from.

use std::net::IpAddr;

use actix_web::HttpRequest;

/// The address of whoever is at the other end of the connection, which behind a reverse proxy is the proxy. Nothing that the request
/// says of itself is believed. An IPv4 address that came in over an IPv6 socket is shown as what it is.
pub(crate) fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_the_connection_is_believed() {
        for (peer, expected) in
            [("192.0.2.1:5", "192.0.2.1"), ("[2001:db8::1]:5", "2001:db8::1"), ("[::ffff:192.0.2.1]:5", "192.0.2.1")]
        {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap());
            let forged = request
                .insert_header(("x-forwarded-for", "198.51.100.9"))
                .insert_header(("forwarded", "for=198.51.100.9"));
            assert_eq!(address(&forged.to_http_request()), Some(expected.parse().unwrap()), "{peer}");
        }
    }
}
