//! What may be done only so often.

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mango_domain::model::{Client, Password, PasswordHash, Principal, Rate, Subject, UserId, Visit};
use mango_domain::ports::Passwords;
use mango_domain::usecases::update_user::ProfileEdit;
use mango_domain::usecases::{Ports, UseCases};
use mango_domain::{Error, Failure};
use mango_testkit::Memory;
use mango_testkit::build::phone;
use mango_testkit::memory::FixedRates;

use crate::{House, check_refused, password};

impl House {
    async fn try_from(&self, phone: &str, password: &str, address: &str) -> mango_domain::Result<()> {
        let visit = Visit { address: Some(address.parse::<IpAddr>().expect("an address")), ..Visit::default() };
        self.cases.log_in.run(phone, password.to_owned(), visit).await.map(drop)
    }
}

impl House {
    async fn move_to(&self, who: &Principal, n: u32) -> mango_domain::Result<()> {
        let edit = ProfileEdit { phone: Some(phone(n)), ..ProfileEdit::default() };
        self.cases.update_user.run(who, who.user, edit, None).await.map(drop)
    }
}

/// A hasher that never gets done.
struct Stuck;

#[async_trait]
impl Passwords for Stuck {
    async fn hash(&self, _: Password, _: Client) -> Result<PasswordHash, Failure> {
        pending().await
    }

    async fn verify(&self, _: Password, _: Option<PasswordHash>, _: Client) -> Result<bool, Failure> {
        pending().await
    }

    fn is_outdated(&self, _: &PasswordHash) -> bool {
        false
    }
}

