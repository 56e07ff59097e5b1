//! Logging in and out, tokens and their lifetimes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use mango_domain::Failure;
use mango_domain::model::{
    AuditEvent, Client, Event, Grant, Password, PasswordHash, Principal, RefreshToken, Session, Visit,
};
use mango_domain::ports::{Clock as _, Passwords};
use mango_domain::usecases::UseCases;
use mango_testkit::Memory;
use mango_testkit::build::{moment, phone};

use crate::{House, check_refused, password};

impl House {
    async fn grant(&self, n: u32) -> Grant {
        self.cases.log_in.run(phone(n).as_str(), password(n), Visit::default()).await.expect("log in")
    }

    async fn who(&self, grant: &Grant) -> Principal {
        self.cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate")
    }

    async fn refresh(&self, grant: &Grant) -> Grant {
        self.cases.refresh_session.run(&grant.refresh_token, None).await.expect("refresh")
    }
}

#[tokio::test]
async fn a_login_gives_tokens_as_the_policy_says() {
    let house = House::new();
    let me = house.user(1).await;
    house.memory.clock.set(moment(100) + TimeDelta::microseconds(999_999));
    let grant = house.grant(1).await;
    assert_eq!((grant.access_ttl, grant.refresh_ttl), (Memory::POLICY.access_ttl, Memory::POLICY.refresh_ttl));
    let principal = house.who(&grant).await;
    assert_eq!((principal.user, principal.expires_at), (me.user, moment(100 + 15 * 60)), "whole seconds");
    assert_ne!(principal.session, me.session, "each login is a session of its own");
    assert_ne!(grant.refresh_token, house.grant(1).await.refresh_token);
}

#[tokio::test]
async fn a_login_takes_the_phone_in_any_form() {
    let house = House::new();
    house.user(1).await;
    for typed in ["+31610000001", "31610000001", " 31610000001", "0031 6 1000 0001", "+31 (0)6-10 00 00 01"] {
        house.cases.log_in.run(typed, password(1), Visit::default()).await.expect(typed);
    }
}

#[tokio::test]
async fn a_login_tells_nothing_about_who_exists() {
    let house = House::new();
    house.user(1).await;
    let known = phone(1);
    for (typed, password) in [
        (known.as_str(), "wrong password".to_owned()),
        (known.as_str(), password(1).trim().to_owned()),
        (known.as_str(), String::new()),
        (known.as_str(), password(1).repeat(100_000)),
        (phone(2).as_str(), password(1)),
        ("no phone at all", password(1)),
        ("", password(1)),
    ] {
        check_refused(house.cases.log_in.run(typed, password, Visit::default()).await, "unauthenticated Credentials");
    }
}

/// Records what it is asked to compare with, and agrees with everything.
#[derive(Default)]
struct Gullible {
    asked: Mutex<Vec<Option<PasswordHash>>>,
}

#[async_trait]
impl Passwords for Gullible {
    async fn hash(&self, _password: Password, _: Client) -> Result<PasswordHash, Failure> {
        Ok(PasswordHash::new("$gullible".to_owned()))
    }

    async fn verify(&self, _password: Password, hash: Option<PasswordHash>, _: Client) -> Result<bool, Failure> {
        self.asked.lock().expect("a lock").push(hash);
        Ok(true)
    }

    fn is_outdated(&self, _hash: &PasswordHash) -> bool {
        false
    }
}

/// An unknown phone costs one comparison like a known one, and no answer of it lets anybody in.
#[tokio::test]
async fn every_login_compares_once() {
    let house = House::new();
    let passwords = Arc::new(Gullible::default());
    let mut ports = house.memory.ports();
    ports.passwords = passwords.clone();
    let cases = UseCases::new(ports, Memory::POLICY);
    cases.register.run(crate::account(1), None).await.expect("register");
    for (typed, known) in [(phone(1).as_str(), true), (phone(2).as_str(), false), ("no phone", false)] {
        let result = cases.log_in.run(typed, password(1), Visit::default()).await;
        assert_eq!(result.is_ok(), known, "{typed}");
        let asked = std::mem::take(&mut *passwords.asked.lock().expect("a lock"));
        assert_eq!(asked.iter().map(Option::is_some).collect::<Vec<_>>(), [known], "{typed}");
    }
}

#[tokio::test]
async fn access_tokens_are_good_for_their_time_alone() {
    let house = House::new();
    house.user(1).await;
    let grant = house.grant(1).await;
    let authenticate = || house.cases.authenticate.run(grant.access_token.expose());
    house.memory.clock.advance(TimeDelta::seconds(15 * 60 - 1));
    authenticate().await.expect("still good");
    house.memory.clock.advance(TimeDelta::seconds(1));
    check_refused(authenticate().await, "unauthenticated Expired");
    for token in ["", "plain", "Bearer x", grant.refresh_token.expose()] {
        check_refused(house.cases.authenticate.run(token).await, "unauthenticated Malformed");
    }
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let house = House::new();
    house.user(1).await;
    let first = house.grant(1).await;
    let before = house.who(&first).await;
    house.memory.clock.advance(TimeDelta::days(29));
    let second = house.refresh(&first).await;
    assert_ne!(second.refresh_token, first.refresh_token);
    let after = house.who(&second).await;
    assert_eq!((after.user, after.session), (before.user, before.session));
    assert_eq!(after.expires_at, house.memory.clock.now() + TimeDelta::minutes(15));
    house.memory.clock.advance(TimeDelta::days(29));
    house.refresh(&second).await;
}

