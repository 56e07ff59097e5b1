//! Events that are kept for looking at.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use mango_domain::model::Event;
use mango_domain::ports::Events;

/// Records what is published.
#[derive(Debug, Default)]
pub struct RecordedEvents {
    events: Mutex<Vec<Event>>,
}

impl RecordedEvents {
    /// What was published since the last time, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Events for RecordedEvents {
    async fn publish(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
