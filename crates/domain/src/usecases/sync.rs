//! Catching up after having been away.

use std::sync::Arc;

use crate::Result;
use crate::model::{Chat, ChatChanges, Principal, SyncPage, SyncRequest};
use crate::ports::{Changes, Presence};
use crate::usecases::view;

/// Tells what changed in the chats of a user.
pub struct Sync {
    changes: Arc<dyn Changes>,
    presence: Arc<dyn Presence>,
}

impl Sync {
    pub(super) fn new(changes: Arc<dyn Changes>, presence: Arc<dyn Presence>) -> Self {
        Self { changes, presence }
    }

    /// What the client has not seen. Together with the events that it gets from now on nothing is missing.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, request: SyncRequest) -> Result<SyncPage<Chat>> {
        let page = self.changes.since(principal.user, request).await?;
        let SyncPage { epoch, reset, chats, gone, pinned, member_of, users, users_since, more } = page;
        let (stored, rest): (Vec<_>, Vec<_>) = chats
            .into_iter()
            .map(|ChatChanges { id, version, more, chat, messages }| (chat, (id, version, more, messages)))
            .unzip();
        let shown = view::optional_chats(&*self.presence, stored).await?;
        let chats = shown
            .into_iter()
            .zip(rest)
            .map(|(chat, (id, version, more, messages))| ChatChanges { id, version, more, chat, messages })
            .collect();
        Ok(SyncPage { epoch, reset, chats, gone, pinned, member_of, users, users_since, more })
    }
}
