//! The clock and the randomness of the machine.

use chrono::Utc;
use mango_domain::Failure;
use mango_domain::model::{Timestamp, time};
use mango_domain::ports::{Clock, Random};

/// The time of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        time::to_micros(Utc::now())
    }
}

/// The random numbers of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Failure> {
        getrandom::fill(buffer).map_err(|e| Failure::broken("read randomness", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_has_whole_microseconds_and_the_time_of_the_machine() {
        let before = time::to_micros(Utc::now());
        for _ in 0..1000 {
            let now = SystemClock.now();
            assert_eq!(now.timestamp_subsec_nanos() % 1000, 0);
            assert!(before <= now && now <= Utc::now());
        }
    }

    #[test]
    fn randomness_differs() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        OsRandom.fill(&mut one).unwrap();
        OsRandom.fill(&mut two).unwrap();
        assert_ne!(one, two);
    }
}
