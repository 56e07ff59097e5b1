//! The probe by which a session that polls tries a WebSocket (Engine.IO protocol 4, "Upgrade").
//!
//! engineioxide gives a session up when its upgrade comes to nothing, which is what it comes to behind every proxy that lets the
//! handshake pass and the frames not; a client there would never get to stay. So the probe is answered here, and nothing has happened
//! to the session until the client says that it upgrades. Then the connection is handed on with all that the client has sent, for
//! engineioxide to answer once more; that answer is not sent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use mango_http::Exchange;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;

/// How long a client may take from the handshake until it upgrades.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a poll waits for something to tell while a client probes. The client upgrades when its poll is answered, with nothing if need be.
const LAST_POLL: Duration = Duration::from_millis(100);

/// The first byte of a frame that is a whole text (RFC 6455, section 5.2).
const TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;

/// What the client sends to try the connection, what it is answered, and what it sends to move to it.
const PROBE: &[u8] = b"2probe";
const ANSWER: &[u8] = b"3probe";
const UPGRADE: &[u8] = b"5";

/// How many bytes the frame with [`ANSWER`] has.
pub(super) const ANSWER_FRAME: usize = 8;

/// The session in a query, if it names one. An empty name is none: the request begins a session.
pub(super) fn session(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("sid=")).filter(|session| !session.is_empty())
}

/// Whether a query asks for the transport of a WebSocket.
pub(super) fn names_websocket(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "transport=websocket"))
}

/// Which sessions probe, and which poll.
#[derive(Default)]
pub(super) struct Probes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    probing: HashMap<String, usize>,
    polls: HashMap<String, CancellationToken>,
}

/// A session that probes for as long as this is there.
struct Probing<'p> {
    probes: &'p Probes,
    session: &'p str,
}

/// A session that polls for as long as this is there.
pub(super) struct Poll<'p> {
    probes: &'p Probes,
    session: &'p str,
    probed: CancellationToken,
}

impl Probes {
    /// Takes note of a poll.
    pub(super) fn poll<'p>(&'p self, session: &'p str) -> Poll<'p> {
        let probed = CancellationToken::new();
        let mut state = self.lock();
        if state.probing.contains_key(session) {
            probed.cancel();
        }
        state.polls.insert(session.to_owned(), probed.clone());
        Poll { probes: self, session, probed }
    }

    fn begin<'p>(&'p self, session: &'p str) -> Probing<'p> {
        let mut state = self.lock();
        let probing = state.probing.entry(session.to_owned()).or_default();
        *probing = probing.saturating_add(1);
        if let Some(poll) = state.polls.get(session) {
            poll.cancel();
        }
        Probing { probes: self, session }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut probing) = self.probes.lock().probing.entry(self.session.to_owned()) {
            match probing.get().saturating_sub(1) {
                0 => drop(probing.remove()),
                left => *probing.get_mut() = left,
            }
        }
    }
}

impl Poll<'_> {
    /// Waits until the poll has to be answered with nothing, since the session probes.
    pub(super) async fn is_in_the_way(&self) {
        self.probed.cancelled().await;
        sleep(LAST_POLL).await;
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        self.probes.lock().polls.remove(self.session);
    }
}

/// Answers the handshake, whose key this is, and the probe. Gives what the client has sent once it upgrades.
///
/// # Errors
/// Whatever else comes, or comes of the connection, or that it takes too long.
pub(super) async fn probe<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut S,
    probes: &Probes,
    session: &str,
    key: &[u8],
    exchange: &Exchange,
    behind: &[u8],
) -> io::Result<Bytes> {
    let probing = async {
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n",
            derive_accept_key(key)
        );
        for (name, value) in exchange.headers() {
            head.extend([name, ": ", &value, "\r\n"]);
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes()).await?;
        let mut sent = BytesMut::from(behind);
        let first = expect(connection, &mut sent, 0, PROBE).await?;
        let _probing = probes.begin(session);
        let mut answer = [TEXT, 6].to_vec();
        answer.extend_from_slice(ANSWER);
        connection.write_all(&answer).await?;
        expect(connection, &mut sent, first, UPGRADE).await?;
        Ok(sent.freeze())
    };
    timeout(PATIENCE, probing).await?
}

/// Reads until `sent` has this text in a frame that begins at `from`. Gives where the frame ends.
async fn expect<S: AsyncRead + Unpin>(
    connection: &mut S,
    sent: &mut BytesMut,
    from: usize,
    text: &[u8],
) -> io::Result<usize> {
    let unexpected = || io::Error::new(io::ErrorKind::InvalidData, "what came is no probe");
    let length = text.len().saturating_add(6);
    let end = from.saturating_add(length);
    while sent.len() < end {
        if connection.read_buf(sent).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut frame = sent.get(from..end).unwrap_or_default();
    let size = u8::try_from(text.len()).unwrap_or(u8::MAX) | MASKED;
    if frame.try_get_u8() != Ok(TEXT) || frame.try_get_u8() != Ok(size) {
        return Err(unexpected());
    }
    let (mask, masked) = frame.split_at_checked(4).ok_or_else(unexpected)?;
    let said = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    if said.eq(text.iter().copied()) { Ok(end) } else { Err(unexpected()) }
}
