//! The store of likes.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{LikeToggle, MessageId, Timestamp, UserId};
use crate::ports::Announcer;

/// Keeps who likes which message.
#[async_trait]
pub trait Likes: Send + Sync {
    /// Gives a like or takes it back, in one transaction with the count and the chat's next version, and publishes it as
    /// [`LikeToggled`](crate::model::Event::LikeToggled). Toggles of one message at the same time are decided one after the
    /// other. `None` when the message does not exist or the user is not a member of its chat.
    async fn toggle(
        &self,
        message: MessageId,
        user: UserId,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<LikeToggle>, Failure>;
}
