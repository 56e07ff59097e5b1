//! What many have to share: memory, places in a line, connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Subject, UserId};

/// Whoever something is done for, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// The address that the request comes from.
    pub address: Option<IpAddr>,
    /// Who they are logged in as.
    pub user: Option<UserId>,
}

impl Client {
    /// Somebody of whom no more is known than where they are.
    #[must_use]
    pub const fn at(address: Option<IpAddr>) -> Self {
        Self { address, user: None }
    }

    /// Those whose share it is that is taken for them.
    fn sharers(self) -> impl Iterator<Item = Sharer> {
        let address = self.address.map(Subject::prefix);
        let network = match address {
            Some(IpAddr::V6(address)) => Some(Sharer::Network(network(address))),
            Some(IpAddr::V4(_)) | None => None,
        };
        self.user.map(Sharer::User).into_iter().chain(address.map(Sharer::Address)).chain(network)
    }
}

/// The first 48 bits of an address, which are one customer's where the first 64 are one of their 65,536 networks.
fn network(address: Ipv6Addr) -> Ipv6Addr {
    let [a, b, c, ..] = address.segments();
    Ipv6Addr::from([a, b, c, 0, 0, 0, 0, 0])
}

/// Who has a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sharer {
    User(UserId),
    /// Of IPv6 the first 64 bits.
    Address(IpAddr),
    /// Of IPv6 the first 48 bits.
    Network(Ipv6Addr),
}

/// So much for all together, of which everybody has a share that shrinks as the room fills: nobody holds more than a part of what all the
/// others leave. So those who come first cannot take all of it, be they ten, and whoever comes last finds something. Clones are the
/// same room.
///
/// What somebody holds counts for them as a user, as an address, and of IPv6 as a /48. Whoever is unknown has no share, and may hold all.
#[derive(Debug, Clone)]
pub struct Room {
    most: usize,
    portions: Portions,
    taken: Arc<Mutex<Taken>>,
}

/// Everybody's share, as one part in so many of what the others leave.
#[derive(Debug, Clone, Copy)]
struct Portions {
    user: usize,
    address: usize,
    network: usize,
}

#[derive(Debug)]
struct Taken {
    left: usize,
    /// Those who hold anything.
    by: HashMap<Sharer, usize>,
}

/// What is held of a room, free again when this is dropped.
#[derive(Debug)]
pub struct Held {
    room: Room,
    by: Client,
    amount: usize,
}

