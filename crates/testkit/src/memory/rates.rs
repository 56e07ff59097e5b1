//! Rates that stand still: what is used up stays used up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mango_domain::model::{Quota, Rate, Standing, Subject};
use mango_domain::ports::{Outcome, Rates};

/// Rates without limits, until a test sets some. Time does not pass for them.
#[derive(Debug, Default)]
pub struct FixedRates(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bursts: HashMap<Rate, NonZeroU32>,
    taken: HashMap<(Rate, Subject), u32>,
    guesses: HashMap<String, u32>,
    attempts: Option<u32>,
    failed: HashMap<(String, Option<IpAddr>), u32>,
    open: i64,
}

impl FixedRates {
    /// When to come back, for everybody who has used up what there is.
    pub const RETRY_AFTER: Duration = Duration::from_millis(1500);

    /// Limits a rate to so many.
    pub fn limit(&self, rate: Rate, burst: u32) {
        self.state().bursts.extend(NonZeroU32::new(burst).map(|burst| (rate, burst)));
    }

    /// Uses up all of a limited rate for a subject.
    pub fn exhaust(&self, rate: Rate, subject: Subject) {
        self.state().taken.insert((rate, subject), u32::MAX);
    }

    /// How often a limited rate was taken by a subject.
    #[must_use]
    pub fn taken(&self, rate: Rate, subject: Subject) -> u32 {
        self.state().taken.get(&(rate, subject)).copied().unwrap_or_default()
    }

    /// How many attempts to log in may fail.
    pub fn limit_attempts(&self, attempts: u32) {
        self.state().attempts = Some(attempts);
    }

    /// How many attempts to log in were let through and not settled.
    #[must_use]
    pub fn open_attempts(&self) -> i64 {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rates for FixedRates {
    fn take(&self, rate: Rate, subject: Subject) -> Option<Standing> {
        let mut state = self.state();
        let burst = *state.bursts.get(&rate)?;
        let taken = state.taken.entry((rate, subject)).or_default();
        let left = burst.get().checked_sub(taken.saturating_add(1));
        *taken = taken.saturating_add(1);
        let quota = Quota { burst, interval: Self::RETRY_AFTER };
        Some(Standing {
            rate,
            quota,
            left: left.unwrap_or(0),
            retry_after: left.is_none().then_some(Self::RETRY_AFTER),
        })
    }

    fn guess(&self, account: &str) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(burst) = state.bursts.get(&Rate::LogInAccount).copied() else { return Ok(()) };
        let made = state.guesses.entry(account.to_owned()).or_default();
        if *made >= burst.get() {
            return Err(Self::RETRY_AFTER);
        }
        *made = made.saturating_add(1);
        Ok(())
    }

    fn attempt(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        let mut state = self.state();
        let most = state.attempts.unwrap_or(u32::MAX);
        if state.failed.get(&(account.to_owned(), address)).is_some_and(|failed| *failed >= most) {
            return Err(Self::RETRY_AFTER);
        }
        state.open = state.open.saturating_add(1);
        Ok(())
    }

    fn settle(&self, account: &str, address: Option<IpAddr>, outcome: Outcome) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        let failed = state.failed.entry((account.to_owned(), address)).or_default();
        *failed = match outcome {
            Outcome::Right => 0,
            Outcome::Wrong => failed.saturating_add(1),
            Outcome::Unknown => *failed,
        };
    }
}
