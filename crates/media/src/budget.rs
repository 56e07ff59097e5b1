//! The memory that all pictures in work have together, however many cores work on them.

use std::sync::Arc;

use mango_domain::Failure;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;

/// Bytes for each pixel of an original that is made: the original itself, upright, in its colours and without transparency, and the
/// light of what is being made smaller.
const MAKING: u64 = 16;
/// An original has no more pixels than this.
const MOST_PIXELS: u64 = 2048 * 2048;

/// Memory in MiB, which pictures get in the order in which they ask for it.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u32,
    left: Arc<Semaphore>,
}

/// The memory of a picture, which is given back when this is dropped.
#[must_use]
pub(crate) struct Share {
    _permits: OwnedSemaphorePermit,
}

impl Budget {
    /// So many bytes for all pictures in work.
    pub(crate) fn new(bytes: u64) -> Self {
        let total = mebibytes(bytes).max(1);
        // A semaphore counts far beyond what 32 bits hold; only where memory has 32 bits it does not.
        let permits = usize::try_from(total).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { total: u32::try_from(permits).unwrap_or(u32::MAX), left: Arc::new(Semaphore::new(permits)) }
    }

    /// Waits on this thread, which must be one for blocking work, until there is memory to decode a picture of this size, which takes so
    /// many bytes, and to make its files. One that needs more than there is at all gets what there is, and has it alone.
    pub(crate) fn take(&self, decoding: u64, width: u32, height: u32) -> Result<Share, Failure> {
        let making = (u64::from(width) * u64::from(height)).min(MOST_PIXELS) * MAKING;
        let wanted = mebibytes(decoding.saturating_add(making)).min(self.total);
        let taking = Arc::clone(&self.left).acquire_many_owned(wanted);
        let permits = Handle::current().block_on(taking).map_err(|error| Failure::broken("wait for memory", error))?;
        Ok(Share { _permits: permits })
    }
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, channel};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_does_not_fit_beside_the_others_waits_for_them() {
        let budget = Arc::new(Budget::new(100 * MIB));
        let take = |mebibytes: u64| {
            let budget = Arc::clone(&budget);
            tokio::task::spawn_blocking(move || budget.take(mebibytes * MIB, 0, 0).unwrap())
        };
        let (one, other) = (take(40).await.unwrap(), take(60).await.unwrap());
        let (told, hears) = channel();
        let waiting = take(1);
        tokio::spawn(async move { told.send(waiting.await.unwrap()) });
        assert!(hears.recv_timeout(Duration::from_millis(50)).is_err(), "there is nothing left");
        drop(other);
        drop(hears.recv_timeout(Duration::from_secs(30)).unwrap());

        // One that is larger than all there is comes in its turn, and is alone then.
        let (told, hears) = channel();
        let huge = take(500);
        tokio::spawn(async move { told.send(huge.await.unwrap()) });
        assert!(matches!(hears.try_recv(), Err(TryRecvError::Empty)), "another one is in work");
        drop(one);
        let huge = hears.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(budget.left.available_permits(), 0);
        drop(huge);
        assert_eq!(budget.left.available_permits(), 100);
    }
}
