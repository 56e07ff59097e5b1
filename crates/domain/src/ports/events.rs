//! The telling of news.

use async_trait::async_trait;

use crate::model::Event;

/// Tells connected clients what the store has committed.
#[async_trait]
pub trait Events: Send + Sync {
    /// Hands an event to the connections that it concerns. It is called after the commit, so it cannot fail the command: an
    /// implementer counts and logs what it could not deliver. The events of one chat are delivered in the order of the calls.
    async fn publish(&self, event: Event);
}
