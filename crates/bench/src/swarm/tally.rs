//! Accounts of what each receiver got: nothing may be missing in the end, and nothing may have come twice.

/// The accounts of all receivers.
pub struct Tally {
    receivers: Vec<Vec<Seen>>,
    distinct: u64,
    duplicates: u64,
}

/// Which messages of one sender have come to one receiver.
#[derive(Clone, Default)]
struct Seen {
    /// All before this one have.
    next: u64,
    /// And these, which came before their turn.
    ahead: Vec<u64>,
}

impl Seen {
    /// Whether the message is new.
    fn note(&mut self, number: u64) -> bool {
        if number < self.next || self.ahead.contains(&number) {
            return false;
        }
        if number > self.next {
            self.ahead.push(number);
            return true;
        }
        self.next += 1;
        while let Some(place) = self.ahead.iter().position(|ahead| *ahead == self.next) {
            self.ahead.swap_remove(place);
            self.next += 1;
        }
        true
    }
}

impl Tally {
    /// Opens accounts for as many receivers, with as many senders in each one's chat.
    pub fn new(receivers: usize, senders: usize) -> Self {
        Self { receivers: vec![vec![Seen::default(); senders]; receivers], distinct: 0, duplicates: 0 }
    }

    /// Takes note of a delivery. One of a sender that nobody knows counts as one too many.
    pub fn note(&mut self, receiver: usize, sender: usize, number: u64) {
        let seen = self.receivers.get_mut(receiver).and_then(|senders| senders.get_mut(sender));
        if seen.is_some_and(|seen| seen.note(number)) {
            self.distinct += 1;
        } else {
            self.duplicates += 1;
        }
    }

    /// How many messages have come, each counted once for each receiver.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// How many came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u64], distinct: u64, duplicates: u64) {
        let mut tally = Tally::new(2, 3);
        for number in numbers {
            tally.note(1, 2, *number);
        }
        assert_eq!((tally.distinct(), tally.duplicates()), (distinct, duplicates), "{numbers:?}");
    }

    #[test]
    fn every_message_counts_once_in_whatever_order_it_comes() {
        check(&[0, 1, 2], 3, 0);
        check(&[2, 0, 1], 3, 0);
        check(&[3, 1, 2, 0, 4], 5, 0);
    }

    #[test]
    fn what_comes_again_is_found() {
        check(&[0, 0], 1, 1);
        check(&[1, 1, 0, 1, 0], 2, 3);
    }

    #[test]
    fn who_is_not_known_counts_as_one_too_many() {
        let mut tally = Tally::new(1, 1);
        tally.note(0, 1, 0);
        tally.note(1, 0, 0);
        assert_eq!((tally.distinct(), tally.duplicates()), (0, 2));
    }
}
