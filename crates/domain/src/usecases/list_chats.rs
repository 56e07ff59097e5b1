//! All chats of a user.

use std::sync::Arc;

use crate::Result;
use crate::model::{Chat, Principal};
use crate::ports::{Chats, Presence};
use crate::usecases::view;

/// Lists the chats of the caller.
pub struct ListChats {
    chats: Arc<dyn Chats>,
    presence: Arc<dyn Presence>,
}

/// Which chats to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatFilter {
    /// All of them.
    All,
    /// Those that the caller has pinned.
    Pinned,
}

impl ListChats {
    pub(super) fn new(chats: Arc<dyn Chats>, presence: Arc<dyn Presence>) -> Self {
        Self { chats, presence }
    }

    /// The chats, most recently active first.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, filter: ChatFilter) -> Result<Vec<Chat>> {
        let stored = self.chats.list(principal.user, filter == ChatFilter::Pinned).await?;
        view::chats(&*self.presence, stored).await
    }
}
