//! The end of the session that asks.

use std::net::IpAddr;

use crate::Result;
use crate::model::Principal;
use crate::usecases::ending::Ender;

/// Ends the session of the caller.
pub struct LogOut {
    ender: Ender,
}

impl LogOut {
    pub(super) fn new(ender: Ender) -> Self {
        Self { ender }
    }

    /// Revokes the session, with all its tokens, and closes its connections. One that has ended meanwhile is no error.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self, principal: &Principal, address: Option<IpAddr>) -> Result<()> {
        self.ender.end(principal.user, principal.session, address).await.map(drop)
    }
}
