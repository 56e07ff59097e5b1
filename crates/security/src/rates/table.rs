//! A table of fixed size: however many keys there are, it takes no more memory than when it was made.

use std::array;
use std::sync::{Mutex, PoisonError};

/// How many entries share a lock, and are looked through for a key.
const WAYS: usize = 8;

/// A number for each key. Where a new key finds no room, the smallest number among those in its place is forgotten. There is a lock for
/// each eight entries, held while a number is replaced.
pub(super) struct Table {
    buckets: Box<[Mutex<Bucket>]>,
}

type Bucket = [Entry; WAYS];

/// An entry that was never used has the smallest number there is.
#[derive(Clone, Copy, Default)]
struct Entry {
    key: u64,
    value: u64,
}

impl Table {
    /// A table with room for this many keys, rounded up.
    pub(super) fn new(room: usize) -> Self {
        let buckets = (0..room.div_ceil(WAYS).max(1)).map(|_| Mutex::new(array::from_fn(|_| Entry::default())));
        Self { buckets: buckets.collect() }
    }

    /// Replaces the number of a key, unless there is an error. Keys should be random: zero is taken for a key that was never there.
    pub(super) fn update<T, E>(&self, key: u64, update: impl Fn(Option<u64>) -> Result<(T, u64), E>) -> Result<T, E> {
        let count = u64::try_from(self.buckets.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(key % count).ok();
        let Some(bucket) = at.and_then(|at| self.buckets.get(at)) else {
            return update(None).map(|(outcome, _)| outcome);
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = bucket.iter_mut().find(|entry| entry.key == key) {
            let (outcome, value) = update(Some(entry.value).filter(|_| key != 0))?;
            entry.value = value;
            return Ok(outcome);
        }
        let (outcome, value) = update(None)?;
        if let Some(entry) = bucket.iter_mut().min_by_key(|entry| entry.value) {
            *entry = Entry { key, value };
        }
        Ok(outcome)
    }

    /// How many keys it knows.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        let used = |bucket: &Mutex<Bucket>| bucket.lock().unwrap().iter().filter(|entry| entry.key != 0).count();
        self.buckets.iter().map(used).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn put(table: &Table, key: u64, value: u64) -> Option<u64> {
        let Ok(old) = table.update(key, |old| Ok::<_, Infallible>((old, value)));
        old
    }

    #[test]
    fn the_smallest_numbers_are_forgotten_and_the_largest_stay() {
        let table = Table::new(8);
        for key in 1..=8 {
            assert_eq!(put(&table, key, key * 10), None);
        }
        assert_eq!(put(&table, 9, 25), None, "in the place of the first");
        assert_eq!(put(&table, 10, 90), None, "in the place of the second");
        assert_eq!(table.known(), 8);
        assert_eq!(put(&table, 8, 81), Some(80));
        assert_eq!(put(&table, 9, 91), Some(25));
        assert_eq!(put(&table, 1, 100), None);
    }

    #[test]
    fn an_error_leaves_everything_as_it_was() {
        let table = Table::new(8);
        put(&table, 1, 10);
        for key in [1, 2] {
            assert_eq!(table.update(key, |old| Err::<((), u64), _>(old)), Err(Some(10).filter(|_| key == 1)));
        }
        assert_eq!((table.known(), put(&table, 1, 11)), (1, Some(10)));
    }
}
