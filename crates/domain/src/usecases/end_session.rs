//! The end of one session, such as that of a phone that was lost.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{AuditEvent, Event, Principal, SessionId};
use crate::ports::{Clock, Events, Sessions};
use crate::usecases::audit::Auditor;
use crate::{Error, Result};

/// Ends one session of the caller, which may be the one that asks.
pub struct EndSession {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    auditor: Auditor,
}

impl EndSession {
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
    /// [`Error::NotFound`] for a session that has ended, that never was, or that is another user's: nobody learns which.
    pub async fn run(&self, principal: &Principal, session: SessionId, address: Option<IpAddr>) -> Result<()> {
        if !self.sessions.revoke(session, principal.user, self.clock.now()).await? {
            return Err(Error::NotFound("session"));
        }
        self.events.publish(Event::SessionsEnded { sessions: vec![session] }).await;
        self.auditor.note(AuditEvent::SessionRevoked, Some(principal.user), [Some(session)], address).await;
        Ok(())
    }
}
