//! The end of a connection.

use std::sync::Arc;

use crate::Result;
use crate::model::{ConnectionId, UserId};
use crate::ports::{Clock, Departure, Presence, Users};

/// Takes note of the end of a connection.
pub struct GoOffline {
    presence: Arc<dyn Presence>,
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

impl GoOffline {
    pub(super) fn new(presence: Arc<dyn Presence>, users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self { presence, users, clock }
    }

    /// Counts the connection no more and, if it was the user's last, notes when the user was last seen.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, user: UserId, connection: &ConnectionId) -> Result<()> {
        if self.presence.depart(user, connection).await? == Departure::Last {
            self.users.seen(user, self.clock.now()).await?;
        }
        Ok(())
    }
}
