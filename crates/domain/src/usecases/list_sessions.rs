//! The list of one's own sessions.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::Result;
use crate::model::{Principal, Session, Timestamp, UserId};
use crate::ports::{Clock, Sessions};

/// Lists the sessions of the caller.
pub struct ListSessions {
    lister: Lister,
}

impl ListSessions {
    pub(super) fn new(lister: Lister) -> Self {
        Self { lister }
    }

    /// The sessions of the caller, and of nobody else, that have not ended and that somebody can still use, the one that was used last first.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal) -> Result<Vec<Session>> {
        self.lister.list(principal.user).await
    }
}

/// Finds the sessions of users that are good for something.
#[derive(Clone)]
pub(super) struct Lister {
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    access_ttl: Duration,
}

impl Lister {
    pub fn new(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>, access_ttl: Duration) -> Self {
        Self { sessions, clock, access_ttl }
    }

    /// Those that have not ended and have a refresh token or an access token that has not expired. Whoever was logged in longer ago has to
    /// log in anew, and nothing is left of the session that could be lost or ended.
    pub async fn list(&self, user: UserId) -> Result<Vec<Session>> {
        let now = self.clock.now();
        // The last access token is as old as the last use. Before the beginning of the time that stores know, there is nothing.
        let ttl = TimeDelta::from_std(self.access_ttl).ok();
        let active = ttl.and_then(|ttl| now.checked_sub_signed(ttl)).unwrap_or_default().max(Timestamp::UNIX_EPOCH);
        Ok(self.sessions.list(user, now, active).await?)
    }
}
