//! How many files and connections the process may have open at once.
//!
//! Systems hand out a soft limit of often 1,024, for the sake of programs that cannot count further, and a hard one of much more, up to which
//! a process may help itself. Every socket takes one, and so does every photo that a client has not read yet. These are what strangers can make many of,
//! so that there is a number of both beyond which they are refused: what is left is for the database, the log and new photos.

/// Below this many a server is not much use, and easily kept from answering by somebody who opens connections.
pub const FEW: u64 = 4096;

/// How many the process needs for itself, beside those of the database.
const OWN: u64 = 64;

/// How many a connection to the database takes at most: with SQLite the file, its log, and what is shared with other connections.
const OF_DATABASE: u64 = 3;

/// Fewer of either are no use, since an address gets a quarter.
const LEAST: u64 = 16;

/// What strangers may have open, where all can be open that the process may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allotment {
    /// How many connections.
    pub connections: usize,
    /// How many photos that are being read.
    pub photos: usize,
}

impl Allotment {
    /// Three quarters of what a limit leaves are for connections, the others for photos. `database` is how many connections to the database there
    /// may be.
    #[must_use]
    pub fn of(limit: Option<u64>, database: usize) -> Self {
        let database = u64::try_from(database).unwrap_or(u64::MAX).saturating_mul(OF_DATABASE);
        let part = |fourths: u64| {
            let of = |limit: u64| (limit.saturating_sub(database.saturating_add(OWN)) / 4).saturating_mul(fourths);
            // Where there is next to nothing somebody should get in all the same.
            let count = limit.map_or(u64::MAX, |limit| of(limit).max(LEAST));
            usize::try_from(count).unwrap_or(usize::MAX)
        };
        Self { connections: part(3), photos: part(1) }
    }
}

/// Raises the soft limit to the hard one, and gives what it is now; `None` when there is none or it cannot be told.
#[cfg(unix)]
#[must_use]
pub fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // Some systems say that there is no hard limit and take no such soft one.
        Err(_) => current,
    }
}

/// The soft limit; `None` when there is none.
#[cfg(unix)]
#[must_use]
pub fn soft_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// There is no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn soft_limit() -> Option<u64> {
    None
}

/// The limit up to which the process may help itself.
#[cfg(unix)]
#[must_use]
pub fn hard_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum
}

/// There is no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn raise() -> Option<u64> {
    None
}

/// There is no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn hard_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_left_for_the_server_itself() {
        for (limit, database, connections, photos) in [
            (Some(1024), 10, 696, 232),
            (Some(65_536), 10, 49_080, 16_360),
            (Some(4096), 1000, 774, 258),
            (Some(256), 1000, 16, 16),
        ] {
            assert_eq!(Allotment::of(limit, database), Allotment { connections, photos }, "{limit:?} {database}");
        }
        assert_eq!(Allotment::of(None, 10).connections, usize::MAX);
    }
}