/// RFC 9700, section 4.14.2: a refresh token that was replaced and comes again is in two hands, and nobody can tell which is right.
#[tokio::test]
async fn a_lost_reply_logs_nobody_out_and_a_copy_ends_the_session() {
    let house = House::new();
    let me = house.user(1).await;
    let first = house.grant(1).await;
    let session = house.who(&first).await.session;
    let lost = house.refresh(&first).await;
    let second = house.refresh(&first).await;
    let third = house.refresh(&second).await;
    assert!(house.news().is_empty());

    check_refused(house.cases.refresh_session.run(&first.refresh_token, None).await, "unauthenticated Revoked");
    house.check_news(&[Event::SessionsEnded { sessions: vec![session] }]);
    for grant in [&lost, &second, &third] {
        check_refused(house.cases.refresh_session.run(&grant.refresh_token, None).await, "unauthenticated Malformed");
        check_refused(house.cases.authenticate.run(grant.access_token.expose()).await, "unauthenticated Revoked");
    }
    assert!(house.news().is_empty(), "it is told once");
    assert!(house.memory.stores().sessions.is_live(me.session, me.user).await.expect("is live"));
}

/// However fast a thief goes on with a stolen token, its owner is recognised when they come back within a day.
#[tokio::test]
async fn a_thief_in_a_hurry_is_found_out_all_the_same() {
    let house = House::new();
    house.user(1).await;
    let stolen = house.grant(1).await;
    let mut thief = house.refresh(&stolen).await;
    for _ in 0..2 * Session::MOST_TOKENS {
        thief = house.refresh(&thief).await;
    }
    house.memory.clock.advance(TimeDelta::hours(23));
    let thief = house.refresh(&thief).await;
    check_refused(house.cases.refresh_session.run(&stolen.refresh_token, None).await, "unauthenticated Revoked");
    check_refused(house.cases.authenticate.run(thief.access_token.expose()).await, "unauthenticated Revoked");
}

/// Nobody is told to try again for ever: a session that wants more tokens than any client needs is over, for everybody to see.
#[tokio::test]
async fn a_session_that_wants_too_many_tokens_ends_and_leaves_a_trace() {
    let house = House::new();
    let me = house.user(1).await;
    let first = house.grant(1).await;
    let session = house.who(&first).await.session;
    for _ in 1..Session::MOST_RECENT_TOKENS {
        house.refresh(&first).await;
    }
    house.news();
    let here = Some("192.0.2.1".parse().expect("an address"));
    check_refused(house.cases.refresh_session.run(&first.refresh_token, here).await, "unauthenticated Revoked");
    house.check_news(&[Event::SessionsEnded { sessions: vec![session] }]);
    let noted = house.memory.stores().audit.newest(1).await.expect("read").remove(0);
    assert_eq!(
        (noted.event, noted.user, noted.session, noted.address),
        (AuditEvent::RefreshReused, Some(me.user), Some(session), here)
    );
    check_refused(house.cases.refresh_session.run(&first.refresh_token, here).await, "unauthenticated Malformed");
    check_refused(house.cases.authenticate.run(first.access_token.expose()).await, "unauthenticated Revoked");
}

/// Once a minute, for four days: far more tokens than a session gets in one, of which those of the last day are recognised.
#[tokio::test]
async fn a_client_that_refreshes_once_a_minute_goes_on_for_ever() {
    let house = House::new();
    house.user(1).await;
    let mut grant = house.grant(1).await;
    let mut of_yesterday = None;
    for minute in 0..4 * 24 * 60 {
        house.memory.clock.advance(TimeDelta::minutes(1));
        grant = house.refresh(&grant).await;
        if minute == 3 * 24 * 60 + 1 {
            of_yesterday = Some(grant.clone());
        }
    }
    let old = of_yesterday.expect("a token");
    check_refused(house.cases.refresh_session.run(&old.refresh_token, None).await, "unauthenticated Revoked");
}

#[tokio::test]
async fn refresh_tokens_that_are_no_good_are_refused_alike() {
    let house = House::new();
    house.user(1).await;
    for made_up in ["", "made up"] {
        let token = RefreshToken::new(made_up.to_owned());
        check_refused(house.cases.refresh_session.run(&token, None).await, "unauthenticated Malformed");
    }
    let grant = house.grant(1).await;
    house.memory.clock.advance(TimeDelta::days(30));
    check_refused(house.cases.refresh_session.run(&grant.refresh_token, None).await, "unauthenticated Malformed");
}

#[tokio::test]
async fn a_logout_ends_one_session_and_says_so_once() {
    let house = House::new();
    let other = house.user(1).await;
    let grant = house.grant(1).await;
    let me = house.who(&grant).await;
    house.cases.log_out.run(&me, None).await.expect("log out");
    house.check_news(&[Event::SessionsEnded { sessions: vec![me.session] }]);
    check_refused(house.cases.authenticate.run(grant.access_token.expose()).await, "unauthenticated Revoked");
    check_refused(house.cases.refresh_session.run(&grant.refresh_token, None).await, "unauthenticated Malformed");
    house.cases.log_out.run(&me, None).await.expect("log out again");
    assert!(house.news().is_empty());
    assert!(house.memory.stores().sessions.is_live(other.session, other.user).await.expect("is live"));
}

#[tokio::test]
async fn sessions_that_nobody_can_continue_are_forgotten() {
    let house = House::new();
    house.user(1).await;
    house.memory.clock.advance(TimeDelta::days(10));
    let young = house.grant(1).await;
    for (days, expected) in [(19, 0), (2, 1), (0, 0)] {
        house.memory.clock.advance(TimeDelta::days(days));
        assert_eq!(house.cases.purge_sessions.run().await.expect("purge"), expected, "after {days} days more");
    }
    house.refresh(&young).await;
}
