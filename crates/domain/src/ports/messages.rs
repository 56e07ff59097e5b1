//! The store of messages.

use std::sync::Arc;

use async_trait::async_trait;

use crate::Failure;
use crate::model::{ChatId, Message, MessagePage, NewMessage, PageRequest, UserBrief, UserId};
use crate::ports::Announcer;

/// Keeps messages.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Appends a message to a chat and gives it the chat's next seq and version, in the transaction that inserts it, so that they have
    /// no holes and no duplicates whatever fails. It is durable when this returns, and is published as
    /// [`MessageSent`](crate::model::Event::MessageSent). Messages of one chat get their seqs in the order in which these futures are
    /// first polled, so that a caller can have several under way. A caller who goes away does not keep it from being committed whole.
    ///
    /// When the chat has a message of this sender with the same client id, that one is given as it is now, with its likes, and nothing
    /// is written or published. `None` when the chat does not exist or the sender is not a member.
    async fn append(&self, message: NewMessage, announcer: Announcer) -> Result<Option<Appended>, Failure>;

    /// A page of a chat's history with likes, newest first, in a bounded number of queries: as many messages as were asked for or as fit
    /// in a page, but one at least where there is any. Of those that fit by their bytes, a store that finds too many likes takes the
    /// half that comes first in the direction of reading, as often as it has to. `None` when the chat does not exist
    /// or the reader is not a member.
    async fn page(&self, chat: ChatId, reader: UserId, page: PageRequest) -> Result<Option<MessagePage>, Failure>;
}

/// What came of appending a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The message, as it was when it was appended if it is new, and as it is now if not.
    pub message: Arc<Message>,
    /// Who likes it, in order of their ids. They belong to its version; a new message has none.
    pub likes: Vec<UserBrief>,
    /// False when it was there already.
    pub is_new: bool,
}
