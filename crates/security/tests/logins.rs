//! Logins that are made at once, on the real hash and the real counting.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use mango_domain::Error;
use mango_domain::model::{Client, Password, Quotas, Visit};
use mango_domain::ports::Passwords;
use mango_domain::usecases::{Ports, UseCases};
use mango_security::{Argon2Passwords, GovernedRates, PoolSize};
use mango_testkit::Memory;
use mango_testkit::build::{phone, user};
use mango_testkit::memory::SeededRandom;
use tokio::task::JoinSet;

/// Tries to log in so many times at once: how many were let in, refused for their password, and told to wait.
async fn at_once(cases: &Arc<UseCases>, attempts: usize, password: &str) -> [usize; 3] {
    let mut logins = JoinSet::new();
    for _ in 0..attempts {
        let (cases, password) = (Arc::clone(cases), password.to_owned());
        logins.spawn(async move { cases.log_in.run(phone(1).as_str(), password, Visit::default()).await.map(drop) });
    }
    let outcomes = logins.join_all().await;
    let count = |of: fn(&mango_domain::Result<()>) -> bool| outcomes.iter().filter(|outcome| of(outcome)).count();
    let counts = [
        count(|outcome| outcome.is_ok()),
        count(|outcome| matches!(outcome, Err(Error::Unauthenticated(_)))),
        count(|outcome| matches!(outcome, Err(Error::TooMany { .. }))),
    ];
    assert_eq!(counts.iter().sum::<usize>(), attempts, "{outcomes:?}");
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn right_passwords_at_once_are_let_in_and_wrong_ones_are_few() {
    let size = PoolSize { running: NonZeroUsize::new(2).unwrap(), waiting: 100 };
    let passwords = Arc::new(Argon2Passwords::new(size, Arc::new(SeededRandom::new(1))).unwrap());
    let memory = Memory::new();
    let right = Password::parse("the right one".to_owned()).unwrap();
    let hash = passwords.hash(right, Client::default()).await.unwrap();
    user(1).password(hash).add(&memory.stores()).await;
    let rates = Arc::new(GovernedRates::new(&Quotas::default(), Duration::from_secs(3600)));
    let cases = Arc::new(UseCases::new(Ports { passwords, rates, ..memory.ports() }, Memory::POLICY));
    for _ in 0..3 {
        assert_eq!(at_once(&cases, 5, "the right one").await, [5, 0, 0]);
    }
    let [_, wrong, waiting] = at_once(&cases, 100, "a wrong one").await;
    // Each of the five that are checked at once may be the last one that is free.
    assert_eq!(wrong, 5, "{waiting} waiting");
    assert_eq!(at_once(&cases, 5, "the right one").await, [0, 0, 5]);
}
