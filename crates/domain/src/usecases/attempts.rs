//! The counting of attempts at a password.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{Phone, Subject, UserId};
use crate::ports::{Outcome, Rates, Sessions};
use crate::usecases::list_sessions::Lister;
use crate::{Error, Result};

/// What somebody tries to log in to.
#[derive(Clone, Copy)]
pub(super) enum Account<'a> {
    /// That of whoever has this phone, if anybody does.
    Phone(&'a Phone, Option<UserId>),
    /// What cannot be a phone.
    Text(&'a str),
}

impl Account<'_> {
    /// Under what its attempts are counted; nothing else is counted under that, whatever somebody writes in place of a phone. A user goes by
    /// their id: whoever can give them other phones, as with a stolen access token, would otherwise begin anew with each.
    fn name(self) -> String {
        match self {
            Self::Phone(_, Some(user)) => format!("login {user}"),
            Self::Phone(phone, None) => format!("phone {}", phone.as_str()),
            Self::Text(text) => format!("no phone {text}"),
        }
    }
}

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

    /// Begins an attempt to log in from an address. An account that nobody has is treated as one that somebody has.
    ///
    /// Too many from one address make that address wait, and take no more of what all addresses may do together. When that is used up,
    /// those go on who are where the account is logged in already: so its owner, who is at home, is not kept out by somebody who guesses from
    /// everywhere else.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the attempt may not be made now.
    pub async fn begin(&self, account: Account<'_>, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let attempt = self.open(account.name(), address)?;
        // What is no phone has no password that could be guessed.
        if let Account::Phone(phone, _) = account
            && let Err(retry_after) = self.rates.guess(&attempt.account)
            && !is_at_home(address, self.sessions.addresses(phone).await?)
        {
            return Err(Error::TooMany { retry_after });
        }
        Ok(attempt)
    }

    /// Begins an attempt of somebody who is logged in as the user whose password it is. It is counted in the same ways, but
    /// apart from logins: a stranger who guesses at the account is not to keep its owner from choosing another password.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the attempt may not be made now.
    pub async fn begin_by(&self, user: UserId, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let attempt = self.open(format!("user {user}"), address)?;
        if let Err(retry_after) = self.rates.guess(&attempt.account) {
            let sessions = self.lister.list(user).await?;
            if !is_at_home(address, sessions.into_iter().filter_map(|session| session.address)) {
                return Err(Error::TooMany { retry_after });
            }
        }
        Ok(attempt)
    }

    fn open(&self, account: String, address: Option<IpAddr>) -> Result<Attempt<'_>> {
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
    account: String,
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
