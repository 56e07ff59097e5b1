//! The store of chats, their members and pins.

use async_trait::async_trait;
use thiserror::Error;

use crate::Failure;
use crate::model::{
    ChatId, ChatRecord, Event, MemberList, NewChat, Origin, PinToggle, PostedMessage, Timestamp, UserBrief, UserId,
};
use crate::ports::Announcer;

/// Keeps chats. A pair of users has at most one direct chat.
#[async_trait]
pub trait Chats: Send + Sync {
    /// Creates a chat with its members in one transaction, and publishes it as
    /// [`ChatCreated`](crate::model::Event::ChatCreated). For a direct chat whose pair has one already, gives that one, also
    /// when two calls come at the same time, and tells of it the connection that asked, if one did, and nobody else.
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError>;

    /// Chats of a user, most recently active first (then highest id first): those with a newer last message, or that were
    /// created more recently, come first; those of [`These`](ChatSelection::These) in the order given. As many as fit in a
    /// page, but one at least where there are any. A bounded number of queries whatever the number of chats.
    async fn list(&self, user: UserId, selection: ChatSelection) -> Result<ChatPage, Failure>;

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

/// Which chats of a user to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatSelection {
    /// All of them.
    All,
    /// Those that the user has pinned.
    Pinned,
    /// Those of these that the user is in: what a [`ChatPage`] had no room for.
    These(Vec<ChatId>),
}

/// Chats of a user, as many as a server can well hold for one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPage {
    /// Those that fit.
    pub chats: Vec<StoredChat>,
    /// Those that come after them.
    pub rest: Vec<ChatId>,
}

impl ChatPage {
    /// How many chats a page has at the most.
    pub const MAX_CHATS: usize = 256;
    /// How many members the chats of a page have together at the most, unless there is but one chat.
    pub const MAX_MEMBERS: usize = MemberList::MAX;
    /// How many bytes the contents of their last messages have together at the most, unless there is but one chat.
    pub const MAX_BYTES: usize = 1 << 20;
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
