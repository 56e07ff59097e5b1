//! The store of sessions and of the hashes of their refresh tokens.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{NewSession, RefreshHash, Rotation, SessionId, Timestamp, UserId};

/// Keeps sessions.
///
/// A session has one *base* token, and the successors that were handed out for it. Presenting the base again gives another
/// successor, since the reply that carried the last one may have been lost. Presenting a successor makes it the base.
/// Presenting any other token of the session means that a copy exists, and revokes the session.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Begins a session whose base is `session.refresh`.
    async fn begin(&self, session: NewSession) -> Result<SessionId, Failure>;

    /// Presents a refresh token and, when it is good at `now`, stores `successor` with its own expiry, in one transaction. Two
    /// presentations at the same time are decided one after the other. A token that has expired, or belongs to a
    /// session that was revoked, is [`Rotation::Unknown`].
    async fn rotate(
        &self,
        presented: &RefreshHash,
        successor: &RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, Failure>;

    /// Whether the session exists, belongs to the user and has not been revoked.
    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure>;

    /// Revokes a session; whether it was live until now.
    async fn revoke(&self, session: SessionId, now: Timestamp) -> Result<bool, Failure>;

    /// Forgets the tokens that expired before `now`, and the sessions of which no token is left; how many sessions went.
    async fn purge(&self, now: Timestamp) -> Result<u64, Failure>;
}
