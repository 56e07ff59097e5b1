//! The beginning of a session.

use std::sync::Arc;

use crate::error::{Unauthenticated, chain};
use crate::model::{AuditEvent, Client, Credentials, Grant, NewSession, Password, PasswordHash, Phone, Visit};
use crate::ports::{Outcome, Passwords, Sessions, Users};
use crate::usecases::attempts::{Account, Attempts};
use crate::usecases::audit::Auditor;
use crate::usecases::grant::Granter;
use crate::{Error, Failure, Result};

/// Begins a session for somebody who knows a phone and its password.
pub struct LogIn {
    users: Arc<dyn Users>,
    passwords: Arc<dyn Passwords>,
    sessions: Arc<dyn Sessions>,
    granter: Granter,
    auditor: Auditor,
    attempts: Attempts,
}

impl LogIn {
    pub(super) fn new(
        users: Arc<dyn Users>,
        passwords: Arc<dyn Passwords>,
        sessions: Arc<dyn Sessions>,
        granter: Granter,
        auditor: Auditor,
        attempts: Attempts,
    ) -> Self {
        Self { users, passwords, sessions, granter, auditor, attempts }
    }

    /// Checks the password and begins a session. An unknown phone takes as long as a wrong password. A password that was hashed with
    /// other parameters than those of today is hashed anew (RFC 9106, section 4): only now is it known. A password that is replaced at the
    /// same moment begins no session that the replacement would not end.
    ///
    /// Failed attempts are counted by account, whatever phone it has at the time, and address together: whoever guesses has to wait longer and longer, and its owner, who is
    /// somewhere else, does not. Only a wrong password counts, not a store or a hasher that has no time. All attempts are counted by account
    /// as well, and when there have been too many, only those from an address of a live session go on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an unknown phone and for a wrong password alike; [`Error::TooMany`] when too many attempts have
    /// failed or are being checked.
    pub async fn run(&self, phone: &str, password: String, visit: Visit) -> Result<Grant> {
        let parsed = Phone::parse(phone).ok();
        let address = visit.address;
        let mut known = match &parsed {
            Some(phone) => self.users.credentials(phone).await?,
            None => None,
        };
        let user = known.as_ref().map(|known| known.user);
        let account = parsed.as_ref().map_or(Account::Text(phone), |phone| Account::Phone(phone, user));
        let attempt = self.attempts.begin(account, address).await?;
        let password = Password::attempt(password);
        // A session is not begun when the password has been replaced since it was checked. It is checked again then, once: another login may
        // have hashed it anew.
        for _ in 0..2 {
            let Some(right) = self.check(known, &password, Client::at(address)).await? else { break };
            let fresh = self.granter.fresh()?;
            let session = NewSession {
                id: self.granter.session()?,
                user: right.user,
                password: right.password,
                visit: visit.clone(),
                refresh: fresh.hash.clone(),
                created_at: fresh.now,
                expires_at: fresh.expires_at,
            };
            let id = session.id;
            if self.sessions.begin(session).await? {
                attempt.settle(Outcome::Right);
                self.auditor.note(AuditEvent::LoggedIn, user, [Some(id)], address).await;
                return self.granter.grant(right.user, id, fresh);
            }
            // Of the same user, since it is theirs that the attempt counts for.
            let replaced = self.users.password(right.user).await?;
            known = replaced.map(|password| Credentials { user: right.user, password });
        }
        attempt.settle(Outcome::Wrong);
        self.auditor.note(AuditEvent::LoginFailed, user, [None], address).await;
        Err(Error::Unauthenticated(Unauthenticated::Credentials))
    }

    /// Checks a password, and gives the credentials that it is right for, as they are now.
    async fn check(&self, known: Option<Credentials>, password: &Password, by: Client) -> Result<Option<Credentials>> {
        let hash = known.as_ref().map(|known| known.password.clone());
        let matches = self.passwords.verify(password.clone(), hash, by).await?;
        let Some(mut known) = known.filter(|_| matches) else { return Ok(None) };
        if self.passwords.is_outdated(&known.password) {
            match self.rehash(&known, password.clone(), by).await {
                Ok(new) => known.password = new.unwrap_or(known.password),
                // The old hash is good for this login and for the next, which tries again.
                Err(failure) => {
                    tracing::warn!(user = %known.user, error = chain(&failure), "a password could not be hashed anew");
                }
            }
        }
        Ok(Some(known))
    }

    /// Hashes a password anew; the new hash, unless the password was replaced in the meantime.
    async fn rehash(
        &self,
        known: &Credentials,
        password: Password,
        by: Client,
    ) -> std::result::Result<Option<PasswordHash>, Failure> {
        let new = self.passwords.hash(password, by).await?;
        let replaced = self.users.rehash(known.user, &known.password, new.clone()).await?;
        Ok(replaced.then_some(new))
    }
}
