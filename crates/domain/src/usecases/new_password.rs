//! The choice of a new password.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{AuditEvent, Client, Password, PasswordHash, Principal, UserId};
use crate::ports::{Outcome, Passwords, Users};
use crate::usecases::attempts::Attempts;
use crate::usecases::audit::Auditor;
use crate::{Error, FieldError, Result};

/// Hashes the new passwords of users, and checks that they know the current one.
pub(super) struct NewPasswords {
    users: Arc<dyn Users>,
    passwords: Arc<dyn Passwords>,
    attempts: Attempts,
    auditor: Auditor,
    /// Whether a new password takes the current one, or may come without it.
    takes_current: bool,
}

/// A new password that may be set.
pub(super) struct Chosen {
    /// Its hash.
    pub new: PasswordHash,
    /// The hash that the current password was checked against, if one was given.
    pub current: Option<PasswordHash>,
}

impl NewPasswords {
    pub fn new(
        users: Arc<dyn Users>,
        passwords: Arc<dyn Passwords>,
        attempts: Attempts,
        auditor: Auditor,
        takes_current: bool,
    ) -> Self {
        Self { users, passwords, attempts, auditor, takes_current }
    }

    /// Hashes a new password, if there is one, once the current one has been found right.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `current_password` when it is wrong, is missing, or comes without a new one; [`Error::TooMany`] when too many have
    /// been wrong.
    pub async fn choose(
        &self,
        principal: &Principal,
        new: Option<Password>,
        current: Option<Password>,
        address: Option<IpAddr>,
    ) -> Result<Option<Chosen>> {
        let current = match (&new, current) {
            (Some(_), Some(current)) => Some(self.confirm(principal, current, address).await?),
            (Some(_), None) if self.takes_current => {
                return Err(refused("is missing: a new password takes the current one"));
            }
            // Whoever sends it wants it checked, and would take the change of something else for confirmed.
            (None, Some(_)) => return Err(refused("goes with a new password, and none is given")),
            (_, None) => None,
        };
        let Some(new) = new else { return Ok(None) };
        let by = Client { user: Some(principal.user), address };
        Ok(Some(Chosen { new: self.passwords.hash(new, by).await?, current }))
    }

    /// Checks the current password, and gives the hash that it is right for. A wrong one is counted as a failed login is, so that a stolen
    /// access token is no way to guess faster.
    async fn confirm(&self, principal: &Principal, current: Password, address: Option<IpAddr>) -> Result<PasswordHash> {
        let Principal { user, session, .. } = *principal;
        let attempt = self.attempts.begin_by(user, address).await?;
        let hash = self.stored(user).await?;
        let by = Client { user: Some(user), address };
        if self.passwords.verify(current, Some(hash.clone()), by).await? {
            attempt.settle(Outcome::Right);
            return Ok(hash);
        }
        attempt.settle(Outcome::Wrong);
        self.auditor.note(AuditEvent::LoginFailed, Some(user), [Some(session)], address).await;
        Err(refused("is not the password of now"))
    }

    async fn stored(&self, user: UserId) -> Result<PasswordHash> {
        self.users.password(user).await?.ok_or(Error::NotFound("user"))
    }
}

fn refused(message: &str) -> Error {
    FieldError::new("current_password", message).into()
}
