//! How much waits to be sent over a connection, in bytes.
//!
//! What is handed to socketioxide for a socket is added, and what the connection has taken is taken off again: a [`Metered`]
//! WebSocket counts the frames that go out of it, and [`Service`](crate::Service) the packets in the answers of long-polling. Packets
//! that are small are left out of both, and so cost nothing to count: there is a limit to how many packets may wait, and so many small
//! ones have few bytes.
//!
//! What waits in all outlets together is their backlog. What many of them wait to send is there once, so each has its share of it counted.
//!
//! In the other direction, what a client sends is looked at as it comes ([`Packets`](crate::packets::Packets)), and nothing is read while its [`Intake`] is shut.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use mango_contract::event::HangUpReason;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::intake::Intake;
use crate::metered::Metered;
use crate::sums::{Share, Sum};

/// The most bytes of a packet that is not counted. 4,096 of them have 4 MiB.
const SMALL: usize = 1024;

/// How long nothing is read from a client that sends more than is taken.
const PAUSE: Duration = Duration::from_millis(100);

/// The most bytes that are read from a client before it has been let in. All that it has to say until then is its token, and all of it can
/// come back to it in answers.
const BEFORE_LET_IN: usize = 16 * 1024;

/// What waits to be sent to one client. A copy is the same outlet.
///
/// Who serves the WebSocket connections makes one for each, wraps the connection in [`meter`](Self::meter), and puts the outlet into the
/// extensions of the one request that comes over it, for a WebSocket, and that it passes to [`Service`](crate::Service). What waits for a connection without one has no limit in bytes.
#[derive(Debug, Clone)]
pub struct Outlet {
    shared: Arc<Shared>,
}

/// An outlet that may be gone.
#[derive(Debug, Clone)]
pub(crate) struct WeakOutlet(Weak<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The bytes of the packets that wait.
    waiting: AtomicUsize,
    /// The part of these in what waits in all outlets together, the backlog, unless the socket was hung up on before.
    share: Share,
    /// How many sockets have been let in over the connection, one after the other.
    let_in: AtomicU64,
    /// How many bytes were read from the client before it was let in.
    received: AtomicUsize,
    /// How many times in a row it was not let in.
    refused: AtomicUsize,
    /// All bytes that the connection has ever taken, for seeing whether the client reads on.
    taken: AtomicU64,
    /// Whether the connection takes nothing at the moment.
    is_blocked: AtomicBool,
    /// Tells that less waits.
    read_on: Notify,
    /// Breaks off the WebSocket. Long-polling has nothing of the kind.
    wire: OnceLock<CancellationToken>,
    /// The outlet of the session that began with long-polling and goes on over this connection.
    session: OnceLock<Outlet>,
    /// What was polled for and is left for the next polls.
    left: Mutex<Bytes>,
    /// What is taken from the client.
    intake: Intake,
    /// Whether the client has sent what is not taken.
    is_flooding: AtomicBool,
}

impl Outlet {
    /// The outlet of a WebSocket connection that breaks off when `wire` is cancelled, even while it waits for the client to read.
    #[must_use]
    pub fn new(wire: CancellationToken) -> Self {
        let outlet = Self::of_polling();
        let _ = outlet.shared.wire.set(wire);
        outlet
    }

    /// The outlet of a session that begins with long-polling.
    pub(crate) fn of_polling() -> Self {
        Self { shared: Arc::default() }
    }

    /// Counts what this connection takes. It is counted from the first byte of the answer to the handshake.
    pub fn meter<S>(&self, connection: S) -> Metered<S> {
        Metered::new(connection, self.clone())
    }

    /// Goes on for a session that began with long-polling.
    pub(crate) fn continue_session(&self, session: &Self) {
        if let Some(wire) = self.shared.wire.get() {
            // Only the first handshake of a session succeeds.
            let _ = session.shared.wire.set(wire.clone());
        }
        let _ = self.shared.session.set(session.clone());
    }

    /// Makes room for a packet; says no, and makes none, when more than `limit` would wait. A packet for which nothing else has to
    /// wait may be as large as it likes. `share` is its part in the backlog: all of it, unless it waits for others too.
    #[must_use]
    pub(crate) fn admit(&self, size: usize, share: usize, limit: usize) -> bool {
        if size <= SMALL {
            return true;
        }
        let before = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        let admitted = before == 0 || before.saturating_add(size) <= limit;
        if !admitted {
            self.give_back(size);
        } else {
            self.shared.share.add(share);
        }
        admitted
    }

    /// Takes note that a packet was sent or will not be sent.
    pub(crate) fn give_back(&self, size: usize) {
        if size > SMALL {
            // A socket that joined a room just before an event was told there gets it although it was not counted.
            let taken = |waiting: usize| Some(waiting.saturating_sub(size));
            let before = self.shared.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
            // Nobody knows the share of what went out. It cannot be more than what is left, and is nothing when nothing is left.
            self.shared.share.lower(before.unwrap_or_default().saturating_sub(size));
            self.wake();
        }
    }

