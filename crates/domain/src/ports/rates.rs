//! The counting of what somebody does too often.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Rate, Standing, Subject};

/// Counts in memory, so that an answer takes less than a microsecond and no method waits. It forgets with the process, and may forget
/// whoever did little to keep its memory bounded, however many subjects there are.
pub trait Rates: Send + Sync {
    /// Takes one of what the subject may do at this rate, if there is one left; `None` when the rate is not limited. Rates are counted
    /// apart from each other.
    fn take(&self, rate: Rate, subject: Subject) -> Option<Standing>;

    /// Takes one of the attempts that may be made on an account from all addresses together, at [`Rate::LogInAccount`]. Accounts that exist
    /// and those that do not are counted alike.
    ///
    /// # Errors
    /// The time until there is one again, when none is left.
    fn guess(&self, account: &str) -> Result<(), Duration>;

    /// Begins an attempt to log in, which is open until it is [settled](Self::settle). Only so many are open at once, so that guesses
    /// that are made at once are no way around the wait. Accounts that exist and those that do not are counted alike.
    ///
    /// # Errors
    /// The time to wait, when too many attempts on this account from this address have failed or are open. An attempt that has to wait
    /// does not count and is not open.
    fn attempt(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration>;

    /// Ends an attempt that was let through, once for each.
    fn settle(&self, account: &str, address: Option<IpAddr>, outcome: Outcome);
}

/// How an attempt to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The password was right: there have been no failed attempts on this account from this address.
    Right,
    /// The password was wrong, or nobody has the account: one more attempt has failed.
    Wrong,
    /// Nobody found out, since something else failed or the caller went away: the attempt counts for nothing.
    Unknown,
}
