//! The sessions that users see and end.

use std::net::IpAddr;

use chrono::TimeDelta;
use mango_domain::model::{Device, Event, Principal, Session, SessionId, Visit};
use mango_domain::ports::Clock as _;
use mango_testkit::build::{moment, phone};

use crate::{House, check_refused, password};

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

impl House {
    async fn visit(&self, n: u32, device: &str, from: &str) -> (Principal, mango_domain::model::Grant) {
        let visit = Visit { device: Device::tidy(device), address: address(from) };
        let grant = self.cases.log_in.run(phone(n).as_str(), password(n), visit).await.expect("log in");
        (self.cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate"), grant)
    }

    async fn sessions(&self, principal: &Principal) -> Vec<Session> {
        self.cases.list_sessions.run(principal).await.expect("list sessions")
    }

    async fn is_live(&self, principal: &Principal) -> bool {
        self.memory.stores().sessions.is_live(principal.session, principal.user).await.expect("is live")
    }
}

#[tokio::test]
async fn a_session_tells_where_it_began_and_where_it_was_last_used() {
    let house = House::new();
    let [me, _other] = house.users().await;
    house.memory.clock.advance(TimeDelta::minutes(1));
    let (phone, grant) = house.visit(1, "A phone", "192.0.2.1").await;
    let began = house.memory.clock.now();
    let expected = Session {
        id: phone.session,
        device: Device::tidy("A phone"),
        address: address("192.0.2.1"),
        created_at: began,
        last_used_at: began,
    };
    let list = house.sessions(&me).await;
    assert_eq!(list.iter().map(|session| session.id).collect::<Vec<_>>(), [phone.session, me.session]);
    assert_eq!(list[0], expected);
    assert_eq!((&list[1].device, list[1].address, list[1].last_used_at), (&None, None, moment(0)));

    house.memory.clock.advance(TimeDelta::minutes(1));
    house.cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate");
    assert_eq!(house.sessions(&phone).await[0], expected, "a request is no use, it would be a write each time");
    house.cases.refresh_session.run(&grant.refresh_token, address("2001:db8::1")).await.expect("refresh");
    let used = Session { address: address("2001:db8::1"), last_used_at: house.memory.clock.now(), ..expected };
    assert_eq!(house.sessions(&phone).await[0], used);
}

/// A session of which every token has expired can do nothing any more, and is not listed until it is forgotten.
#[tokio::test]
async fn a_session_is_listed_while_it_can_do_something() {
    let house = House::new();
    let old = house.user(1).await;
    house.memory.clock.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    let me = house.log_in(1).await;
    let listed = async || house.sessions(&me).await.iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(listed().await, [me.session, old.session]);
    house.memory.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(listed().await, [me.session], "its refresh token has expired, and its access token long ago");
}

#[tokio::test]
async fn a_session_ends_for_its_user_alone_and_once() {
    let house = House::new();
    let [me, other] = house.users().await;
    let (lost, grant) = house.visit(1, "A phone", "192.0.2.1").await;
    let end = async |who: &Principal, session| house.cases.end_session.run(who, session, None).await;
    check_refused(end(&other, lost.session).await, "no session");
    check_refused(end(&me, SessionId::new(1_000_000)).await, "no session");
    assert!(house.is_live(&lost).await && house.news().is_empty());

    end(&me, lost.session).await.expect("end a session");
    house.check_news(&[Event::SessionsEnded { sessions: vec![lost.session] }]);
    check_refused(house.cases.authenticate.run(grant.access_token.expose()).await, "unauthenticated Revoked");
    check_refused(house.cases.refresh_session.run(&grant.refresh_token, None).await, "unauthenticated Malformed");
    check_refused(end(&me, lost.session).await, "no session");
    assert!(house.news().is_empty(), "it is told once");
    assert!(house.is_live(&me).await && house.is_live(&other).await);

    end(&me, me.session).await.expect("end one's own session");
    house.check_news(&[Event::SessionsEnded { sessions: vec![me.session] }]);
    assert!(!house.is_live(&me).await);
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let house = House::new();
    let [me, other] = house.users().await;
    let (one, two) = (house.log_in(1).await, house.log_in(1).await);
    house.cases.end_other_sessions.run(&two, None).await.expect("end others");
    let mut ended = [me.session, one.session];
    ended.sort_unstable();
    house.check_news(&[Event::SessionsEnded { sessions: ended.to_vec() }]);
    let live = [house.is_live(&me).await, house.is_live(&one).await, house.is_live(&two).await];
    assert_eq!((live, house.is_live(&other).await), ([false, false, true], true));
    house.cases.end_other_sessions.run(&two, None).await.expect("end none");
    assert!(house.news().is_empty(), "there is nothing to tell");
}

#[tokio::test]
async fn when_the_store_fails_nothing_is_told() {
    let house = House::new();
    let me = house.user(1).await;
    house.memory.store.fail_next("revoke sessions");
    check_refused(house.cases.end_other_sessions.run(&me, None).await, "failed revoke sessions");
    house.memory.store.fail_next("revoke session");
    check_refused(house.cases.end_session.run(&me, me.session, None).await, "failed revoke session");
    house.memory.store.fail_next("list sessions");
    check_refused(house.cases.list_sessions.run(&me).await, "failed list sessions");
    assert!(house.news().is_empty() && house.is_live(&me).await);
}
