//! Bytes that are kept for many sockets, of which each has its share: what is bounded for all of them together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// So many bytes in all. A copy is the same sum.
#[derive(Debug, Clone)]
pub(crate) struct Sum(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    size: AtomicUsize,
    most: usize,
    overfull: Notify,
}

impl Sum {
    /// Nothing so far, and `most` bytes at the most.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { size: AtomicUsize::new(0), most, overfull: Notify::new() }))
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> usize {
        self.0.size.load(Ordering::Relaxed)
    }

    /// Whether there are more than there may be.
    pub(crate) fn is_overfull(&self) -> bool {
        self.size() > self.0.most
    }

    /// Whether there are more than half of what there may be.
    pub(crate) fn is_half_full(&self) -> bool {
        self.size() > self.0.most / 2
    }

    /// Waits until there are more than there may be.
    pub(crate) async fn overfull(&self) {
        while !self.is_overfull() {
            self.0.overfull.notified().await;
        }
    }

    fn add(&self, bytes: usize) {
        if self.0.size.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > self.0.most {
            self.0.overfull.notify_one();
        }
    }

    fn subtract(&self, bytes: usize) {
        self.0.size.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The part of one socket in a [`Sum`]. It is nothing before it is told of which, and gone from it when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    size: AtomicUsize,
    sum: OnceLock<Sum>,
}

impl Share {
    /// Is a part of this sum from now on. The first one counts.
    pub(crate) fn count_in(&self, sum: &Sum) {
        let _ = self.sum.set(sum.clone());
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        if let Some(sum) = self.sum.get() {
            // In this order, so that the sum is never less than its shares.
            sum.add(bytes);
            self.size.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes off so many bytes, or as many as it has.
    pub(crate) fn remove(&self, bytes: usize) {
        let less = |size: usize| Some(size.saturating_sub(bytes));
        let before = self.size.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or_default();
        self.take_off(before.min(bytes));
    }

    /// Sees to it that it has no more than this.
    pub(crate) fn lower(&self, most: usize) {
        self.take_off(self.size.fetch_min(most, Ordering::Relaxed).saturating_sub(most));
    }

    fn take_off(&self, bytes: usize) {
        if let Some(sum) = self.sum.get().filter(|_| bytes > 0) {
            sum.subtract(bytes);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.lower(0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_sum_is_that_of_its_shares() {
        let sum = Sum::new(100);
        let (one, other) = (Share::default(), Share::default());
        one.add(10);
        assert_eq!((sum.size(), one.size()), (0, 0), "it was not counted in");
        one.count_in(&sum);
        other.count_in(&sum);
        one.add(40);
        other.add(20);
        other.remove(5);
        assert_eq!((sum.size(), one.size(), other.size()), (55, 40, 15));
        assert!(sum.is_half_full() && !sum.is_overfull() && sum.overfull().now_or_never().is_none());
        other.remove(90);
        one.lower(60);
        one.lower(30);
        assert_eq!((sum.size(), one.size(), other.size()), (30, 30, 0), "nothing is taken off twice");
        other.add(71);
        assert!(sum.is_overfull() && sum.overfull().now_or_never().is_some());
        drop(other);
        assert_eq!(sum.size(), 30);
        assert!(sum.overfull().now_or_never().is_none());
    }
}
