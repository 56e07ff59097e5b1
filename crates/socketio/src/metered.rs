//! A connection of which it is counted what it takes and what comes over it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::frames::Frames;
use crate::outlet::Outlet;
use crate::packets::Packets;

/// A WebSocket connection that tells its [`Outlet`] what it has taken.
#[derive(Debug)]
pub struct Metered<S> {
    connection: S,
    outlet: Outlet,
    /// What is sent to the client.
    frames: Frames,
    /// What the client sends.
    packets: Packets,
    /// What the outlet was told last.
    is_blocked: bool,
    /// Watched while nothing is read, since the connection, which would tell, is not asked then. Most never need it.
    broken_off: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Metered<S> {
    pub(crate) fn new(connection: S, outlet: Outlet) -> Self {
        Self {
            connection,
            outlet,
            frames: Frames::default(),
            packets: Packets::default(),
            is_blocked: false,
            broken_off: None,
        }
    }

    fn set_blocked(&mut self, is_blocked: bool) {
        if std::mem::replace(&mut self.is_blocked, is_blocked) != is_blocked {
            self.outlet.set_blocked(is_blocked);
        }
    }

    fn poll_broken_off(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wire) = self.outlet.wire() else { return Poll::Pending };
        let broken_off = self.broken_off.get_or_insert_with(|| Box::pin(wire.clone().cancelled_owned()));
        broken_off.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.outlet.counted().intake().poll_open(cx).is_pending() {
            return self.poll_broken_off(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.packets.have_much() {
            // Others have their turn in between, be there ever so much to read.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.connection).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let Self { outlet, packets, .. } = &mut *self;
        let outlet = outlet.counted();
        let is_taken = (!packets.have_begun() || outlet.receive(read.len())) && packets.advance(read, outlet.intake());
        if is_taken {
            return Poll::Ready(Ok(()));
        }
        outlet.note_flood();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client sends too much")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.connection).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = written {
            let taken = bytes.get(..length).unwrap_or(bytes);
            let Self { frames, outlet, .. } = &mut *self;
            let outlet = outlet.counted();
            // engineioxide puts one packet into one frame.
            frames.advance(taken, |piece| {
                if piece.is_last() {
                    outlet.give_back(piece.frame.size);
                }
            });
            outlet.note_taken(length);
        }
        self.set_blocked(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        self.set_blocked(false);
        self.packets.forget(self.outlet.counted().intake());
    }
}