fn check_too_many(outcome: mango_domain::Result<()>) {
    match outcome {
        Err(Error::TooMany { retry_after }) => assert_eq!(retry_after, FixedRates::RETRY_AFTER),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_guesses_has_to_wait_and_the_owner_elsewhere_does_not() {
    const STRANGER: &str = "198.51.100.9";
    let house = House::new();
    house.user(1).await;
    house.memory.rates.limit_attempts(3);
    let (known, good) = (phone(1), password(1));
    // However the phone is written, it is the same account; one that nobody has is treated alike.
    let spaced = format!(" {} ", known.as_str());
    for phones in [[known.as_str(), spaced.as_str(), known.as_str()], ["+31699999999"; 3], ["nobody"; 3]] {
        for phone in phones {
            let refused = house.try_from(phone, "wrong password", STRANGER).await;
            check_refused(refused, "unauthenticated Credentials");
        }
        check_too_many(house.try_from(phones[0], "wrong password", STRANGER).await);
    }
    check_too_many(house.try_from(known.as_str(), &good, STRANGER).await);
    house.try_from(known.as_str(), &good, "203.0.113.7").await.expect("the owner logs in");
    check_too_many(house.try_from(known.as_str(), &good, STRANGER).await);
}

/// With a stolen access token an account goes from phone to phone, and what was tried before counts still.
#[tokio::test]
async fn guesses_count_whatever_phone_the_account_has_meanwhile() {
    const THIEF: &str = "198.51.100.9";
    for by_all in [false, true] {
        let house = House::new();
        let me = house.user(1).await;
        match by_all {
            true => house.memory.rates.limit(Rate::LogInAccount, 4),
            false => house.memory.rates.limit_attempts(3),
        }
        for n in 1..=3 {
            let refused = house.try_from(phone(n).as_str(), "wrong password", THIEF).await;
            check_refused(refused, "unauthenticated Credentials");
            house.move_to(&me, n + 1).await.expect("another phone");
        }
        if by_all {
            let elsewhere = house.try_from(phone(4).as_str(), "wrong password", "198.51.100.10").await;
            check_refused(elsewhere, "unauthenticated Credentials");
        }
        check_too_many(house.try_from(phone(4).as_str(), &password(1), THIEF).await);
        // A phone that nobody has any more, and one that nobody ever had, are tried for the first time.
        for n in [1, 9] {
            check_refused(house.try_from(phone(n).as_str(), &password(1), THIEF).await, "unauthenticated Credentials");
        }
        house.move_to(&me, 1).await.expect("back");
        check_too_many(house.try_from(phone(1).as_str(), &password(1), THIEF).await);
    }
}

/// The phone that somebody has already is no other one, so that clients may send the whole profile with each change.
#[tokio::test]
async fn a_user_takes_another_phone_only_so_often() {
    let house = House::new();
    let me = house.user(1).await;
    let other = house.user(9).await;
    house.memory.rates.limit(Rate::ChangePhone, 2);
    for _ in 0..3 {
        house.move_to(&me, 1).await.expect("no change");
    }
    house.move_to(&me, 2).await.expect("another phone");
    house.move_to(&me, 3).await.expect("another phone");
    check_too_many(house.move_to(&me, 4).await);
    house.move_to(&me, 3).await.expect("no change");
    house.move_to(&other, 4).await.expect("users are counted apart");
}

/// Whoever has thousands of addresses has few guesses all the same, and the owner is kept out from nowhere but new places.
#[tokio::test]
async fn guesses_from_everywhere_are_counted_together_and_the_owner_at_home_goes_on() {
    let house = House::new();
    house.user(1).await;
    let (known, good) = (phone(1), password(1));
    let elsewhere = |n: u8| format!("198.51.100.{n}");
    for home in ["203.0.113.7", "2001:db8:1:1::7"] {
        house.try_from(known.as_str(), &good, home).await.expect("log in at home");
    }
    house.memory.rates.limit(Rate::LogInAccount, 3);
    for phones in [[known.as_str(), "0031 6 1000 0001", known.as_str()], ["+31699999999"; 3]] {
        for (n, phone) in (0..).zip(phones) {
            let refused = house.try_from(phone, "wrong password", &elsewhere(n)).await;
            check_refused(refused, "unauthenticated Credentials");
        }
        check_too_many(house.try_from(phones[0], "wrong password", &elsewhere(3)).await);
        check_too_many(house.try_from(phones[0], &good, "203.0.113.8").await);
    }
    check_too_many(house.cases.log_in.run(known.as_str(), good.clone(), Visit::default()).await.map(drop));
    for home in ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8:1:1:ffff::1"] {
        house.try_from(known.as_str(), &good, home).await.expect(home);
        let refused = house.try_from(known.as_str(), "wrong password", home).await;
        check_refused(refused, "unauthenticated Credentials");
    }
    check_too_many(house.try_from(known.as_str(), &good, "2001:db8:1:2::7").await);
    assert_eq!(house.memory.rates.open_attempts(), 0);
    let nobody = house.try_from("nobody", &good, &elsewhere(0)).await;
    check_refused(nobody, "unauthenticated Credentials");
}

/// A single address cannot use up what all of them have together: it has to wait for itself long before.
#[tokio::test]
async fn who_has_to_wait_takes_nothing_from_others() {
    let house = House::new();
    house.user(1).await;
    house.memory.rates.limit_attempts(2);
    house.memory.rates.limit(Rate::LogInAccount, 3);
    for _ in 0..2 {
        let refused = house.try_from(phone(1).as_str(), "wrong password", "198.51.100.9").await;
        check_refused(refused, "unauthenticated Credentials");
    }
    for _ in 0..10 {
        check_too_many(house.try_from(phone(1).as_str(), "wrong password", "198.51.100.9").await);
    }
    house.try_from(phone(1).as_str(), &password(1), "203.0.113.7").await.expect("log in from a new place");
}

/// A store that is asked for nothing cannot tell an account that exists from one that does not by how it fails.
#[tokio::test]
async fn where_an_account_is_at_home_is_asked_only_when_its_attempts_are_used_up() {
    let house = House::new();
    house.memory.rates.limit(Rate::LogInAccount, 1);
    house.memory.store.fail_next("find addresses of sessions");
    let refused = house.try_from(phone(1).as_str(), "wrong password", "203.0.113.7").await;
    check_refused(refused, "unauthenticated Credentials");
    let failed = house.try_from(phone(1).as_str(), "wrong password", "203.0.113.7").await;
    assert!(matches!(failed, Err(Error::Failed(_))), "{failed:?}");
    assert_eq!(house.memory.rates.open_attempts(), 0);
}

#[tokio::test]
async fn a_right_password_makes_up_for_wrong_ones() {
    let house = House::new();
    house.user(1).await;
    house.memory.rates.limit_attempts(3);
    for _ in 0..5 {
        for _ in 0..2 {
            let refused = house.try_from(phone(1).as_str(), "wrong password", "203.0.113.7").await;
            check_refused(refused, "unauthenticated Credentials");
        }
        house.try_from(phone(1).as_str(), &password(1), "203.0.113.7").await.expect("log in");
    }
}

/// A store or a hasher that fails, or a caller who goes away, says nothing of the password.
#[tokio::test]
async fn only_a_wrong_password_counts() {
    const ADDRESS: &str = "203.0.113.7";
    let house = House::new();
    house.user(1).await;
    house.memory.rates.limit_attempts(1);
    let (known, good) = (phone(1), password(1));
    for operation in ["find credentials", "begin session"].repeat(3) {
        house.memory.store.fail_next(operation);
        let refused = house.try_from(known.as_str(), &good, ADDRESS).await;
        assert!(matches!(refused, Err(Error::Failed(_))), "{operation}: {refused:?}");
        assert_eq!(house.memory.rates.open_attempts(), 0, "{operation}");
    }
    let stuck = UseCases::new(Ports { passwords: Arc::new(Stuck), ..house.memory.ports() }, Memory::POLICY);
    for _ in 0..3 {
        let login = stuck.log_in.run(known.as_str(), good.clone(), Visit::default());
        assert!(tokio::time::timeout(Duration::from_millis(10), login).await.is_err(), "nobody waits so long");
        assert_eq!(house.memory.rates.open_attempts(), 0);
    }
    house.try_from(known.as_str(), &good, ADDRESS).await.expect("log in");
    let refused = house.try_from(known.as_str(), "wrong password", ADDRESS).await;
    check_refused(refused, "unauthenticated Credentials");
    check_too_many(house.try_from(known.as_str(), &good, ADDRESS).await);
    assert_eq!(house.memory.rates.open_attempts(), 0);
}

#[tokio::test]
async fn a_limit_counts_each_subject_by_itself() {
    let house = House::new();
    house.memory.rates.limit(Rate::Send, 2);
    for user in [1, 2].map(UserId::new) {
        for left in [1, 0] {
            let standing = house.cases.limit.take(Rate::Send, Subject::User(user)).expect("a limit");
            assert_eq!((standing.left, standing.retry_after), (left, None));
        }
        check_too_many(house.cases.limit.run(Rate::Send, Subject::User(user)));
        house.cases.limit.run(Rate::Read, Subject::User(user)).expect("another rate, without a limit");
    }
}
