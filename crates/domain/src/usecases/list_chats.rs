//! All chats of a user.

use std::sync::Arc;

use crate::Result;
use crate::model::{Chat, ChatId, Principal};
use crate::ports::{ChatPage, ChatSelection, Chats, Presence};
use crate::usecases::view;

/// Lists the chats of the caller.
pub struct ListChats {
    chats: Arc<dyn Chats>,
    presence: Arc<dyn Presence>,
}

/// Some chats of the caller, and which come after them.
#[derive(Debug, Clone)]
pub struct ListedChats {
    /// As many as fit in a [`ChatPage`].
    pub chats: Vec<Chat>,
    /// What to ask for next; empty at the end.
    pub rest: Vec<ChatId>,
}

impl ListChats {
    pub(super) fn new(chats: Arc<dyn Chats>, presence: Arc<dyn Presence>) -> Self {
        Self { chats, presence }
    }

    /// The first of the selected chats, most recently active first. Which chats the others are is known with the first, so that
    /// none is missed or told twice when some become active meanwhile.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, selection: ChatSelection) -> Result<ListedChats> {
        let ChatPage { chats, rest } = self.chats.list(principal.user, selection).await?;
        Ok(ListedChats { chats: view::chats(&*self.presence, chats).await?, rest })
    }
}
