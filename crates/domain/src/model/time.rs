//! Points in time as Mango keeps them.

use chrono::{DateTime, SubsecRound, Utc};

/// A point in time in UTC. Everything stored has whole microseconds, the precision of PostgreSQL.
pub type Timestamp = DateTime<Utc>;

/// Drops what is finer than a microsecond, so that a time survives a round trip through any store unchanged.
#[must_use]
pub fn to_micros(time: Timestamp) -> Timestamp {
    time.trunc_subsecs(6)
}
