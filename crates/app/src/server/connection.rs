//! The TCP socket of a connection as actix sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::StatusCode;
use bytes::BytesMut;
use mango_contract::problem::{Problem, ProblemKind};
use mango_http::{Exchange, UNMATCHED};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::head;
use super::last::Last;
use super::patience::Patience;
use super::refusal;
use super::sockets::{Sockets, Stand};

/// The longest that an answer of actix's parser can be.
const LONGEST: usize = 256;

/// A TCP socket, until a worker has done with it. Actix's parser answers what it cannot read with a bare status and closes the
/// connection; there is no other place to make a problem of that than here, on its way out.
pub(super) struct Connection {
    socket: Option<TcpStream>,
    stand: Stand,
    sockets: Sockets,
    patience: Patience,
    last: Last,
    /// Of the first request.
    head: head::Length,
    /// Whether anything ever came.
    is_heard: bool,
}

impl Connection {
    /// `request_timeout` is how long a request may take from its first byte to that of its answer, unless it keeps coming.
    pub fn new(socket: TcpStream, stand: Stand, sockets: Sockets, request_timeout: Duration) -> Self {
        let patience = Patience::new(request_timeout);
        Self {
            socket: Some(socket),
            stand,
            sockets,
            patience,
            last: Last::default(),
            head: head::Length::default(),
            is_heard: false,
        }
    }

    /// The socket and its place, if it was not refused.
    pub fn into_socket(self) -> Option<(TcpStream, Stand)> {
        Some((self.socket?, self.stand))
    }

    /// How far it has come.
    pub const fn last(&self) -> &Last {
        &self.last
    }

    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Answers in place of the parser, and takes the socket from actix.
    fn refuse(&mut self, status: StatusCode) {
        if let Some(socket) = self.socket.take() {
            let client = socket.peer_addr().ok().map(|peer| peer.ip().to_canonical());
            // Whoever says nothing should not fill the log either.
            let exchange = if self.is_heard { Exchange::begin("", None, client) } else { Exchange::in_silence(client) };
            let answer = exchange.refuse(&problem(status), UNMATCHED);
            refusal::spawn(&self.sockets, (socket, self.stand.take()), BytesMut::new(), answer);
        }
    }
}

/// What the parser's status means.
fn problem(status: StatusCode) -> Problem {
    match status {
        StatusCode::BAD_REQUEST => {
            Problem::new(ProblemKind::BadRequest, "this is no request of HTTP/1.1, or it has no Host or a broken body")
        }
        StatusCode::REQUEST_TIMEOUT => {
            Problem::new(ProblemKind::RequestTimeout, "the head of the request took too long to arrive")
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Problem {
            detail: "the head of a request may have at most 96 fields and 32 KiB".to_owned(),
            ..mango_http::of_status(status)
        },
        _ => Problem::new(ProblemKind::Internal, "the server could not do this"),
    }
}

/// Where in what is written an answer of actix's parser begins, and its status. Such an answer is the last one, has no body, and no
/// header but those that actix adds to all.
fn bare_answer(bytes: &[u8]) -> Option<(usize, StatusCode)> {
    const START: &[u8] = b"HTTP/1.";
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let (before, end) = bytes.split_at(bytes.len().saturating_sub(LONGEST));
    let at = end.windows(START.len()).rposition(|window| window == START)?;
    let mut lines = std::str::from_utf8(end.get(at..)?).ok()?.split("\r\n");
    let status: StatusCode = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let own = |line: &str| {
        ["", "content-length: 0"].contains(&line) || line.starts_with("connection: ") || line.starts_with("date: ")
    };
    let failed = status.is_client_error() || status.is_server_error();
    (failed && lines.all(own)).then_some((before.len() + at, status))
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.socket()?.poll_read(cx, buffer);
        match buffer.filled().len().saturating_sub(before) {
            // Actix limits the time of the first head alone; a later one, or a body that nobody reads, could stop for ever.
            0 if read.is_pending() => self.patience.poll_exhausted(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            received => {
                self.is_heard |= received > 0;
                self.patience.received(received);
                if self.head.advance(buffer.filled().get(before..).unwrap_or_default()) {
                    return read;
                }
                self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.patience.answered();
        let bytes = match bare_answer(bytes) {
            Some((0, status)) => {
                self.refuse(status);
                bytes
            }
            // What comes before it is the answer to an earlier request.
            Some((at, _)) => bytes.split_at(at).0,
            None => bytes,
        };
        self.socket()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // By now the answer to the last request is written.
        if self.last.is_over()
            && let Some(socket) = self.socket.take()
        {
            let stand = self.stand.take();
            refusal::close(&self.sockets, (socket, stand), BytesMut::new());
        }
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &str, found: Option<(usize, u16)>) {
        let answer = bare_answer(bytes.as_bytes()).map(|(at, status)| (at, status.as_u16()));
        assert_eq!(answer, found, "{bytes:?}");
    }

    #[test]
    fn only_answers_of_the_parser_are_bare() {
        let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        let bare = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n{date}\r\n");
        let earlier = format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-request-id: 7\r\n{date}\r\nhello");
        check(&bare, Some((0, 400)));
        check(&bare.replace("connection: close\r\n", ""), Some((0, 400)));
        check(
            &format!("HTTP/1.0 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n{date}\r\n"),
            Some((0, 431)),
        );
        check(&(earlier.clone() + &bare), Some((earlier.len(), 400)));
        check(&("x".repeat(1000) + &bare), Some((1000, 400)));
        check(&earlier, None);
        check(&bare.replace("400 Bad Request", "200 OK"), None);
        check(&bare.replace("date: ", "x-request-id: 7\r\ndate: "), None);
        check(&format!("HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n{date}\r\n"), None);
        check("\r\n\r\n", None);
        check("", None);
    }
}
