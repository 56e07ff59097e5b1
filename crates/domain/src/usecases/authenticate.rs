//! Finding out who is calling.

use std::sync::Arc;

use crate::error::Unauthenticated;
use crate::model::Principal;
use crate::ports::{Clock, Sessions, TokenError, Tokens};
use crate::{Error, Result};

/// Finds out who is calling.
pub struct Authenticate {
    tokens: Arc<dyn Tokens>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
}

impl Authenticate {
    pub(super) fn new(tokens: Arc<dyn Tokens>, sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, sessions, clock }
    }

    /// Checks an access token and that its session has not ended.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] with what is wrong with the token.
    pub async fn run(&self, token: &str) -> Result<Principal> {
        let claims = self.tokens.verify(token, self.clock.now()).map_err(|error| {
            Error::Unauthenticated(match error {
                TokenError::Malformed => Unauthenticated::Malformed,
                TokenError::Expired => Unauthenticated::Expired,
            })
        })?;
        let principal = Principal { user: claims.user, session: claims.session, expires_at: claims.expires_at };
        self.see_live(&principal).await?;
        Ok(principal)
    }

    /// Looks again whether somebody who was let in is to be let in still: while a request arrives, which can take minutes, its token can
    /// expire and its session can end.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when either has happened.
    pub async fn again(&self, principal: &Principal) -> Result<()> {
        if principal.expires_at <= self.clock.now() {
            return Err(Error::Unauthenticated(Unauthenticated::Expired));
        }
        self.see_live(principal).await
    }

    async fn see_live(&self, principal: &Principal) -> Result<()> {
        match self.sessions.is_live(principal.session, principal.user).await? {
            true => Ok(()),
            false => Err(Error::Unauthenticated(Unauthenticated::Revoked)),
        }
    }
}
