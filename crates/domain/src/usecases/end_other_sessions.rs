//! The end of all sessions but the one that asks.

use std::sync::Arc;

use crate::Result;
use crate::model::{Event, Principal};
use crate::ports::{Clock, Events, Sessions};

/// Ends every session of the caller but the one that asks.
pub struct EndOtherSessions {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl EndOtherSessions {
    pub(super) fn new(sessions: Arc<dyn Sessions>, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, events, clock }
    }

    /// Revokes the sessions, with all their tokens, and closes their connections. That there is no other is no error.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal) -> Result<()> {
        let sessions = self.sessions.revoke_others(principal.user, principal.session, self.clock.now()).await?;
        if !sessions.is_empty() {
            self.events.publish(Event::SessionsEnded { sessions }).await;
        }
        Ok(())
    }
}
