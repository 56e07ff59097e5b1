//! How often somebody may do something, counted by the generic cell rate algorithm (GCRA), and the delays after failed logins.

mod table;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{NotUntil, Quota as Cells, RateLimiter};
use mango_domain::model::{Quota, Quotas, Rate, Standing, Subject};
use mango_domain::ports::{Outcome, Rates};

use table::Table;

/// How many subjects are remembered, all rates together, with 16 bytes each. Beyond that whoever is nearest to having all of their quota
/// back is forgotten, who is the one that loses the least by it.
const SUBJECTS: usize = 128 * 1024;

/// How many accounts with failed logins are remembered, for each address that they failed from, and how many whose logins are counted over
/// all addresses.
const ACCOUNTS: usize = 32 * 1024;

/// How many networks of customers are remembered. There are far fewer of them than of addresses.
const NETWORKS: usize = 32 * 1024;

/// How many times as much as an address all those of its network may do together. Who has a /48 of IPv6 has 65,536 addresses that count
/// by themselves.
const NETWORK_SHARE: u32 = 16;

/// How many attempts to log in may fail without a delay: slips of the pen. One that is being checked may turn out to be one of them, so
/// that as many are checked at once as are left; after that there is one at a time.
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
    #[cfg(test)]
    networks: Shared,
    #[cfg(test)]
    accounts: Shared,
    /// What is known of the attempts on an account from an address, as [`Attempts`] writes it.
    attempts: Table,
    longest_delay: Duration,
    /// Nobody can find out which keys share a place, or make two subjects have one key.
    hasher: RandomState,
}

type Limiter<C> = RateLimiter<u64, Shared, C, StateInformationMiddleware>;
type Limiters<C> = Vec<Limited<C>>;

/// A rate with a quota.
struct Limited<C: Clock> {
    rate: Rate,
    quota: Quota,
    subjects: Limiter<C>,
    networks: Limiter<C>,
}

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
        let subjects = Shared(Arc::new(Table::new(SUBJECTS)));
        let networks = Shared(Arc::new(Table::new(NETWORKS)));
        // By themselves, so that what is tried on a great many of them makes nobody else forgotten.
        let accounts = Shared(Arc::new(Table::new(ACCOUNTS)));
        let limiter = |rate: Rate| {
            let quota = quotas.of(rate)?;
            let cells = Cells::with_period(quota.interval)?.allow_burst(quota.burst);
            let share = NonZeroU32::new(NETWORK_SHARE).unwrap_or(NonZeroU32::MIN);
            let wide = Cells::with_period(quota.interval / NETWORK_SHARE).unwrap_or(cells);
            let wide = wide.allow_burst(quota.burst.saturating_mul(share));
            let counted = if rate == Rate::LogInAccount { &accounts } else { &subjects };
            Some(Limited {
                rate,
                quota,
                subjects: Limiter::new(cells, counted.clone(), clock.clone()),
                networks: Limiter::new(wide, networks.clone(), clock.clone()),
            })
        };
        Self {
            start: clock.now(),
            limiters: Rate::ALL.into_iter().filter_map(limiter).collect(),
            #[cfg(test)]
            subjects,
            #[cfg(test)]
            networks,
            #[cfg(test)]
            accounts,
            attempts: Table::new(ACCOUNTS),
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

    fn limited(&self, rate: Rate) -> Option<&Limited<C>> {
        self.limiters.iter().find(|limited| limited.rate == rate)
    }

    /// Notes that somebody was refused, and says how long they have to wait.
    fn refuse(&self, rate: Rate, until: &NotUntil<C::Instant>) -> Duration {
        metrics::counter!("mango_rate_limited_total", "rate" => rate.name()).increment(1);
        until.wait_time_from(self.clock.now()).max(Duration::from_millis(1))
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
        let Limited { quota, subjects, networks, .. } = self.limited(rate)?;
        let (subject, network) = match subject {
            Subject::Address(address) => (Subject::Address(Subject::prefix(address)), network(address)),
            user @ Subject::User(_) => (user, None),
        };
        // What an address may not do does not count against its neighbours.
        let taken = subjects.check_key(&self.hasher.hash_one((rate, subject))).and_then(|own| {
            let left = own.remaining_burst_capacity();
            let Some(network) = network else { return Ok(left) };
            let all = networks.check_key(&self.hasher.hash_one((rate, network)))?;
            Ok(left.min(all.remaining_burst_capacity()))
        });
        let standing = |left, retry_after| Standing { rate, quota: *quota, left, retry_after };
        Some(match taken {
            Ok(left) => standing(left, None),
            Err(until) => standing(0, Some(self.refuse(rate, &until))),
        })
    }

    fn guess(&self, account: &str) -> Result<(), Duration> {
        let rate = Rate::LogInAccount;
        let Some(Limited { subjects, .. }) = self.limited(rate) else { return Ok(()) };
        let taken = subjects.check_key(&self.hasher.hash_one((rate, account)));
        taken.map(drop).map_err(|until| self.refuse(rate, &until))
    }

    fn attempt(&self, account: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        let now = self.now();
        if self.longest_delay.is_zero() {
            return Ok(());
        }
        self.attempts.update(self.account_key(account, address), |known| {
            let known = Attempts::at(now, known);
            let delay = self.delay(known.failed);
            let wait = delay.saturating_sub(now.saturating_sub(known.last));
            let at_once = FREE_ATTEMPTS.saturating_sub(known.failed).max(1);
            let wait = if wait.is_zero() && known.open >= at_once { FIRST_DELAY.min(self.longest_delay) } else { wait };
            if !wait.is_zero() {
                metrics::counter!("mango_rate_limited_total", "rate" => "failed-login").increment(1);
                return Err(wait);
            }
            Ok(((), Attempts { open: known.open.saturating_add(1), ..known }.write()))
        })
    }

    fn settle(&self, account: &str, address: Option<IpAddr>, outcome: Outcome) {
        if self.longest_delay.is_zero() {
            return;
        }
        let now = self.now();
        let Ok(()) = self.attempts.update(self.account_key(account, address), |known| {
            let known = Attempts::at(now, known);
            let (last, failed) = match outcome {
                Outcome::Right => (now, 0),
                Outcome::Wrong => (now, known.failed.saturating_add(1)),
                Outcome::Unknown => (known.last, known.failed),
            };
            let after = Attempts { last, open: known.open.saturating_sub(1), failed };
            Ok::<_, Never>(((), if after.open == 0 && failed == 0 { 0 } else { after.write() }))
        });
    }
}

