//! How much of what a socket has sent is in flight.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::hub::Hub;
use crate::intake::Intake;

/// The room for the events of a socket, in bytes, while much is in flight of all of them together: half of it is one message of the usual
/// size.
const CROWDED: usize = 128 * 1024;

/// The events of a socket that wait to be handled or are being handled.
#[derive(Default)]
pub(super) struct InFlight {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

impl InFlight {
    /// Adds an event of so many bytes; how many bytes there are with it.
    pub(super) fn add(&self, size: usize, intake: Option<&Intake>) -> usize {
        if let Some(intake) = intake {
            intake.share().add(size);
        }
        self.events.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(size, Ordering::SeqCst).saturating_add(size)
    }

    pub(super) fn remove(&self, size: usize, intake: Option<&Intake>) {
        if let Some(intake) = intake {
            intake.share().remove(size);
        }
        self.events.fetch_sub(1, Ordering::SeqCst);
        self.bytes.fetch_sub(size, Ordering::SeqCst);
    }

    /// Whether they take more than the `part`th part of the room that there is for them.
    pub(super) fn exceed(&self, part: usize, hub: &Hub) -> bool {
        let options = hub.options();
        let bytes = if hub.intake().is_half_full() { CROWDED } else { options.max_incoming_bytes };
        let exceeds = |count: &AtomicUsize, most: usize| count.load(Ordering::SeqCst) > most / part;
        exceeds(&self.events, options.max_incoming) || exceeds(&self.bytes, bytes)
    }
}
