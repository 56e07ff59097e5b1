//! The head of a request that actix has parsed, written again for hyper to parse.

use actix_http::{HttpMessage, Request};
use bytes::{BufMut, Bytes, BytesMut};

/// The head of the request as it goes over the wire, followed by the bytes that came behind it.
///
/// Parsing twice costs microseconds once per connection, and hyper takes a connection only from its first byte.
pub(super) fn rewrite(request: &Request, behind: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1024 + behind.len());
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    bytes.put_slice(request.method().as_str().as_bytes());
    bytes.put_u8(b' ');
    bytes.put_slice(target.as_bytes());
    bytes.put_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    bytes.put_slice(behind);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use actix_http::Method;
    use actix_http::header::{self, HeaderValue};
    use actix_http::test::TestRequest;

    use super::*;

    #[test]
    fn a_head_keeps_target_headers_and_what_came_behind() {
        let request = TestRequest::default()
            .method(Method::GET)
            .uri("/ws/socket.io/?EIO=4&transport=websocket")
            .insert_header((header::UPGRADE, "websocket"))
            .append_header((header::COOKIE, "a=1"))
            .append_header((header::COOKIE, "b=2"))
            .insert_header(("x-raw", HeaderValue::from_bytes(b"caf\xe9").unwrap()))
            .finish();
        let bytes = rewrite(&request, b"\x81\x80frame");
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (head, behind) = bytes.split_at(at + 4);
        assert_eq!(behind, b"\x81\x80frame");
        assert!(head.starts_with(b"GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"));
        for line in [&b"upgrade: websocket"[..], b"cookie: a=1", b"cookie: b=2", b"x-raw: caf\xe9"] {
            assert!(head.split(|byte| *byte == b'\n').any(|found| found.strip_suffix(b"\r") == Some(line)));
        }
    }
}