    /// Counts from now on what waits in a backlog as well, and what has been sent in an intake of all.
    pub(crate) fn count_in(&self, backlog: &Sum, intake: &Sum) {
        // A socket that comes back over the same connection is counted already.
        self.shared.share.count_in(backlog);
        self.shared.intake.share().count_in(intake);
    }

    /// Counts both no longer: its socket has been hung up on, and they are gone within seconds.
    pub(crate) fn count_out(&self) {
        self.shared.share.lower(0);
        self.shared.intake.share().lower(0);
    }

    /// How many bytes of the backlog are this one's.
    pub(crate) fn share(&self) -> usize {
        self.shared.share.size()
    }

    /// Takes note that a socket is let in.
    pub(crate) fn note_let_in(&self) {
        self.shared.let_in.fetch_add(1, Ordering::Relaxed);
        self.shared.refused.store(0, Ordering::Relaxed);
    }

    /// Takes note that a socket is not let in; how many have not been, one after the other.
    pub(crate) fn note_refused(&self) -> usize {
        self.shared.refused.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Takes note of bytes that come from the client; whether it may have sent so many.
    #[must_use]
    pub(crate) fn receive(&self, bytes: usize) -> bool {
        self.let_in() > 0
            || self.shared.received.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= BEFORE_LET_IN
    }

    /// Takes note that the client has sent what is not taken. A WebSocket is broken off at once, so that no more of it is read; a session that
    /// polls is to be closed.
    pub(crate) fn note_flood(&self) {
        if let Some(wire) = self.wire() {
            wire.cancel();
        }
        if !self.shared.is_flooding.swap(true, Ordering::Relaxed) {
            metrics::counter!("mango_sockets_hung_up_total", "reason" => HangUpReason::Flood.word()).increment(1);
        }
    }

    /// Whether the client has sent what is not taken.
    pub(crate) fn is_flooding(&self) -> bool {
        self.shared.is_flooding.load(Ordering::Relaxed)
    }

    /// Has nothing read from the client for a moment.
    pub(crate) fn pause(&self) {
        if self.shared.intake.pause() {
            let outlet = self.downgrade();
            tokio::spawn(async move {
                sleep(PAUSE).await;
                if let Some(outlet) = outlet.upgrade() {
                    outlet.intake().go_on();
                }
            });
        }
    }

    /// How many sockets have been let in over the connection, one after the other.
    pub(crate) fn let_in(&self) -> u64 {
        self.shared.let_in.load(Ordering::Relaxed)
    }

    /// Takes note of what the connection has taken: so many bytes in all.
    pub(crate) fn note_taken(&self, bytes: usize) {
        self.shared.taken.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Waits as long as `condition` holds, which is looked at again when less waits, and at [`wake`](Self::wake).
    pub(crate) async fn wait_while(&self, condition: impl Fn() -> bool) {
        loop {
            let read_on = self.shared.read_on.notified();
            tokio::pin!(read_on);
            read_on.as_mut().enable();
            if !condition() {
                return;
            }
            read_on.await;
        }
    }

    /// Has those look again who wait.
    pub(crate) fn wake(&self) {
        self.shared.read_on.notify_waiters();
    }

    /// All bytes that the connection has ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// Whether the connection takes nothing at the moment, although something waits.
    pub(crate) fn is_blocked(&self) -> bool {
        self.shared.is_blocked.load(Ordering::Relaxed)
    }

    /// What breaks off the WebSocket, if there is one.
    pub(crate) fn wire(&self) -> Option<&CancellationToken> {
        self.shared.wire.get()
    }

    /// What was polled for and is left for the next polls.
    pub(crate) fn left(&self) -> MutexGuard<'_, Bytes> {
        self.shared.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is taken from the client.
    pub(crate) fn intake(&self) -> &Intake {
        &self.shared.intake
    }

    pub(crate) fn downgrade(&self) -> WeakOutlet {
        WeakOutlet(Arc::downgrade(&self.shared))
    }

    /// Where what this connection takes is counted.
    pub(crate) fn counted(&self) -> &Self {
        self.shared.session.get().unwrap_or(self)
    }

    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        self.counted().shared.is_blocked.store(is_blocked, Ordering::Relaxed);
    }
}

impl WeakOutlet {
    pub(crate) fn upgrade(&self) -> Option<Outlet> {
        self.0.upgrade().map(|shared| Outlet { shared })
    }
}

/// How many bytes the packet of an event has: `42["name",payload]`.
pub(crate) fn event_size(name: &str, payload: &RawValue) -> usize {
    name.len().saturating_add(payload.get().len()).saturating_add(7)
}

/// How many bytes the packet of an acknowledgement has: `43id[payload]`.
pub(crate) fn ack_size(id: i64, payload: &RawValue) -> usize {
    let digits = id.checked_ilog10().map_or(1, |log| usize::try_from(log).unwrap_or_default().saturating_add(1));
    digits.saturating_add(payload.get().len()).saturating_add(4)
}

/// Whether an event may be large enough to be counted.
pub(crate) const fn is_counted(size: usize) -> bool {
    size > SMALL
}
