//! The end of all sessions but the one that asks.

use std::net::IpAddr;

use crate::Result;
use crate::model::Principal;
use crate::usecases::ending::Ender;

/// Ends every session of the caller but the one that asks.
pub struct EndOtherSessions {
    ender: Ender,
}

impl EndOtherSessions {
    pub(super) fn new(ender: Ender) -> Self {
        Self { ender }
    }

    /// Revokes the sessions, with all their tokens, and closes their connections. That there is no other is no error.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, address: Option<IpAddr>) -> Result<()> {
        self.ender.end_others(principal.user, principal.session, address).await
    }
}
