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
        if !self.sessions.is_live(claims.session, claims.user).await? {
            return Err(Error::Unauthenticated(Unauthenticated::Revoked));
        }
        Ok(Principal { user: claims.user, session: claims.session, expires_at: claims.expires_at })
    }
}
