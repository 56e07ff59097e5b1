//! The store of chats, their members and pins.

use async_trait::async_trait;
use thiserror::Error;

use crate::Failure;
use crate::model::{
    ChatId, ChatRecord, Event, NewChat, Origin, PinToggle, PostedMessage, Timestamp, UserBrief, UserId,
};
use crate::ports::Announcer;

/// Keeps chats. A pair of users has at most one direct chat.
#[async_trait]
pub trait Chats: Send + Sync {
    /// Creates a chat with its members in one transaction, and publishes it as
    /// [`ChatCreated`](crate::model::Event::ChatCreated). For a direct chat whose pair has one already, gives that one, also
    /// when two calls come at the same time, and tells of it the connection that asked, if one did, and nobody else.
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError>;

    /// The chats of a user, most recently active first (then highest id first): those with a newer last message, or that were
    /// created more recently, come first. With `pinned_only`, those that the user has pinned. A bounded number of queries
    /// whatever the number of chats.
    async fn list(&self, user: UserId, pinned_only: bool) -> Result<Vec<StoredChat>, Failure>;

    /// A chat as `user` sees it; `None` when it does not exist or the user is not a member.
    async fn find(&self, chat: ChatId, user: UserId) -> Result<Option<StoredChat>, Failure>;

    /// The ids of all chats that a user is a member of.
    async fn ids_of(&self, user: UserId) -> Result<Vec<ChatId>, Failure>;

    /// Pins a chat for a user, or takes the pin away, and publishes it as
    /// [`PinToggled`](crate::model::Event::PinToggled). `None` when the chat does not exist or the user is not a member.
    async fn toggle_pin(
        &self,
        chat: ChatId,
        user: UserId,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<PinToggle>, Failure>;
}

/// A chat as a store gives it: everything but who is online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChat {
    /// The chat itself.
    pub record: ChatRecord,
    /// Its members in order of id.
    pub members: Vec<UserBrief>,
    /// The newest message with its likes.
    pub last_message: Option<PostedMessage>,
    /// Whether the user who asked has pinned it.
    pub pinned: bool,
}

/// What came of creating a chat.
#[derive(Debug, Clone)]
pub struct CreatedChat {
    /// The chat as its creator sees it.
    pub chat: StoredChat,
    /// False when the pair had a direct chat already.
    pub is_new: bool,
}

impl CreatedChat {
    /// What a store publishes of it.
    #[must_use]
    pub fn news(&self, origin: Option<Origin>) -> Option<Event> {
        let only = origin.map(|origin| origin.connection);
        if !self.is_new && only.is_none() {
            return None;
        }
        let record = &self.chat.record;
        Some(Event::ChatCreated {
            chat: record.id,
            name: record.name.clone(),
            kind: record.kind,
            members: self.chat.members.iter().map(|user| user.id).collect(),
            version: record.version,
            only: only.filter(|_| !self.is_new),
        })
    }
}

/// Why a chat was not created.
#[derive(Debug, Error)]
pub enum CreateChatError {
    /// Some members do not exist; nothing was created.
    #[error("create chat: unknown members")]
    UnknownMembers(Vec<UserId>),
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}
