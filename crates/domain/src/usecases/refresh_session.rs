//! The continuation of a session.

use std::net::IpAddr;
use std::sync::Arc;

use crate::error::Unauthenticated;
use crate::model::{AuditEvent, Event, Grant, RefreshToken, Renewal, Rotation, SessionId, UserId};
use crate::ports::{Events, Sessions, Tokens};
use crate::usecases::audit::Auditor;
use crate::usecases::grant::Granter;
use crate::{Error, Result};

/// Gives new tokens for a refresh token.
pub struct RefreshSession {
    sessions: Arc<dyn Sessions>,
    tokens: Arc<dyn Tokens>,
    events: Arc<dyn Events>,
    granter: Granter,
    auditor: Auditor,
}

impl RefreshSession {
    pub(super) fn new(
        sessions: Arc<dyn Sessions>,
        tokens: Arc<dyn Tokens>,
        events: Arc<dyn Events>,
        granter: Granter,
        auditor: Auditor,
    ) -> Self {
        Self { sessions, tokens, events, granter, auditor }
    }

    /// Replaces the token. The old one stays good until its successor is first used, since the reply may get lost; after that it
    /// ends the session (RFC 9700, section 4.14.2).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token is unknown, expired or was replaced, or its session has ended, as it does also when it would get
    /// more tokens in a day than any client needs: whoever is told to log in again does not try for ever, as whoever is told to wait would.
    pub async fn run(&self, presented: &RefreshToken, address: Option<IpAddr>) -> Result<Grant> {
        let presented = self.tokens.hash_refresh(presented);
        let fresh = self.granter.fresh()?;
        let recent = fresh.expires_at - self.granter.remembered();
        let (successor, expires_at, now) = (fresh.hash.clone(), fresh.expires_at, fresh.now);
        let renewal = Renewal { successor, expires_at, recent, now, address };
        match self.sessions.rotate(&presented, renewal).await? {
            Rotation::Rotated { user, session } => self.granter.grant(user, session, fresh),
            Rotation::Unknown => Err(Error::Unauthenticated(Unauthenticated::Malformed)),
            Rotation::Reused { user, session } => {
                tracing::warn!(%session, "a replaced refresh token was presented, the session is revoked");
                self.tell(user, session, address).await
            }
            Rotation::TooOften { user, session } => {
                tracing::warn!(%session, "a session wants more refresh tokens than any client needs, it is revoked");
                self.tell(user, session, address).await
            }
        }
    }

    /// Has the connections of a session that was ended closed, notes it, and refuses whoever asked.
    async fn tell(&self, user: UserId, session: SessionId, address: Option<IpAddr>) -> Result<Grant> {
        self.events.publish(Event::SessionsEnded { sessions: vec![session] }).await;
        self.auditor.note(AuditEvent::RefreshReused, Some(user), [Some(session)], address).await;
        Err(Error::Unauthenticated(Unauthenticated::Revoked))
    }
}
