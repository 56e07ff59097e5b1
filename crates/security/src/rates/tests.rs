//! Rates and delays under a clock that is set.

use std::net::Ipv6Addr;
use std::time::Instant;

use governor::clock::FakeRelativeClock;
use mango_domain::model::UserId;

use super::*;

const LONGEST: Duration = Duration::from_secs(60);

fn quota(burst: u32, interval: Duration) -> Option<Quota> {
    Some(Quota { burst: NonZeroU32::new(burst).unwrap(), interval })
}

fn quotas() -> Quotas {
    let second = Duration::from_secs(1);
    Quotas {
        send: quota(3, second / 2),
        sign_up: quota(2, second * 30),
        connect: quota(1, second),
        log_in_account: quota(3, second * 60),
        ..Quotas::default()
    }
}

fn rates() -> (GovernedRates<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (GovernedRates::with_clock(&quotas(), LONGEST, clock.clone()), clock)
}

fn user(id: i64) -> Subject {
    Subject::User(UserId::new(id))
}

fn address(text: &str) -> Subject {
    Subject::Address(text.parse().unwrap())
}

#[test]
fn a_burst_is_let_through_and_then_one_after_each_interval() {
    let (rates, clock) = rates();
    let take = || rates.take(Rate::Send, user(1)).map(|standing| (standing.left, standing.retry_after)).unwrap();
    assert_eq!([take(), take(), take()], [(2, None), (1, None), (0, None)]);
    assert_eq!(take(), (0, Some(Duration::from_millis(500))));
    clock.advance(Duration::from_millis(400));
    assert_eq!(take(), (0, Some(Duration::from_millis(100))), "what is refused does not count");
    clock.advance(Duration::from_millis(100));
    assert_eq!([take().1, take().1], [None, Some(Duration::from_millis(500))]);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(take(), (2, None), "no more than the burst is saved up");
}

#[test]
fn subjects_and_rates_are_counted_apart_and_a_rate_without_a_quota_is_not_limited() {
    let (rates, _) = rates();
    for subject in [user(1), user(2), address("192.0.2.1"), address("192.0.2.2")] {
        for rate in [Rate::SignUp, Rate::Send, Rate::Connect] {
            let burst = quotas().of(rate).unwrap().burst.get();
            for left in (0..burst).rev() {
                let standing = rates.take(rate, subject).unwrap();
                assert_eq!((standing.left, standing.retry_after), (left, None), "{rate:?} of {subject:?}");
            }
            assert!(rates.take(rate, subject).unwrap().retry_after.is_some(), "{rate:?} of {subject:?}");
        }
        for _ in 0..1000 {
            assert_eq!(rates.take(Rate::Read, subject), None);
        }
    }
}

#[test]
fn addresses_of_ipv6_count_by_their_first_64_bits() {
    let (rates, _) = rates();
    let free = |text| rates.take(Rate::Connect, address(text)).unwrap().retry_after.is_none();
    assert!(free("2001:db8::1"));
    assert!(!free("2001:db8::ffff:ffff:ffff:ffff"));
    assert!(free("2001:db8:0:1::1"));
    assert!(free("192.0.2.1"));
    assert!(!free("::ffff:192.0.2.1"), "the same address");
    assert!(free("192.0.2.2"));
}

#[test]
fn a_network_of_ipv6_may_do_sixteen_times_as_much_as_an_address() {
    let (rates, clock) = rates();
    let (own, burst) = (quotas().of(Rate::SignUp).unwrap(), 2);
    let take = |network: u16, n: u16| {
        rates.take(Rate::SignUp, Subject::Address(Ipv6Addr::from([0x2001, 0xdb8, network, n, 0, 0, 0, 1]).into()))
    };
    for n in 0..16 {
        for left in (0..burst).rev() {
            let standing = take(1, n).unwrap();
            assert_eq!((standing.left, standing.retry_after, standing.quota), (left, None, own));
            assert!(
                left > 0 || take(1, n).unwrap().retry_after.is_some(),
                "what is refused does not count for the others"
            );
        }
    }
    let refused = take(1, 16).unwrap();
    assert_eq!((refused.left, refused.retry_after), (0, Some(own.interval / 16)));
    assert_eq!(take(2, 0).unwrap().retry_after, None, "networks are counted apart");
    clock.advance(own.interval / 16);
    assert_eq!(take(1, 17).unwrap().retry_after, None);
    assert!(take(1, 18).unwrap().retry_after.is_some());
}

