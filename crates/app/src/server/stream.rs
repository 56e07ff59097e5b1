//! The TCP socket of an upgraded connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A socket that was read from already: what had been read comes first. It counts as open until it is dropped, wherever hyper and
/// the WebSocket have moved it by then, and it breaks off when the server hangs up.
pub(super) struct Upgraded {
    already_read: Bytes,
    socket: TcpStream,
    hung_up: Pin<Box<WaitForCancellationFutureOwned>>,
    _open: TaskTrackerToken,
}

impl Upgraded {
    pub(super) fn new(
        already_read: Bytes,
        socket: TcpStream,
        hang_up: &CancellationToken,
        open: TaskTrackerToken,
    ) -> Self {
        // With a token of its own, a socket that waits shares no lock with the others.
        let hung_up = Box::pin(hang_up.child_token().cancelled_owned());
        Self { already_read, socket, hung_up, _open: open }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.already_read.is_empty() {
            return match Pin::new(&mut self.socket).poll_read(cx, buffer) {
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
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
