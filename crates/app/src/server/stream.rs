//! The TCP socket of an upgraded connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::probing::ANSWER_FRAME;
use super::refusal::linger;
use super::sockets::{Seat, Stand};

/// A socket that was read from already: what had been read comes first. It counts as open until it is dropped, wherever hyper and
/// the WebSocket have moved it by then, and then lingers until the client has read what it was told last. When the server hangs up it
/// breaks off: no more is read, and of what waits to be written the system gets what it takes. When it hangs up on this one alone, for it
/// reads nothing, the connection is reset, since the system would keep what it took until it gives the client up.
pub(super) struct Upgraded {
    already_read: Bytes,
    /// There until it is dropped.
    socket: Option<TcpStream>,
    unsent: Option<Unsent>,
    hang_up: CancellationToken,
    /// Cancelled when the server hangs up on everybody.
    closing: CancellationToken,
    hung_up: Waiting,
    /// The same for the task that writes, which is another one. Most never wait.
    hung_up_on_writer: Option<Waiting>,
    held: Option<Held>,
}

/// What a connection has as long as it is open: its place among those that are, that among those of its address, and that of its address
/// among the sockets if it began a session.
pub(super) type Held = (TaskTrackerToken, Stand, Option<Seat>);

/// What would be said to a client that has heard it already: the head of an answer, up to the empty line, and the frame behind it.
#[derive(Default)]
struct Unsent {
    /// How many bytes of the empty line have come.
    matched: usize,
    /// How many bytes of the frame have come.
    frame: usize,
}

impl Unsent {
    /// How many of these bytes, from the first on, belong to it.
    fn pass_over(&mut self, bytes: &[u8]) -> usize {
        const END: &[u8] = b"\r\n\r\n";
        let mut passed = 0_usize;
        for byte in bytes {
            if self.is_over() {
                break;
            }
            if self.matched == END.len() {
                self.frame = self.frame.saturating_add(1);
            } else if END.get(self.matched) == Some(byte) {
                self.matched = self.matched.saturating_add(1);
            } else {
                self.matched = usize::from(*byte == b'\r');
            }
            passed = passed.saturating_add(1);
        }
        passed
    }

    const fn is_over(&self) -> bool {
        self.frame >= ANSWER_FRAME
    }
}

type Waiting = Pin<Box<WaitForCancellationFutureOwned>>;

impl Upgraded {
    pub(super) fn new(
        already_read: Bytes,
        socket: TcpStream,
        is_probed: bool,
        (hang_up, closing): (CancellationToken, CancellationToken),
        held: Held,
    ) -> Self {
        let unsent = is_probed.then(Unsent::default);
        let hung_up = Box::pin(hang_up.clone().cancelled_owned());
        Self {
            already_read,
            socket: Some(socket),
            unsent,
            hang_up,
            closing,
            hung_up,
            hung_up_on_writer: None,
            held: Some(held),
        }
    }

    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// How many of these bytes the client has had already, if any.
    fn pass_over(&mut self, bytes: &[u8]) -> Option<usize> {
        let unsent = self.unsent.as_mut()?;
        let passed = unsent.pass_over(bytes);
        if unsent.is_over() {
            self.unsent = None;
        }
        Some(passed).filter(|passed| *passed > 0)
    }

    /// What comes of a write: an error when it would wait and the server has hung up.
    fn unless_hung_up(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            return written;
        }
        let token = &self.hang_up;
        let hung_up = self.hung_up_on_writer.get_or_insert_with(|| Box::pin(token.clone().cancelled_owned()));
        hung_up.as_mut().poll(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else { return };
        if !self.hang_up.is_cancelled() {
            if let Ok(runtime) = Handle::try_current() {
                let stand = self.held.take().and_then(|(_, stand, _)| stand);
                runtime.spawn(async move {
                    let _stand = stand;
                    // Whatever comes of it, the connection is over.
                    linger(socket).await.ok()
                });
            }
        } else if !self.closing.is_cancelled() {
            let _ = socket.set_zero_linger();
        }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.already_read.is_empty() {
            return match self.socket()?.poll_read(cx, buffer) {
                Poll::Pending => self.hung_up.as_mut().poll(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into())),
                ready => ready,
            };
        }
        let length = self.already_read.len().min(buffer.remaining());
        buffer.put_slice(&self.already_read.copy_to_bytes(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(passed) = self.pass_over(bytes) {
            return Poll::Ready(Ok(passed));
        }
        let written = self.socket()?.poll_write(cx, bytes);
        self.unless_hung_up(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}
