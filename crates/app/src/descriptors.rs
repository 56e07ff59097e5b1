//! How many files and connections the process may have open at once.
//!
//! Systems hand out a soft limit of often 1,024, for the sake of programs that cannot count further, and a hard one of much more, up to which
//! a process may help itself. Every socket takes one.

/// Below this many a server is not much use, and easily kept from answering by somebody who opens connections.
pub const FEW: u64 = 4096;

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
