//! How often somebody may do something, counted by the generic cell rate algorithm (GCRA), and the delays after failed logins.

mod table;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota as Cells, RateLimiter};
use mango_domain::model::{Quota, Quotas, Rate, Standing, Subject};
use mango_domain::ports::Rates;

use table::Table;

/// How many subjects are remembered, all rates together, with 16 bytes each. Beyond that whoever is nearest to having all of their quota
/// back is forgotten, who is the one that loses the least by it.
const SUBJECTS: usize = 128 * 1024;

/// How many accounts with failed logins are remembered, for each address that they failed from.
const ACCOUNTS: usize = 32 * 1024;

/// How many attempts to log in may fail without a delay: slips of the pen.
const FREE_ATTEMPTS: u64 = 5;

/// The delay after the next one that fails. It doubles with each.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// After how long without an attempt the failed ones are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Counts who does what how often, in tables of fixed size.
pub struct GovernedRates<C: Clock = MonotonicClock> {
    clock: C,
    start: C::Instant,
    limiters: Limiters<C>,
    #[cfg(test)]
    subjects: Shared,
    /// When the last attempt was and how many have failed, as [`Failures`] writes it.
    failures: Table,
    longest_delay: Duration,
    /// Nobody can find out which keys share a place, or make two subjects have one key.
    hasher: RandomState,
}

type Limiter<C> = RateLimiter<u64, Shared, C, StateInformationMiddleware>;
type Limiters<C> = Vec<(Rate, Quota, Limiter<C>)>;

impl GovernedRates {
    /// Counts under these quotas. `longest_delay` is the longest that failed logins make somebody wait; zero for no delays.
    #[must_use]
    pub fn new(quotas: &Quotas, longest_delay: Duration) -> Self {
        Self::with_clock(quotas, longest_delay, MonotonicClock)
    }
}

impl<C: Clock + Clone> GovernedRates<C> {
    /// The same with another clock.
    #[must_use]
    pub fn with_clock(quotas: &Quotas, longest_delay: Duration, clock: C) -> Self {
        let table = Shared(Arc::new(Table::new(SUBJECTS)));
        let limiter = |rate: Rate| {
            let quota = quotas.of(rate)?;
            let cells = Cells::with_period(quota.interval)?.allow_burst(quota.burst);
            Some((rate, quota, Limiter::new(cells, table.clone(), clock.clone())))
        };
        Self {
            start: clock.now(),
            limiters: Rate::ALL.into_iter().filter_map(limiter).collect(),
            #[cfg(test)]
            subjects: table,
            failures: Table::new(ACCOUNTS),
            longest_delay,
            hasher: RandomState::new(),
            clock,
        }
    }

    /// How much to wait after so many failed attempts.
    fn delay(&self, failed: u64) -> Duration {
        let Some(beyond) = failed.checked_sub(FREE_ATTEMPTS) else { return Duration::ZERO };
        let doubled = u32::try_from(beyond).ok().and_then(|beyond| 2_u32.checked_pow(beyond)).unwrap_or(u32::MAX);
        FIRST_DELAY.saturating_mul(doubled).min(self.longest_delay)
    }

    fn account_key(&self, account: &str, address: Option<IpAddr>) -> u64 {
        self.hasher.hash_one((account, address.map(Subject::prefix)))
    }

    fn now(&self) -> Duration {
        self.clock.now().duration_since(self.start).into()
    }
}

impl<C> Rates for GovernedRates<C>
where
    C: Clock + Clone + Send + Sync,
{
    fn take(&self, rate: Rate, subject: Subject) -> Option<Standing> {
        let (_, quota, limiter) = self.limiters.iter().find(|(limited, ..)| *limited == rate)?;
        let subject = match subject {
            Subject::Address(address) => Subject::Address(Subject::prefix(address)),
            user @ Subject::User(_) => user,
        };
        let standing = |left, retry_after| Standing { rate, quota: *quota, left, retry_after };
        Some(match limiter.check_key(&self.hasher.hash_one((rate, subject))) {
            Ok(snapshot) => standing(snapshot.remaining_burst_capacity(), None),
            Err(until) => {
                metrics::counter!("mango_rate_limited_total", "rate" => rate.name()).increment(1);
                standing(0, Some(until.wait_time_from(self.clock.now()).max(Duration::from_millis(1))))
            }
        })
    }

    fn attempt(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        let now = self.now();
        self.failures.update(self.account_key(account, address), |known| {
            let known = known.map_or(Failures::NONE, Failures::read);
            let elapsed = now.saturating_sub(known.last);
            let failed = if elapsed < FORGET_AFTER { known.count } else { 0 };
            match self.delay(failed).checked_sub(elapsed) {
                Some(wait) if !wait.is_zero() => {
                    metrics::counter!("mango_rate_limited_total", "rate" => "failed-login").increment(1);
                    Err(wait)
                }
                _ => Ok(((), Failures { last: now, count: failed.saturating_add(1) }.write())),
            }
        })
    }

    fn forgive(&self, account: &str, address: Option<IpAddr>) {
        let none = Failures::NONE.write();
        let Ok(()) = self.failures.update(self.account_key(account, address), |_| Ok::<_, Never>(((), none)));
    }
}

/// What cannot happen.
type Never = std::convert::Infallible;

/// The failed attempts on an account from an address.
#[derive(Clone, Copy)]
struct Failures {
    /// When the last one began, since the start of the server.
    last: Duration,
    count: u64,
}

impl Failures {
    const NONE: Self = Self { last: Duration::ZERO, count: 0 };
    const COUNT_BITS: u32 = 8;
    const MOST: u64 = (1 << Self::COUNT_BITS) - 1;

    fn read(number: u64) -> Self {
        Self { last: Duration::from_millis(number >> Self::COUNT_BITS), count: number & Self::MOST }
    }

    /// As a number that is the smaller the longer the last attempt is ago.
    fn write(self) -> u64 {
        let milliseconds = u64::try_from(self.last.as_millis()).unwrap_or(u64::MAX >> Self::COUNT_BITS);
        (milliseconds << Self::COUNT_BITS) | self.count.min(Self::MOST)
    }
}

/// The table that all limiters keep their state in.
#[derive(Clone)]
struct Shared(Arc<Table>);

impl StateStore for Shared {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.update(*key, |state| measure(state.map(Nanos::new)).map(|(outcome, state)| (outcome, state.as_u64())))
    }
}

#[cfg(test)]
mod tests;
