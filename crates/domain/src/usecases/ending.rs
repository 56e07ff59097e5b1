//! The end of sessions at their user's wish, which several use cases bring about.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Result;
use crate::model::{AuditEvent, Event, SessionId, UserId};
use crate::ports::{Clock, Events, Sessions};
use crate::usecases::audit::Auditor;

/// Revokes sessions with all their tokens, has their connections closed, and notes it in the audit log.
#[derive(Clone)]
pub(super) struct Ender {
    sessions: Arc<dyn Sessions>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    auditor: Auditor,
}

impl Ender {
    pub fn new(sessions: Arc<dyn Sessions>, events: Arc<dyn Events>, clock: Arc<dyn Clock>, auditor: Auditor) -> Self {
        Self { sessions, events, clock, auditor }
    }

    /// Ends a session of a user; whether there was one to end.
    pub async fn end(&self, user: UserId, session: SessionId, address: Option<IpAddr>) -> Result<bool> {
        let ended = self.sessions.revoke(session, user, self.clock.now()).await?;
        if ended {
            self.tell(user, vec![session], address).await;
        }
        Ok(ended)
    }

    /// Ends all sessions of a user but one.
    pub async fn end_others(&self, user: UserId, keep: SessionId, address: Option<IpAddr>) -> Result<()> {
        let ended = self.sessions.revoke_others(user, keep, self.clock.now()).await?;
        if !ended.is_empty() {
            self.tell(user, ended, address).await;
        }
        Ok(())
    }

    async fn tell(&self, user: UserId, ended: Vec<SessionId>, address: Option<IpAddr>) {
        self.events.publish(Event::SessionsEnded { sessions: ended.clone() }).await;
        self.auditor.note(AuditEvent::SessionRevoked, Some(user), ended.into_iter().map(Some), address).await;
    }
}
