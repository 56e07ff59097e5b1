//! The store of sessions and of the hashes of their refresh tokens.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::Failure;
use crate::model::{NewSession, Phone, RefreshHash, Renewal, Rotation, Session, SessionId, Timestamp, UserId};

/// Keeps sessions.
///
/// A session has one *base* token, and the successors that were handed out for it. Presenting the base again gives another
/// successor, since the reply that carried the last one may have been lost. Presenting a successor makes it the base.
/// Presenting any other token of the session means that a copy exists, and revokes the session.
///
/// Of a session [`Session::MOST_TOKENS`] tokens are known. Beyond that those are forgotten that expire later than the newest, which were made
/// when tokens lived longer, and then those that expire soonest, but never the base, the newest, or one that was made
/// [lately](Renewal::recent). Of these there can be more, up to [`Session::MOST_RECENT_TOKENS`]; where the successor would be one too many, the
/// session is revoked. What is forgotten is a token that was never there.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Begins a session whose base is `session.refresh`, if `session.password` is the hash of its user's password still; whether it is. The
    /// session was last used when it began. A change of the password at the same time is before it, and then there is no session, or after
    /// it, and ends the session.
    async fn begin(&self, session: NewSession) -> Result<bool, Failure>;

    /// Presents a refresh token and, when it is good at `renewal.now`, stores the successor with its own expiry, and when and
    /// where the session was used, in one transaction. Two presentations at the same time are decided one after the other. A
    /// token that has expired, or belongs to a session that was revoked, is [`Rotation::Unknown`].
    async fn rotate(&self, presented: &RefreshHash, renewal: Renewal) -> Result<Rotation, Failure>;

    /// Whether the session exists, belongs to the user and has not been revoked.
    async fn is_live(&self, session: SessionId, user: UserId) -> Result<bool, Failure>;

    /// The sessions of a user that have not been revoked and are good for something at `now`: they have a token that has not expired, or were
    /// used after `active`. The one that was used last comes first, of those that were used at the same time the younger, and then the one
    /// with the larger id. There are [`Session::MOST_LISTED`] at most.
    async fn list(&self, user: UserId, now: Timestamp, active: Timestamp) -> Result<Vec<Session>, Failure>;

    /// The addresses that the live sessions of whoever has this phone were last used from, the one that was used last first, as far as they
    /// are known; [`Session::MOST_LISTED`] at most, and one may be there twice. None when nobody has the phone, which takes the same query.
    async fn addresses(&self, phone: &Phone) -> Result<Vec<IpAddr>, Failure>;

    /// Revokes a session of a user; whether it was theirs and live until now.
    async fn revoke(&self, session: SessionId, user: UserId, now: Timestamp) -> Result<bool, Failure>;

    /// Revokes every live session of a user but one; which they were, in order of id.
    async fn revoke_others(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<Vec<SessionId>, Failure>;

    /// Forgets the tokens that expired before `now`, and the sessions of which no token is left; how many sessions went.
    async fn purge(&self, now: Timestamp) -> Result<u64, Failure>;
}
