//! The store of messages.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{ChatId, Message, MessagePage, NewMessage, PageRequest, UserId};

/// Keeps messages.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Appends a message to a chat and gives it the chat's next seq, in the transaction that inserts it, so that seqs have no
    /// holes and no duplicates whatever fails. It is durable when this returns. Messages of one chat get their seqs in the order in which
    /// these futures are first polled, so that a caller can have several under way. `None` when the chat does not exist or the
    /// sender is not a member.
    async fn append(&self, message: NewMessage) -> Result<Option<Message>, Failure>;

    /// A page of a chat's history with likes, newest first, in a bounded number of queries. `None` when the chat does not exist
    /// or the reader is not a member.
    async fn page(&self, chat: ChatId, reader: UserId, page: PageRequest) -> Result<Option<MessagePage>, Failure>;
}
