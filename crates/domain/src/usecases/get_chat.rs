//! One chat of a user.

use std::sync::Arc;

use crate::model::{Chat, ChatId, Principal};
use crate::ports::{Chats, Presence};
use crate::usecases::view;
use crate::{Error, Result};

/// Shows one chat to a member.
pub struct GetChat {
    chats: Arc<dyn Chats>,
    presence: Arc<dyn Presence>,
}

impl GetChat {
    pub(super) fn new(chats: Arc<dyn Chats>, presence: Arc<dyn Presence>) -> Self {
        Self { chats, presence }
    }

    /// The chat as the caller sees it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a chat that does not exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, chat: ChatId) -> Result<Chat> {
        let stored = self.chats.find(chat, principal.user).await?.ok_or(Error::NotFound("chat"))?;
        view::chat(&*self.presence, stored).await
    }
}
