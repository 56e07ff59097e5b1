//! Memory that many have to share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mango_domain::model::Subject;

/// So many bytes for all together, of which nobody holds more than a share. Clones are the same room.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    share: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug)]
struct Taken {
    left: usize,
    /// Those who hold anything.
    by: HashMap<Subject, usize>,
}

/// Bytes of a room, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Room,
    by: Option<Subject>,
    bytes: usize,
}

impl Room {
    /// A room of so many bytes.
    pub fn new(bytes: usize, share: usize) -> Self {
        Self { share: share.min(bytes), taken: Arc::new(Mutex::new(Taken { left: bytes, by: HashMap::new() })) }
    }

    /// How much one may hold.
    pub const fn share(&self) -> usize {
        self.share
    }

    /// Whether there is so much left at the moment. Whoever is unknown has no share of their own, and may hold all.
    pub fn has(&self, by: Option<Subject>, bytes: usize) -> bool {
        self.lock().has(by, bytes, self.share)
    }

    /// Takes bytes, if there are so many left.
    pub fn hold(&self, by: Option<Subject>, bytes: usize) -> Option<Held> {
        let mut held = Held { room: self.clone(), by, bytes: 0 };
        held.grow(bytes).then_some(held)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn has(&self, by: Option<Subject>, bytes: usize, share: usize) -> bool {
        let own = by.and_then(|by| self.by.get(&by)).copied().unwrap_or_default();
        bytes <= self.left && (by.is_none() || own.saturating_add(bytes) <= share)
    }
}

impl Held {
    /// Takes so many bytes more; false, and nothing is taken, when there are not so many left.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let mut taken = self.room.lock();
        if !taken.has(self.by, bytes, self.room.share) {
            return false;
        }
        taken.left -= bytes;
        if let Some(by) = self.by {
            *taken.by.entry(by).or_default() += bytes;
        }
        self.bytes += bytes;
        true
    }

    /// Takes as many more as make so many, if it has fewer.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        self.grow(bytes.saturating_sub(self.bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.left += self.bytes;
        if let Some(by) = self.by
            && let Some(own) = taken.by.get_mut(&by)
        {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                taken.by.remove(&by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mango_domain::model::UserId;

    use super::*;

    fn user(id: i64) -> Option<Subject> {
        Some(Subject::User(UserId::new(id)))
    }

    #[test]
    fn nobody_holds_more_than_a_share() {
        let room = Room::new(100, 40);
        let mut one = room.hold(user(1), 30).unwrap();
        assert!(room.hold(user(1), 11).is_none() && !room.has(user(1), 11) && !one.grow(11));
        assert!(one.grow(10) && one.grow_to(40) && !one.grow_to(41));
        let two = room.hold(user(2), 40).unwrap();
        // There are twenty left for all.
        assert!(room.hold(user(3), 21).is_none() && room.has(user(3), 20));
        assert!(room.hold(None, 21).is_none());
        drop(one);
        let unknown = room.hold(None, 60).unwrap();
        assert!(!room.has(user(1), 1));
        drop((two, unknown));
        assert!(room.hold(None, 100).is_some());
        assert!(room.lock().by.is_empty());
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let room = Room::new(100, 40);
        for _ in 0..10 {
            assert!(room.hold(user(1), 41).is_none());
        }
        assert!(room.lock().by.is_empty());
        assert_eq!(room.lock().left, 100);
    }
}
