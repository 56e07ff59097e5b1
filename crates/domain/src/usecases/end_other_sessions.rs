//! The end of all sessions but the one that asks.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Result;
use crate::model::{AuditEvent, Event, Principal};
use crate::ports::{Clock, Events, Sessions};
use crate::usecases::audit::Auditor;

/// Ends every session of the caller but the one that asks.
pub struct EndOtherSessions {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    auditor: Auditor,
}

impl EndOtherSessions {
    pub(super) fn new(
        sessions: Arc<dyn Sessions>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        auditor: Auditor,
    ) -> Self {
        Self { sessions, events, clock, auditor }
    }

    /// Revokes the sessions, with all their tokens, and closes their connections. That there is no other is no error.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, address: Option<IpAddr>) -> Result<()> {
        let sessions = self.sessions.revoke_others(principal.user, principal.session, self.clock.now()).await?;
        if !sessions.is_empty() {
            self.events.publish(Event::SessionsEnded { sessions: sessions.clone() }).await;
            let ended = sessions.into_iter().map(Some);
            self.auditor.note(AuditEvent::SessionRevoked, Some(principal.user), ended, address).await;
        }
        Ok(())
    }
}