#[test]
fn a_million_addresses_take_no_more_memory_and_whoever_did_much_is_remembered() {
    let (rates, _) = rates();
    let culprit = user(7);
    while rates.take(Rate::Send, culprit).unwrap().retry_after.is_none() {}
    for n in 0..1_000_000_u64 {
        let address = Ipv6Addr::from(u128::from(n + 1) << 80);
        assert_eq!(rates.take(Rate::Send, Subject::Address(address.into())).unwrap().left, 2);
    }
    let known = rates.subjects.0.known();
    assert!((SUBJECTS / 2..=SUBJECTS).contains(&known), "{known} are known");
    let known = rates.networks.0.known();
    assert!(known <= NETWORKS, "{known} networks are known");
    assert!(rates.take(Rate::Send, culprit).unwrap().retry_after.is_some(), "who is over the limit stays so");
}

#[test]
fn attempts_on_an_account_are_counted_over_all_addresses() {
    let (rates, clock) = rates();
    let minute = Duration::from_secs(60);
    for account in ["+31612345678", "+31687654321", "nobody"] {
        for _ in 0..3 {
            assert_eq!(rates.guess(account), Ok(()), "{account}");
        }
        assert_eq!(rates.guess(account), Err(minute), "{account}");
    }
    clock.advance(minute / 4);
    assert_eq!(rates.guess("nobody"), Err(minute * 3 / 4), "what is refused does not count");
    clock.advance(minute * 3 / 4);
    assert_eq!([rates.guess("nobody"), rates.guess("nobody")], [Ok(()), Err(minute)]);
    let unlimited = GovernedRates::new(&Quotas::default(), LONGEST);
    assert!((0..1000).all(|_| unlimited.guess("nobody").is_ok()));
}

#[test]
fn an_account_that_was_tried_often_is_remembered_among_any_number_of_others() {
    let (rates, _) = rates();
    while rates.guess("+31612345678").is_ok() {}
    for n in 0..1_000_000_u32 {
        assert_eq!(rates.guess(&n.to_string()), Ok(()));
    }
    let known = rates.accounts.0.known();
    assert!((ACCOUNTS / 2..=ACCOUNTS).contains(&known), "{known} are known");
    assert_eq!(rates.subjects.0.known(), 0, "others are not forgotten for them");
    assert!(rates.guess("+31612345678").is_err());
}

#[test]
fn a_check_takes_less_than_ten_microseconds() {
    const CHECKS: u32 = 1000;
    let rates = GovernedRates::new(&quotas(), LONGEST);
    // The fastest of many rounds: other programs may take the processor away in some of them.
    let round = |round: u32| {
        let begun = Instant::now();
        for n in 0..CHECKS {
            rates.take(Rate::Send, user(i64::from(round * CHECKS + n)));
        }
        begun.elapsed() / CHECKS
    };
    let each = (0..100).map(round).min().unwrap();
    println!("{each:?} for each check");
    assert!(each < Duration::from_micros(10), "{each:?} for each check");
}

#[test]
fn delays_after_failed_logins_grow_up_to_a_bound() {
    let (rates, clock) = rates();
    let here = Some("192.0.2.1".parse().unwrap());
    let attempt = || {
        rates.attempt("+31612345678", here)?;
        rates.settle("+31612345678", here, Outcome::Wrong);
        Ok(())
    };
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(attempt(), Ok(()));
    }
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let wait = Duration::from_secs(seconds);
        assert_eq!(attempt(), Err(wait));
        clock.advance(wait - Duration::from_millis(1));
        assert_eq!(attempt(), Err(Duration::from_millis(1)), "an attempt that waits does not count");
        clock.advance(Duration::from_millis(1));
        assert_eq!(attempt(), Ok(()));
    }
    for _ in 0..1000 {
        clock.advance(LONGEST);
        assert_eq!(attempt(), Ok(()), "the bound stays");
    }
    clock.advance(FORGET_AFTER);
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(attempt(), Ok(()));
    }
    assert!(attempt().is_err());
    clock.advance(Duration::from_secs(1));
    assert_eq!(rates.attempt("+31612345678", here), Ok(()));
    rates.settle("+31612345678", here, Outcome::Right);
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(attempt(), Ok(()));
    }
    assert!(attempt().is_err());
}

