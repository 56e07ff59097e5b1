//! How much is taken from a client: while more of its events are in flight than should be, nothing is read of what it sends, so that it
//! waits in the buffers of the system and of the client (backpressure). And how much it may send that the rates of its user do
//! not count: packets that are no events, and events beyond the rates.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Duration, Instant};

use crate::outlet::Outlet;
use crate::packets::Opening;
use crate::service::SEPARATOR;
use crate::sums::Share;

/// How many packets that are no events a client may send at once, and how long until it may send one more. Official clients send one to be
/// connected and one every 25 seconds to say that they are there.
const MOST_OTHERS: u32 = 100;
const OTHERS_EVERY: Duration = Duration::from_millis(500);

/// How many events may be refused at once before nothing is read from their client for a moment, and how long until one more may be.
///
/// Pongs wait behind them, and so does the answer to a request of long-polling: what an honest client has kept while it was away should be over
/// in seconds.
const MOST_REFUSED: u32 = 10_000;
const REFUSED_EVERY: Duration = Duration::from_millis(1);

/// What is taken from a client, which is everything to begin with.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    is_shut: AtomicBool,
    /// Those that would read.
    readers: Mutex<Vec<Waker>>,
    /// The bytes of what the client has sent and is not done with.
    share: Share,
    /// The part of these that belongs to an event which may wait for attachments.
    attached: AtomicUsize,
    /// Whether nothing is read for a moment.
    is_paused: AtomicBool,
    others: Tally,
    refused: Tally,
}

/// How much there has been lately of something that may happen now and then: the generic cell rate algorithm, as in ITU-T I.371.
#[derive(Debug, Default)]
struct Tally {
    /// When there is no trace left of it.
    forgotten: Mutex<Option<Instant>>,
}

impl Tally {
    /// Takes note of one more; whether it is within `most` at once and one for each `every`.
    fn count(&self, most: u32, every: Duration) -> bool {
        let now = Instant::now();
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let next = forgotten.unwrap_or(now).max(now) + every;
        let is_within = next.duration_since(now) <= every * most;
        if is_within {
            *forgotten = Some(next);
        }
        is_within
    }
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

    /// The bytes of what the client has sent and is not done with.
    pub(crate) const fn share(&self) -> &Share {
        &self.share
    }

    /// Takes note of a packet that is no event; whether there may be one more.
    #[must_use]
    pub(crate) fn tolerate(&self) -> bool {
        self.others.count(MOST_OTHERS, OTHERS_EVERY)
    }

    /// Takes note of an event that is refused because there are too many; whether more of them may be read at once.
    #[must_use]
    pub(crate) fn refuses(&self) -> bool {
        self.refused.count(MOST_REFUSED, REFUSED_EVERY)
    }

    /// Takes note of how many bytes an event that may wait for attachments has with those that have come.
    pub(crate) fn note_attached(&self, bytes: usize) {
        match self.attached.swap(bytes, Ordering::Relaxed) {
            before if before < bytes => self.share.add(bytes.saturating_sub(before)),
            before if before > bytes => self.share.remove(before.saturating_sub(bytes)),
            _ => {}
        }
    }

    /// How many bytes that is.
    pub(crate) fn attached(&self) -> usize {
        self.attached.load(Ordering::Relaxed)
    }

    /// Has nothing read until [`go_on`](Self::go_on); whether it was read before.
    #[must_use]
    pub(crate) fn pause(&self) -> bool {
        !self.is_paused.swap(true, Ordering::AcqRel)
    }

    /// Has what comes read again after a pause, unless it is shut.
    pub(crate) fn go_on(&self) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_paused.store(false, Ordering::Release);
        let woken = std::mem::take(&mut *readers);
        drop(readers);
        woken.into_iter().for_each(Waker::wake);
    }

    fn is_closed(&self) -> bool {
        self.is_shut.load(Ordering::Acquire) || self.is_paused.load(Ordering::Acquire)
    }

    /// Waits until something may be read.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_closed() {
            return Poll::Ready(());
        }
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // It opens under the lock, so that nobody waits for what has been.
        if !self.is_closed() {
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
    /// Of the packet that `rest` begins with or goes on with.
    opening: Opening,
    outlet: Option<Outlet>,
}

impl<B> Paced<B> {
    /// The body as it is without an outlet.
    pub(crate) fn new(body: B, outlet: Option<Outlet>) -> Self {
        Self { body, rest: Bytes::new(), opening: Opening::default(), outlet }
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
        let part = self.rest.split_to(end);
        let is_last = self.is_end_stream();
        let Self { opening, outlet, .. } = &mut *self;
        if let Some(outlet) = outlet {
            let (packet, is_complete) = match part.strip_suffix(&[SEPARATOR]) {
                Some(packet) => (packet, true),
                None => (&*part, is_last),
            };
            if !opening.advance(packet.len(), packet.iter().copied(), is_complete, outlet.intake()) {
                outlet.note_flood();
                return Poll::Ready(None);
            }
            if is_complete {
                *opening = Opening::default();
            }
        }
        Poll::Ready(Some(Ok(Frame::data(part))))
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
