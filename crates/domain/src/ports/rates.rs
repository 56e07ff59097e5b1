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

    /// Begins an attempt to log in. It counts as failed until it is [forgiven](Self::forgive), so that attempts that are made at
    /// once count too. Accounts that exist and those that do not are counted alike.
    ///
    /// # Errors
    /// The time to wait, when too many attempts on this account from this address have failed. An attempt that has to wait does not
    /// count.
    fn attempt(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration>;

    /// The password was right: there have been no failed attempts on this account from this address.
    fn forgive(&self, account: &str, address: Option<IpAddr>);
}
