//! The beginning of a session.

use std::sync::Arc;

use crate::error::Unauthenticated;
use crate::model::{Grant, NewSession, Password, Phone, Visit};
use crate::ports::{Passwords, Sessions, Users};
use crate::usecases::grant::Granter;
use crate::{Error, Result};

/// Begins a session for whoever knows a phone and its password.
pub struct LogIn {
    users: Arc<dyn Users>,
    passwords: Arc<dyn Passwords>,
    sessions: Arc<dyn Sessions>,
    granter: Granter,
}

impl LogIn {
    pub(super) fn new(
        users: Arc<dyn Users>,
        passwords: Arc<dyn Passwords>,
        sessions: Arc<dyn Sessions>,
        granter: Granter,
    ) -> Self {
        Self { users, passwords, sessions, granter }
    }

    /// Checks the password and begins a session. An unknown phone takes as long as a wrong password.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an unknown phone and for a wrong password alike.
    pub async fn run(&self, phone: &str, password: String, visit: Visit) -> Result<Grant> {
        let known = match Phone::parse(phone) {
            Ok(phone) => self.users.credentials(&phone).await?,
            Err(_) => None,
        };
        let hash = known.as_ref().map(|known| known.password.clone());
        let matches = self.passwords.verify(Password::attempt(password), hash).await?;
        let user = match known {
            Some(known) if matches => known.user,
            _ => return Err(Error::Unauthenticated(Unauthenticated::Credentials)),
        };
        let fresh = self.granter.fresh()?;
        let refresh = fresh.hash.clone();
        let session = NewSession { user, visit, refresh, created_at: fresh.now, expires_at: fresh.expires_at };
        let session = self.sessions.begin(session).await?;
        self.granter.grant(user, session, fresh)
    }
}
