//! The coming of a connection.

use std::sync::Arc;

use crate::Result;
use crate::model::{ChatId, ConnectionId, Principal};
use crate::ports::{Chats, Clock, Presence, Users};

/// Takes note of a new connection.
pub struct ComeOnline {
    presence: Arc<dyn Presence>,
    users: Arc<dyn Users>,
    chats: Arc<dyn Chats>,
    clock: Arc<dyn Clock>,
}

impl ComeOnline {
    pub(super) fn new(
        presence: Arc<dyn Presence>,
        users: Arc<dyn Users>,
        chats: Arc<dyn Chats>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { presence, users, chats, clock }
    }

    /// Counts the connection as the user's and gives the chats whose events it is to get.
    ///
    /// The connection must already get what is sent to its user, so that a chat created while this runs is not missed.
    /// Whatever this answers, [`GoOffline`](super::go_offline::GoOffline) must run when the connection ends.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, connection: &ConnectionId) -> Result<Vec<ChatId>> {
        self.presence.arrive(principal.user, connection).await?;
        self.users.seen(principal.user, self.clock.now()).await?;
        Ok(self.chats.ids_of(principal.user).await?)
    }
}
