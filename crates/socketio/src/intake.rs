//! How much is taken from a client: while more of its events are in flight than should be, nothing is read of what it sends, so that it
//! waits in the buffers of the system and of the client (backpressure).

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use crate::outlet::Outlet;
use crate::service::SEPARATOR;

/// Whether anything is read from a client. It is to begin with.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    is_shut: AtomicBool,
    /// Those that would read.
    readers: Mutex<Vec<Waker>>,
}

impl Intake {
    /// Has nothing more read until [`open`](Self::open).
    pub(crate) fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
    }

    /// Has what comes read again.
    pub(crate) fn open(&self) {
        // In one order with the counts of events that it follows from: whoever shuts it looks at them again afterwards.
        if self.is_shut.load(Ordering::SeqCst) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.is_shut.store(false, Ordering::Release);
            let woken = std::mem::take(&mut *readers);
            drop(readers);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits until something may be read.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_shut.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // It opens under the lock, so that nobody waits for what has been.
        if !self.is_shut.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            readers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// The body of a polling request, which is handed on packet by packet as long as events of its session are taken.
#[derive(Debug)]
pub(crate) struct Paced<B> {
    body: B,
    rest: Bytes,
    outlet: Option<Outlet>,
}

impl<B> Paced<B> {
    /// The body as it is without an outlet.
    pub(crate) const fn new(body: B, outlet: Option<Outlet>) -> Self {
        Self { body, rest: Bytes::new(), outlet }
    }
}

impl<B: Body + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        // The end is told at once: what came before it has been taken.
        if let Some(outlet) = self.outlet.as_ref().filter(|_| !self.is_end_stream()) {
            ready!(outlet.intake().poll_open(cx));
        }
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(frame) => frame?.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let end =
            self.rest.iter().position(|byte| *byte == SEPARATOR).map_or(self.rest.len(), |at| at.saturating_add(1));
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(end)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (u64::try_from(self.rest.len()).unwrap_or(u64::MAX), self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.saturating_add(body.lower()));
        if let Some(upper) = body.upper() {
            hint.set_upper(rest.saturating_add(upper));
        }
        hint
    }
}
