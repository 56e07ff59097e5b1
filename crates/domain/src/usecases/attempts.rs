//! The counting of attempts at a password.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{Phone, Subject, UserId};
use crate::ports::{Outcome, Rates, Sessions};
use crate::usecases::list_sessions::Lister;
use crate::{Error, Result};

/// Lets attempts at the password of an account begin, unless there have been too many.
#[derive(Clone)]
pub(super) struct Attempts {
    rates: Arc<dyn Rates>,
    sessions: Arc<dyn Sessions>,
    lister: Lister,
}

impl Attempts {
    pub fn new(rates: Arc<dyn Rates>, sessions: Arc<dyn Sessions>, lister: Lister) -> Self {
        Self { rates, sessions, lister }
    }

    /// Begins an attempt from an address on the account of a phone, or of what cannot be one.
    ///
    /// Too many from one address make that address wait, and take no more of what all addresses may do together. When that is used up,
    /// those go on who are where the account is logged in already: so its owner, who is at home, is not kept out by somebody who guesses from
    /// everywhere else.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the attempt may not be made now.
    pub async fn begin<'a>(
        &'a self,
        account: std::result::Result<&'a Phone, &'a str>,
        address: Option<IpAddr>,
    ) -> Result<Attempt<'a>> {
        // Whatever somebody writes in place of a phone, it is counted as nothing else is.
        let name = account.map_or_else(|text| format!("no phone {text}").into(), |phone| phone.as_str().into());
        let attempt = self.open(name, address)?;
        // What is no phone has no password that could be guessed.
        if let Ok(phone) = account
            && let Err(retry_after) = self.rates.guess(&attempt.account)
            && !is_at_home(address, self.sessions.addresses(phone).await?)
        {
            return Err(Error::TooMany { retry_after });
        }
        Ok(attempt)
    }

    /// Begins an attempt of somebody who is logged in as the user whose password it is. It is counted by the user and in the same ways, but
    /// apart from logins: a phone can be changed, and a stranger who guesses at it is not to keep its owner from choosing another password.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the attempt may not be made now.
    pub async fn begin_by(&self, user: UserId, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let attempt = self.open(format!("user {user}").into(), address)?;
        if let Err(retry_after) = self.rates.guess(&attempt.account) {
            let sessions = self.lister.list(user).await?;
            if !is_at_home(address, sessions.into_iter().filter_map(|session| session.address)) {
                return Err(Error::TooMany { retry_after });
            }
        }
        Ok(attempt)
    }

    fn open<'a>(&'a self, account: Cow<'a, str>, address: Option<IpAddr>) -> Result<Attempt<'a>> {
        let rates = &*self.rates;
        rates.attempt(&account, address).map_err(|retry_after| Error::TooMany { retry_after })?;
        Ok(Attempt { rates, account, address, outcome: Outcome::Unknown })
    }
}

/// Whether an address is one of those at which an account is logged in.
fn is_at_home(address: Option<IpAddr>, homes: impl IntoIterator<Item = IpAddr>) -> bool {
    let address = address.map(Subject::prefix);
    homes.into_iter().any(|home| Some(Subject::prefix(home)) == address)
}

/// An attempt that is being checked. Dropped before its outcome is known, also because the caller went away, it counts for nothing.
pub(super) struct Attempt<'a> {
    rates: &'a dyn Rates,
    account: Cow<'a, str>,
    address: Option<IpAddr>,
    outcome: Outcome,
}

impl Attempt<'_> {
    pub fn settle(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.rates.settle(&self.account, self.address, self.outcome);
    }
}
