//! The limits on how often somebody may do something.

use std::sync::Arc;

use crate::model::{Rate, Standing, Subject};
use crate::ports::Rates;
use crate::{Error, Result};

/// Says whether somebody may do one more of something. Whoever lets a request or an event in asks once, before any work is done for it.
#[derive(Clone)]
pub struct Limit {
    rates: Arc<dyn Rates>,
}

impl Limit {
    pub(super) fn new(rates: Arc<dyn Rates>) -> Self {
        Self { rates }
    }

    /// Takes one of what the subject may do; `None` when there is no limit.
    #[must_use]
    pub fn take(&self, rate: Rate, subject: Subject) -> Option<Standing> {
        self.rates.take(rate, subject)
    }

    /// The same for who does not care how many are left.
    ///
    /// # Errors
    /// [`Error::TooMany`] when there are none.
    pub fn run(&self, rate: Rate, subject: Subject) -> Result<()> {
        match self.take(rate, subject).and_then(|standing| standing.retry_after) {
            Some(retry_after) => Err(Error::TooMany { retry_after }),
            None => Ok(()),
        }
    }
}
