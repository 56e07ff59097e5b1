//! The threads of heavy work: hashing passwords, and making the files of photos.
//!
//! There are as many at work as there are cores, and they get what the rest of Mango leaves of them: however many people log in or
//! upload, chats are served first.

use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// Most threads there may be; how many are at work, the pools decide that use them. Beyond this number work waits.
const THREADS: usize = 512;

/// How much later than others these threads are given a core: about a tenth as often while both want one.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Starts a runtime whose threads for blocking work are those for heavy work. It has no others.
///
/// # Errors
/// When the system grants no runtime.
pub(crate) fn start() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .thread_name("mango-heavy")
        .max_blocking_threads(THREADS)
        .on_thread_start(stand_back)
        .build()
}

/// How many passwords are hashed at once: one a core, or half as many where these threads cannot stand back.
pub(crate) fn hashing() -> NonZeroUsize {
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    if cfg!(target_os = "linux") { cores } else { NonZeroUsize::new(cores.get() / 2).unwrap_or(NonZeroUsize::MIN) }
}

/// On Linux, a thread has a priority of its own.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "heavy work has the priority of all else");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;

    use super::*;

    /// The priority of the thread that asks, from `proc_pid_stat(5)`.
    fn niceness() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        after_name.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn heavy_work_stands_back_and_nothing_else_does() {
        let before = niceness();
        let runtime = start().unwrap();
        let heavy = runtime.handle().spawn_blocking(niceness);
        assert_eq!(wait(heavy), (before + NICE).min(19));
        assert_eq!(niceness(), before);
    }

    fn wait<T>(task: tokio::task::JoinHandle<T>) -> T {
        Builder::new_current_thread().build().unwrap().block_on(task).unwrap()
    }
}
