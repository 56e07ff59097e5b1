//! How long a request may take to arrive and be answered.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The slowest that a request may come in the long run, in bytes a second: as for bodies.
const SLOWEST: u64 = 16 * 1024;

/// The time that a connection has left for the request that it is in the middle of. Between requests it has all the time that it wants,
/// which is the business of the keep-alive.
pub(super) struct Patience {
    allowed: Duration,
    /// Until when there has to be an answer; `None` between requests.
    deadline: Option<Instant>,
    /// Set once a while and not for each request. It looks at the deadline when it goes off.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub fn new(allowed: Duration) -> Self {
        Self { allowed, deadline: None, alarm: None }
    }

    /// So many bytes have come.
    pub fn received(&mut self, bytes: usize) {
        let earned =
            Duration::from_micros(u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / SLOWEST);
        let deadline = self.deadline.unwrap_or_else(|| Instant::now() + self.allowed);
        self.deadline = Some(deadline + earned);
    }

    /// Something is being answered.
    pub fn answered(&mut self) {
        self.deadline = None;
    }

    /// Ready when time is up. It wakes who waits for more bytes.
    pub fn poll_exhausted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while alarm.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_time_and_a_second_for_each_sixteen_kibibytes() {
        let allowed = Duration::from_secs(10);
        let mut patience = Patience::new(allowed);
        assert_eq!(patience.deadline, None, "between requests there is no limit");
        let before = Instant::now();
        patience.received(16);
        let first = patience.deadline.unwrap();
        assert!((before + allowed..=Instant::now() + allowed + Duration::from_millis(1)).contains(&first));
        patience.received(5 * 16 * 1024);
        assert_eq!(patience.deadline, Some(first + Duration::from_secs(5)));
        patience.received(0);
        assert_eq!(patience.deadline, Some(first + Duration::from_secs(5)), "time goes on");
        patience.answered();
        assert_eq!(patience.deadline, None);
    }
}
