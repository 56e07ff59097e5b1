//! The coming of a connection.

use std::sync::Arc;

use crate::Result;
use crate::model::{ChatId, ConnectionId, Epoch, Principal};
use crate::ports::{Changes, Chats, Clock, Presence, Users};

/// Takes note of a new connection.
pub struct ComeOnline {
    presence: Arc<dyn Presence>,
    users: Arc<dyn Users>,
    chats: Arc<dyn Chats>,
    changes: Arc<dyn Changes>,
    clock: Arc<dyn Clock>,
}

/// What a connection is told when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The chats whose events it is to get.
    pub chats: Vec<ChatId>,
    /// The database that their versions are of.
    pub epoch: Epoch,
}

impl ComeOnline {
    pub(super) fn new(
        presence: Arc<dyn Presence>,
        users: Arc<dyn Users>,
        chats: Arc<dyn Chats>,
        changes: Arc<dyn Changes>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { presence, users, chats, changes, clock }
    }

    /// Counts the connection as the user's and gives the chats whose events it is to get.
    ///
    /// The connection must already get what is sent to its user, so that a chat created while this runs is not missed.
    /// Whatever this answers, [`GoOffline`](super::go_offline::GoOffline) must run when the connection ends.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, connection: &ConnectionId) -> Result<Welcome> {
        self.presence.arrive(principal.user, connection).await?;
        self.users.seen(principal.user, self.clock.now()).await?;
        Ok(Welcome { chats: self.chats.ids_of(principal.user).await?, epoch: self.changes.epoch().await? })
    }
}
