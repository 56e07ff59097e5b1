//! The end of a session.

use std::sync::Arc;

use crate::Result;
use crate::model::{Event, Principal};
use crate::ports::{Clock, Events, Sessions};

/// Ends the session of the caller.
pub struct LogOut {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl LogOut {
    pub(super) fn new(sessions: Arc<dyn Sessions>, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, events, clock }
    }

    /// Revokes the session, with all its tokens, and closes its connections.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal) -> Result<()> {
        if self.sessions.revoke(principal.session, principal.user, self.clock.now()).await? {
            self.events.publish(Event::SessionsEnded { sessions: vec![principal.session] }).await;
        }
        Ok(())
    }
}
