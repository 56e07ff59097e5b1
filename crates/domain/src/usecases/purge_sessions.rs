//! The forgetting of sessions that are over.

use std::sync::Arc;

use crate::Result;
use crate::ports::{Clock, Sessions};

/// Forgets sessions that nobody can continue.
pub struct PurgeSessions {
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
}

impl PurgeSessions {
    pub(super) fn new(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, clock }
    }

    /// Forgets expired tokens and the sessions without any; how many sessions went.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self) -> Result<u64> {
        Ok(self.sessions.purge(self.clock.now()).await?)
    }
}