#[test]
fn what_was_no_wrong_password_counts_for_nothing() {
    let (rates, clock) = rates();
    let attempt = || rates.attempt("+31612345678", None);
    let settle = |outcome| rates.settle("+31612345678", None, outcome);
    for outcome in [Outcome::Right, Outcome::Unknown] {
        for _ in 0..1000 {
            assert_eq!(attempt(), Ok(()));
            settle(outcome);
        }
    }
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(attempt(), Ok(()));
        settle(Outcome::Wrong);
    }
    clock.advance(FIRST_DELAY);
    for _ in 0..1000 {
        assert_eq!(attempt(), Ok(()), "neither a longer delay nor a new one");
        settle(Outcome::Unknown);
    }
    assert_eq!(attempt(), Ok(()));
    settle(Outcome::Wrong);
    assert_eq!(attempt(), Err(FIRST_DELAY * 2));
}

#[test]
fn guesses_that_are_made_at_once_are_no_way_around_the_delay() {
    let (rates, clock) = rates();
    let open = |most: u64| {
        let open = (0..1000).take_while(|_| rates.attempt("+31612345678", None).is_ok()).count();
        assert_eq!(u64::try_from(open).unwrap(), most);
        assert_eq!(rates.attempt("+31612345678", None), Err(FIRST_DELAY));
        open
    };
    let settle = |outcome| rates.settle("+31612345678", None, outcome);
    for outcome in [Outcome::Right, Outcome::Unknown, Outcome::Wrong] {
        (0..open(FREE_ATTEMPTS)).for_each(|_| settle(outcome));
    }
    assert_eq!(rates.attempt("+31612345678", None), Err(FIRST_DELAY));
    clock.advance(FIRST_DELAY);
    for outcome in [Outcome::Unknown, Outcome::Wrong] {
        open(1);
        settle(outcome);
    }
    assert_eq!(rates.attempt("+31612345678", None), Err(FIRST_DELAY * 2));
    clock.advance(FIRST_DELAY * 2);
    open(1);
    settle(Outcome::Right);
    for _ in 1..FREE_ATTEMPTS {
        assert_eq!(rates.attempt("+31612345678", None), Ok(()));
        settle(Outcome::Wrong);
    }
    open(1);
    settle(Outcome::Right);
    open(FREE_ATTEMPTS);
    clock.advance(FORGET_AFTER * 2);
    assert_eq!(rates.attempt("+31612345678", None), Err(FIRST_DELAY), "what is open is not forgotten");
}

#[test]
fn nobody_elsewhere_waits_for_the_failures_of_a_stranger() {
    let (rates, _) = rates();
    let from = |text: &str| Some(text.parse().unwrap());
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(rates.attempt("+31612345678", from("2001:db8::1")), Ok(()));
        rates.settle("+31612345678", from("2001:db8::1"), Outcome::Wrong);
    }
    assert!(rates.attempt("+31612345678", from("2001:db8::1")).is_err());
    assert!(rates.attempt("+31612345678", from("2001:db8::2")).is_err(), "the same customer");
    for (account, address) in
        [("+31612345678", "2001:db8:0:1::1"), ("+31612345678", "192.0.2.1"), ("+31687654321", "2001:db8::1")]
    {
        assert_eq!(rates.attempt(account, from(address)), Ok(()), "{account} from {address}");
    }
}

#[test]
fn without_a_delay_nobody_waits() {
    let rates = GovernedRates::new(&Quotas::default(), Duration::ZERO);
    for _ in 0..1000 {
        assert_eq!(rates.attempt("+31612345678", None), Ok(()));
        assert_eq!(rates.take(Rate::SignUp, address("192.0.2.1")), None);
    }
}
