//! The history of a chat.

use std::sync::Arc;

use crate::model::{ChatId, MessagePage, PageRequest, Principal};
use crate::ports::Messages;
use crate::{Error, Result};

/// Shows the history of a chat to a member.
pub struct ListMessages {
    messages: Arc<dyn Messages>,
}

impl ListMessages {
    pub(super) fn new(messages: Arc<dyn Messages>) -> Self {
        Self { messages }
    }

    /// A page of the history, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a chat that does not exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, chat: ChatId, page: PageRequest) -> Result<MessagePage> {
        self.messages.page(chat, principal.user, page).await?.ok_or(Error::NotFound("chat"))
    }
}
