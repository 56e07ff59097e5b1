//! The choice of a new password, and the current one that it and a new phone can take.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{AuditEvent, Client, Password, PasswordHash, Principal, Rate, Subject, UserId};
use crate::ports::{Outcome, Passwords, Users};
use crate::usecases::attempts::Attempts;
use crate::usecases::audit::Auditor;
use crate::usecases::limit::Limit;
use crate::{Error, FieldError, Result};

/// Hashes the new passwords of users, and checks that they know the current one before what they log in with is changed.
pub(super) struct NewPasswords {
    users: Arc<dyn Users>,
    passwords: Arc<dyn Passwords>,
    attempts: Attempts,
    auditor: Auditor,
    limit: Limit,
    /// Whether a new password or phone takes the current password, or may come without it.
    takes_current: bool,
}

/// What of a change is about what the user logs in with.
pub(super) struct Wanted {
    /// The new password.
    pub password: Option<Password>,
    /// The phone, if there is one in the change.
    pub phone: Option<WantedPhone>,
    /// What is given as the current password.
    pub current: Option<Password>,
}

/// A phone in a change. Some clients send the whole profile with each change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedPhone {
    /// It is the one that the user has.
    Kept,
    /// It is another one.
    Other,
}

/// What may be changed.
pub(super) struct Chosen {
    /// The hash of the new password.
    pub new: Option<PasswordHash>,
    /// The hash that the current password was checked against, if one was given.
    pub current: Option<PasswordHash>,
}

impl NewPasswords {
    pub fn new(
        users: Arc<dyn Users>,
        passwords: Arc<dyn Passwords>,
        attempts: Attempts,
        auditor: Auditor,
        limit: Limit,
        takes_current: bool,
    ) -> Self {
        Self { users, passwords, attempts, auditor, limit, takes_current }
    }

    /// Hashes a new password, if there is one, once the current one has been found right, and counts a change of phone.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `current_password` when it is wrong, is missing, or comes without what it goes with; [`Error::TooMany`] when too
    /// many have been wrong, or the phone was changed too often.
    pub async fn choose(&self, principal: &Principal, wanted: Wanted, address: Option<IpAddr>) -> Result<Chosen> {
        let Wanted { password, phone, current } = wanted;
        let takes = self.takes_current && (password.is_some() || phone == Some(WantedPhone::Other));
        let current = match current {
            // Whoever sends it wants it checked, and would take the change of something else for confirmed.
            Some(_) if password.is_none() && phone.is_none() => {
                return Err(refused("goes with a new password or phone, and neither is given"));
            }
            Some(current) => Some(self.confirm(principal, current, address).await?),
            None if takes => return Err(refused("is missing: a new password or phone takes it")),
            None => None,
        };
        if phone == Some(WantedPhone::Other) {
            // Whoever has stolen an access token takes the account from phone to phone no faster than this.
            self.limit.run(Rate::ChangePhone, Subject::User(principal.user))?;
        }
        let by = Client { user: Some(principal.user), address };
        let new = match password {
            Some(password) => Some(self.passwords.hash(password, by).await?),
            None => None,
        };
        Ok(Chosen { new, current })
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
