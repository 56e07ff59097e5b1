//! The continuation of a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Unauthenticated;
use crate::model::{AuditEvent, Event, Grant, RefreshToken, Renewal, Rotation};
use crate::ports::{Events, Sessions, Tokens};
use crate::usecases::audit::Auditor;
use crate::usecases::grant::Granter;
use crate::{Error, Result};

/// When to try again who has got too many tokens.
const RETRY_AFTER: Duration = Duration::from_secs(60);

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
    /// [`Error::Unauthenticated`] when the token is unknown, expired or was replaced, or its session has ended; [`Error::TooMany`] when the session
    /// has got more tokens lately than any client needs.
    pub async fn run(&self, presented: &RefreshToken, address: Option<IpAddr>) -> Result<Grant> {
        let presented = self.tokens.hash_refresh(presented);
        let fresh = self.granter.fresh()?;
        let recent = fresh.expires_at - self.granter.remembered();
        let (successor, expires_at, now) = (fresh.hash.clone(), fresh.expires_at, fresh.now);
        let renewal = Renewal { successor, expires_at, recent, now, address };
        match self.sessions.rotate(&presented, renewal).await? {
            Rotation::Rotated { user, session } => self.granter.grant(user, session, fresh),
            Rotation::TooOften => Err(Error::TooMany { retry_after: RETRY_AFTER }),
            Rotation::Unknown => Err(Error::Unauthenticated(Unauthenticated::Malformed)),
            Rotation::Reused { user, session } => {
                tracing::warn!(%session, "a replaced refresh token was presented, the session is revoked");
                self.events.publish(Event::SessionsEnded { sessions: vec![session] }).await;
                self.auditor.note(AuditEvent::RefreshReused, Some(user), [Some(session)], address).await;
                Err(Error::Unauthenticated(Unauthenticated::Revoked))
            }
        }
    }
}
