//! Likes: a user likes a message or does not.

use crate::model::{ChatId, MessageId, UserId, Version};

/// What came of giving a like or taking it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeToggle {
    /// The chat that the message is in.
    pub chat: ChatId,
    /// The message.
    pub message: MessageId,
    /// Who toggled.
    pub user: UserId,
    /// Whether the user likes it now.
    pub liked: bool,
    /// How many like it now.
    pub likes: u64,
    /// The chat's version that this is.
    pub version: Version,
}
