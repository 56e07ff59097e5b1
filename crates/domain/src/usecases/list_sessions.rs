//! The list of one's own sessions.

use std::sync::Arc;

use crate::Result;
use crate::model::{Principal, Session};
use crate::ports::Sessions;

/// Lists the sessions of the caller.
pub struct ListSessions {
    sessions: Arc<dyn Sessions>,
}

impl ListSessions {
    pub(super) fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// The live sessions of the caller and of nobody else, the one that was used last first.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal) -> Result<Vec<Session>> {
        Ok(self.sessions.list(principal.user).await?)
    }
}
