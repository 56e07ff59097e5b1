//! The telling of news.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{Event, Origin};

/// Tells connected clients what the store has committed.
#[async_trait]
pub trait Events: Send + Sync {
    /// Hands an event to the connections that it concerns. It is called after the commit, so it cannot fail the command: an
    /// implementer counts and logs what it could not deliver. The events of one chat are delivered in the order of the calls.
    async fn publish(&self, event: Event);
}

/// What a store needs to tell of the change of a chat that it is asked for.
///
/// Only the store knows in which order the changes of a chat were committed, so it is the store that publishes them: after the
/// commit, in the order of their versions, and also when whoever asked for the change has gone meanwhile.
#[derive(Clone)]
pub struct Announcer {
    /// Where to publish.
    pub events: Arc<dyn Events>,
    /// Who asked for the change.
    pub origin: Option<Origin>,
}

impl Announcer {
    /// Publishes on behalf of whoever asked.
    pub fn new(events: &Arc<dyn Events>, origin: Option<Origin>) -> Self {
        Self { events: Arc::clone(events), origin }
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("origin", &self.origin).finish_non_exhaustive()
    }
}