impl Room {
    /// A room of this size. A user holds at most an eighth of what all the others leave of it, an address a quarter, and a /48 of IPv6 a half.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self::shared_out(size, Portions { user: 8, address: 4, network: 2 })
    }

    /// A room for things so large that it has place for a few, or of which many honest people at one address want one each at the same time: an
    /// address holds up to a half of what all the others leave of it, and so does a user.
    #[must_use]
    pub fn for_few(size: usize) -> Self {
        Self::shared_out(size, Portions { user: 2, address: 2, network: 2 })
    }

    /// A room that is not shared out: whoever comes may hold all that is left.
    #[must_use]
    pub fn unshared(size: usize) -> Self {
        Self::shared_out(size, Portions { user: 1, address: 1, network: 1 })
    }

    fn shared_out(size: usize, portions: Portions) -> Self {
        Self { most: size, portions, taken: Arc::new(Mutex::new(Taken { left: size, by: HashMap::new() })) }
    }

    /// The same where a user or an address never holds more than this, however much is left.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Whether somebody may take so much at the moment.
    #[must_use]
    pub fn has(&self, by: Client, amount: usize) -> bool {
        self.allows(&self.lock(), by, amount)
    }

    /// Takes so much, if it may be taken.
    #[must_use]
    pub fn hold(&self, by: Client, amount: usize) -> Option<Held> {
        let mut held = Held { room: self.clone(), by, amount: 0 };
        held.grow(amount).then_some(held)
    }

    fn allows(&self, taken: &Taken, by: Client, amount: usize) -> bool {
        let Portions { user, address, network } = self.portions;
        let fits = |sharer| {
            let own = taken.by.get(&sharer).copied().unwrap_or_default();
            let (portion, most) = match sharer {
                Sharer::User(_) => (user, self.most),
                Sharer::Address(_) => (address, self.most),
                Sharer::Network(_) => (network, usize::MAX),
            };
            let share = taken.left.saturating_add(own) / portion.max(1);
            own.saturating_add(amount) <= share.min(most)
        };
        // Whoever asks for nothing more may keep what they have, though their share is less by now.
        amount == 0 || (amount <= taken.left && by.sharers().all(fits))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes so much more; false, and nothing is taken, when that may not be.
    pub fn grow(&mut self, amount: usize) -> bool {
        let mut taken = self.room.lock();
        if !self.room.allows(&taken, self.by, amount) {
            return false;
        }
        taken.left -= amount;
        for sharer in self.by.sharers() {
            *taken.by.entry(sharer).or_default() += amount;
        }
        self.amount += amount;
        true
    }

    /// Takes as much more as makes this much, if it has less.
    pub fn grow_to(&mut self, amount: usize) -> bool {
        self.grow(amount.saturating_sub(self.amount))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.left += self.amount;
        for sharer in self.by.sharers() {
            if let Some(own) = taken.by.get_mut(&sharer) {
                *own = own.saturating_sub(self.amount);
                if *own == 0 {
                    taken.by.remove(&sharer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64) -> Client {
        Client { user: Some(UserId::new(id)), address: None }
    }

    fn at(address: &str) -> Client {
        Client::at(Some(address.parse().expect("an address")))
    }

    /// Takes one after the other until no more may be taken, and gives how many that were.
    fn fill(room: &Room, by: Client) -> Vec<Held> {
        std::iter::from_fn(|| room.hold(by, 1)).collect()
    }

    #[test]
    fn nobody_holds_more_than_their_part_of_what_the_others_leave() {
        let room = Room::new(800);
        let mut one = room.hold(user(1), 70).expect("an eighth of 800 is 100");
        assert!(room.hold(user(1), 31).is_none() && !room.has(user(1), 31) && !one.grow(31));
        assert!(one.grow(10) && one.grow_to(100) && !one.grow_to(101) && !room.has(user(1), 1));
        // An eighth of 700 and a quarter of 700.
        assert!(room.has(user(2), 87) && !room.has(user(2), 88));
        let two = fill(&room, at("192.0.2.1"));
        assert_eq!(two.len(), 175);
        assert!(one.grow_to(100) && !room.has(user(1), 1), "what one has is more than the share by now");
        assert_eq!(fill(&room, at("192.0.2.2")).len(), 131);
        drop(one);
        assert_eq!(fill(&room, user(1)).len(), 78);
        drop(two);
        assert!(room.hold(Client::default(), 801).is_none());
        assert!(room.hold(Client::default(), 800).is_some(), "whoever is unknown");
        assert!(room.lock().by.is_empty());
    }

    #[test]
    fn a_user_is_somewhere_too() {
        let room = Room::new(800);
        let at_home = |id| Client { user: Some(UserId::new(id)), address: Some(IpAddr::from([192, 0, 2, 1])) };
        let held: Vec<_> = (1..9).flat_map(|id| fill(&room, at_home(id))).collect();
        assert_eq!(held.len(), 200, "a quarter, however many they are");
        assert!(!room.has(at_home(9), 1) && room.has(user(9), 75));
    }

    #[test]
    fn a_customer_of_ipv6_is_one_however_many_networks_they_have() {
        let room = Room::new(1 << 20);
        let hold = |address: String| fill(&room, at(&address));
        let first = hold("2001:db8:1::1".to_owned());
        assert_eq!(first.len(), 1 << 18);
        assert!(!room.has(at("2001:db8:1::ffff"), 1), "it has the same first 64 bits");
        let all: Vec<_> = (1..100).flat_map(|n| hold(format!("2001:db8:1:{n}::1"))).collect();
        assert_eq!(first.len() + all.len(), 1 << 19, "no more than half");
        assert!(room.has(at("2001:db8:2::1"), 1 << 17) && room.has(at("192.0.2.1"), 1 << 17));
    }

    #[test]
    fn many_addresses_leave_something_for_the_next_one() {
        let room = Room::new(16 << 20);
        let mut held = Vec::new();
        for n in 0..15 {
            while let Some(more) = room.hold(Client::at(Some(IpAddr::from([192, 0, 2, n]))), 64 << 10) {
                held.push(more);
            }
        }
        assert!(room.has(at("198.51.100.1"), 32 << 10), "{}", room.lock().left);
    }

    #[test]
    fn a_room_that_is_not_shared_out_is_for_whoever_comes() {
        let room = Room::unshared(100).at_most(60);
        let one = fill(&room, at("2001:db8::1"));
        assert_eq!((one.len(), fill(&room, at("2001:db8::2")).len()), (60, 0));
        assert_eq!(fill(&room, at("2001:db8:0:1::1")).len(), 40);
    }

    #[test]
    fn there_can_be_a_limit_to_it_all() {
        let room = Room::for_few(1000).at_most(300);
        let one = room.hold(user(1), 300).expect("as much as may be");
        assert!(!room.has(user(1), 1));
        let two = room.hold(at("192.0.2.1"), 300).expect("half of 700 is more");
        assert!(room.has(user(3), 200) && !room.has(user(3), 201));
        drop((one, two));
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let room = Room::new(100);
        for _ in 0..10 {
            assert!(room.hold(user(1), 13).is_none());
        }
        assert!(room.lock().by.is_empty());
        assert_eq!(room.lock().left, 100);
    }
}
