//! The counting of attempts at a password.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{Phone, Subject};
use crate::ports::{Outcome, Rates, Sessions};
use crate::{Error, Result};

/// Lets attempts at the password of an account begin, unless there have been too many.
#[derive(Clone)]
pub(super) struct Attempts {
    rates: Arc<dyn Rates>,
    sessions: Arc<dyn Sessions>,
}

impl Attempts {
    pub fn new(rates: Arc<dyn Rates>, sessions: Arc<dyn Sessions>) -> Self {
        Self { rates, sessions }
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
        let too_many = |retry_after| Error::TooMany { retry_after };
        let (phone, account) = (account.ok(), account.map_or_else(|text| text, Phone::as_str));
        let rates = &*self.rates;
        rates.attempt(account, address).map_err(too_many)?;
        let attempt = Attempt { rates, account, address, outcome: Outcome::Unknown };
        // What is no phone has no password that could be guessed.
        if let Some(phone) = phone
            && let Err(retry_after) = rates.guess(account)
            && !self.is_at_home(phone, address).await?
        {
            return Err(too_many(retry_after));
        }
        Ok(attempt)
    }

    /// Whether the account of a phone has a live session at an address.
    async fn is_at_home(&self, phone: &Phone, address: Option<IpAddr>) -> Result<bool> {
        let Some(address) = address.map(Subject::prefix) else { return Ok(false) };
        let homes = self.sessions.addresses(phone).await?;
        Ok(homes.into_iter().any(|home| Subject::prefix(home) == address))
    }
}

/// An attempt that is being checked. Dropped before its outcome is known, also because the caller went away, it counts for nothing.
pub(super) struct Attempt<'a> {
    rates: &'a dyn Rates,
    account: &'a str,
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
        self.rates.settle(self.account, self.address, self.outcome);
    }
}
