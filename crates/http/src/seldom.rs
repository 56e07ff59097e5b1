//! Lines of the log that anybody can cause as often as they like.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much time is between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Has a line written once a second at most, with the number of those that it stands for. What came after the last line is told with the next
/// one.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<Told>);

#[derive(Debug)]
struct Told {
    last: Option<Instant>,
    /// How many have come since.
    untold: u64,
}

impl Seldom {
    pub const fn new() -> Self {
        Self(Mutex::new(Told { last: None, untold: 0 }))
    }

    /// Counts one; how many a line has to tell of, if it is time for one.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.untold = told.untold.saturating_add(1);
        if told.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_told_of_in_one_line_and_none_is_forgotten() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        let counted: Vec<_> = [0, 1, 999, 1000, 1001, 5000, 5001]
            .map(|after| seldom.count(start + Duration::from_millis(after)))
            .into_iter()
            .collect();
        assert_eq!(counted, [Some(1), None, None, Some(3), None, Some(2), None]);
    }
}
