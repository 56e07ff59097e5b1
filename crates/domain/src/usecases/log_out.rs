//! The end of a session.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Result;
use crate::model::{AuditEvent, Event, Principal};
use crate::ports::{Clock, Events, Sessions};
use crate::usecases::audit::Auditor;

/// Ends the session of the caller.
pub struct LogOut {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    auditor: Auditor,
}

impl LogOut {
    pub(super) fn new(
        sessions: Arc<dyn Sessions>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        auditor: Auditor,
    ) -> Self {
        Self { sessions, events, clock, auditor }
    }

    /// Revokes the session, with all its tokens, and closes its connections.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, address: Option<IpAddr>) -> Result<()> {
        let Principal { user, session, .. } = *principal;
        if self.sessions.revoke(session, user, self.clock.now()).await? {
            self.events.publish(Event::SessionsEnded { sessions: vec![session] }).await;
            self.auditor.note(AuditEvent::SessionRevoked, Some(user), [Some(session)], address).await;
        }
        Ok(())
    }
}
