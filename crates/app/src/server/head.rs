//! The head of a request: how long it may get before actix parses it, and how it is written again for hyper to parse.

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

/// The most bytes that a head may have before its end has come. Actix alone would keep four times as much for each connection.
const MOST: usize = 32 * 1024;

/// How much of the first request of a connection has come, as long as its head goes on. Where the next ones begin is actix's business.
#[derive(Debug, Default)]
pub(super) struct Length {
    bytes: usize,
    /// How many bytes of the empty line at its end.
    matched: usize,
}

impl Length {
    const END: &[u8] = b"\r\n\r\n";

    /// Goes on by these bytes; whether the head may have so many.
    pub fn advance(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.matched == Self::END.len() {
                return true;
            }
            self.bytes = self.bytes.saturating_add(1);
            self.matched = match Self::END.get(self.matched) {
                Some(expected) if expected == byte => self.matched.saturating_add(1),
                _ => usize::from(*byte == b'\r'),
            };
        }
        self.matched == Self::END.len() || self.bytes <= MOST
    }
}

#[cfg(test)]
mod tests {
    use actix_http::Method;
    use actix_http::header::{self, HeaderValue};
    use actix_http::test::TestRequest;

    use super::*;

    #[test]
    fn a_head_has_a_length_however_it_comes() {
        let head = |size: usize| [b"GET / HTTP/1.1\r\nX: ", vec![b'x'; size - 23].as_slice(), b"\r\n\r\n"].concat();
        assert_eq!(head(100).len(), 100);
        for step in [1, 3, 1000, 100_000] {
            let comes = |bytes: &[u8]| {
                let mut length = Length::default();
                bytes.chunks(step).all(|chunk| length.advance(chunk))
            };
            assert!(comes(&head(MOST)), "{step}");
            assert!(comes(&[head(1000), vec![b'x'; 1_000_000]].concat()), "a body is no head");
            assert!(!comes(&head(MOST + 4000)[..MOST + 2000]), "{step}");
        }
    }

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