/// The network that an address of IPv6 is from, as providers hand them out to sites: its first 48 bits.
fn network(address: IpAddr) -> Option<[u16; 3]> {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Some([a, b, c])
        }
        IpAddr::V4(_) => None,
    }
}

/// What cannot happen.
type Never = std::convert::Infallible;

/// The attempts on an account from an address.
#[derive(Clone, Copy)]
struct Attempts {
    /// When the last one failed, since the start of the server; when the last one began, while none has failed.
    last: Duration,
    /// How many are being checked.
    open: u64,
    /// How many have failed.
    failed: u64,
}

impl Attempts {
    const COUNT_BITS: u32 = 8;
    const MOST: u64 = (1 << Self::COUNT_BITS) - 1;

    /// What is known of them at a time, after a number that was [written](Self::write).
    fn at(now: Duration, number: Option<u64>) -> Self {
        let number = number.unwrap_or(0);
        let last = Duration::from_millis(number >> (2 * Self::COUNT_BITS));
        let open = (number >> Self::COUNT_BITS) & Self::MOST;
        let failed = number & Self::MOST;
        if failed == 0 || now.saturating_sub(last) >= FORGET_AFTER {
            return Self { last: now, open, failed: 0 };
        }
        Self { last, open, failed }
    }

    /// As a number that is the smaller the longer the last one is ago.
    fn write(self) -> u64 {
        let longest = u64::MAX >> (2 * Self::COUNT_BITS);
        let milliseconds = u64::try_from(self.last.as_millis()).unwrap_or(longest).min(longest);
        let counts = (self.open.min(Self::MOST) << Self::COUNT_BITS) | self.failed.min(Self::MOST);
        (milliseconds << (2 * Self::COUNT_BITS)) | counts
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
