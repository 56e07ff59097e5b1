//! The end of one session, such as that of a phone that was lost.

use std::net::IpAddr;

use crate::model::{Principal, SessionId};
use crate::usecases::ending::Ender;
use crate::{Error, Result};

/// Ends one session of the caller, which may be the one that asks.
pub struct EndSession {
    ender: Ender,
}

impl EndSession {
    pub(super) fn new(ender: Ender) -> Self {
        Self { ender }
    }

    /// Revokes the session, with all its tokens, and closes its connections.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a session that has ended, that never was, or that is another user's: nobody learns which.
    pub async fn run(&self, principal: &Principal, session: SessionId, address: Option<IpAddr>) -> Result<()> {
        if self.ender.end(principal.user, session, address).await? { Ok(()) } else { Err(Error::NotFound("session")) }
    }
}
