//! What users see of their sessions, and the end of many at once.

use std::net::IpAddr;

use mango_domain::model::{Device, NewSession, Renewal, Rotation, Session, SessionId, UserChange, UserId, Visit};

use super::{LATE, is_live};
use crate::Stores;
use crate::build::{begin, moment, new_session, phone, refresh, renewal, session, unheard, user, users};

/// `list` gives a session as it began, with the longest device and the longest address there can be.
pub async fn a_session_is_listed_as_it_began(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    assert_eq!(list(&stores, user).await, []);
    let device = Device::tidy(&"🥭".repeat(Device::MAX)).expect("a device");
    let longest = "abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd".parse::<IpAddr>().expect("an address");
    let visit = Visit { device: Some(device.clone()), address: Some(longest) };
    let known = begin(&stores, NewSession { visit, ..new_session(&stores, user, 1).await }).await;
    let unknown = begin(&stores, new_session(&stores, user, 2).await).await;
    let began = |id, device, address| Session { id, device, address, created_at: moment(0), last_used_at: moment(0) };
    let expected = [began(unknown, None, None), began(known, Some(device), Some(longest))];
    assert_eq!(list(&stores, user).await, expected, "the younger first");
}

/// A refresh moves a session to the head of the list, with its time and, when it is known, its address; it does not matter
/// whether the base or a successor was presented. What is refused changes nothing.
pub async fn a_refresh_is_a_use_of_its_session(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let (used, idle) = (session(&stores, user, 1).await, session(&stores, user, 2).await);
    let mut expected = list(&stores, user).await;
    assert_eq!(expected.iter().map(|session| session.id).collect::<Vec<_>>(), [idle, used]);
    expected.reverse();
    for (presented, successor, second, address) in
        [(1, 3, 10, Some("192.0.2.1")), (1, 4, 20, Some("2001:db8::1")), (4, 5, 30, None)]
    {
        let address = address.map(|address| address.parse::<IpAddr>().expect("an address"));
        let mut renewal = renewal(successor, moment(second), moment(LATE));
        renewal.address = address;
        let rotated = stores.sessions.rotate(&refresh(presented), renewal).await.expect("rotate");
        assert_eq!(rotated, Rotation::Rotated { user, session: used });
        expected[0].last_used_at = moment(second);
        expected[0].address = address.or(expected[0].address);
        assert_eq!(list(&stores, user).await, expected, "token {presented}");
    }
    let unknown = stores.sessions.rotate(&refresh(99), renewal(98, moment(40), moment(LATE))).await.expect("rotate");
    assert_eq!(unknown, Rotation::Unknown);
    assert_eq!(list(&stores, user).await, expected);
}

/// `list` has live sessions of the user alone.
pub async fn a_list_has_the_live_sessions_of_the_user(stores: Stores) {
    let ids = users(&stores, 2).await;
    let (mine, ended, reused) =
        (session(&stores, ids[0], 1).await, session(&stores, ids[0], 2).await, session(&stores, ids[0], 3).await);
    let theirs = session(&stores, ids[1], 4).await;
    assert!(stores.sessions.revoke(ended, ids[0], moment(1)).await.expect("revoke"));
    for (presented, successor) in [(3, 5), (5, 6), (3, 7)] {
        let renewal = renewal(successor, moment(1), moment(LATE));
        stores.sessions.rotate(&refresh(presented), renewal).await.expect("rotate");
    }
    assert!(!is_live(&stores, reused, ids[0]).await);
    for (user, expected) in [(ids[0], mine), (ids[1], theirs)] {
        assert_eq!(listed(&stores, user).await, [expected]);
    }
}

/// `list` has the sessions with a token that has not expired and those that were used lately, and no others.
pub async fn a_list_has_the_sessions_that_are_good_for_something(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let mut ids = Vec::new();
    for (n, expires_at) in [(1, 100), (2, 200), (3, 300)] {
        let session = NewSession { expires_at: moment(expires_at), ..new_session(&stores, user, n).await };
        ids.push(begin(&stores, session).await);
    }
    // The first token of this one has expired at 100, the next one will at 400.
    stores.sessions.rotate(&refresh(1), renewal(4, moment(90), moment(400))).await.expect("rotate");
    let (one, two, three) = (ids[0], ids[1], ids[2]);
    for (now, active, expected) in [
        (95, 90, vec![one, three, two]),
        (199, 199, vec![one, three, two]),
        (200, 199, vec![one, three]),
        (300, 299, vec![one]),
        (399, 399, vec![one]),
        (400, 90, vec![]),
        (400, 89, vec![one]),
        (400, -1, vec![one, three, two]),
    ] {
        let listed = stores.sessions.list(user, moment(now), moment(active)).await.expect("list sessions");
        let listed: Vec<_> = listed.iter().map(|session| session.id).collect();
        assert_eq!(listed, expected, "at {now}, active after {active}");
    }
}

/// `list` has an end, and leaves out what was used longest ago.
pub async fn a_list_of_sessions_has_an_end(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let mut all = Vec::new();
    for n in 0..=u32::try_from(Session::MOST_LISTED).expect("a small number") {
        all.push(session(&stores, user, n).await);
    }
    let newest: Vec<SessionId> = all.iter().skip(1).rev().copied().collect();
    assert_eq!(listed(&stores, user).await, newest);
}

/// `addresses` has those of the live sessions of whoever has the phone now, as they were last used, and none for a phone that nobody has.
pub async fn addresses_are_those_of_the_live_sessions_of_a_phone(stores: Stores) {
    let ids = users(&stores, 2).await;
    assert_eq!(addresses(&stores, 1).await, [""; 0]);
    let from = async |user, n, address: &str| {
        let visit = Visit { device: None, address: Some(address.parse().expect("an address")) };
        begin(&stores, NewSession { visit, ..new_session(&stores, user, n).await }).await
    };
    from(ids[0], 1, "192.0.2.1").await;
    from(ids[0], 2, "2001:db8::1").await;
    session(&stores, ids[0], 3).await;
    let ended = from(ids[0], 4, "192.0.2.4").await;
    from(ids[1], 5, "192.0.2.5").await;
    assert!(stores.sessions.revoke(ended, ids[0], moment(1)).await.expect("revoke"));
    assert_eq!(addresses(&stores, 1).await, ["2001:db8::1", "192.0.2.1"], "those that are known");
    assert_eq!(addresses(&stores, 2).await, ["192.0.2.5"]);
    assert_eq!(addresses(&stores, 3).await, [""; 0], "nobody has the phone");

    let moved = Some("198.51.100.1".parse().expect("an address"));
    let renewal = Renewal { address: moved, ..renewal(6, moment(2), moment(LATE)) };
    stores.sessions.rotate(&refresh(1), renewal).await.expect("rotate");
    assert_eq!(addresses(&stores, 1).await, ["198.51.100.1", "2001:db8::1"], "where they were used last");
    let change = UserChange { phone: Some(phone(3)), ..UserChange::default() };
    stores.users.update(ids[0], change, moment(3), unheard()).await.expect("update").expect("a user");
    assert_eq!(addresses(&stores, 1).await, [""; 0], "it is nobody's any more");
    assert_eq!(addresses(&stores, 3).await, ["198.51.100.1", "2001:db8::1"]);
}

/// `addresses` has an end, and leaves out what was used longest ago.
pub async fn addresses_have_an_end(stores: Stores) {
    let user = user(1).add(&stores).await.id;
    let mut all = Vec::new();
    for n in 0..=u8::try_from(Session::MOST_LISTED).expect("a small number") {
        let address = IpAddr::from([192, 0, 2, n]);
        let visit = Visit { device: None, address: Some(address) };
        begin(&stores, NewSession { visit, ..new_session(&stores, user, n.into()).await }).await;
        all.push(address.to_string());
    }
    let newest: Vec<String> = all.into_iter().skip(1).rev().collect();
    assert_eq!(addresses(&stores, 1).await, newest);
}

/// `revoke_others` ends every live session of the user but one, reports those that it ended, and leaves other users alone.
pub async fn all_sessions_but_one_are_revoked(stores: Stores) {
    let ids = users(&stores, 2).await;
    let mut mine = Vec::new();
    for n in 1..=4 {
        mine.push(session(&stores, ids[0], n).await);
    }
    let theirs = session(&stores, ids[1], 5).await;
    assert!(stores.sessions.revoke(mine[3], ids[0], moment(1)).await.expect("revoke"));
    assert_eq!(revoke_others(&stores, ids[0], mine[1]).await, [mine[0], mine[2]]);
    assert_eq!(listed(&stores, ids[0]).await, [mine[1]]);
    assert!(is_live(&stores, theirs, ids[1]).await);
    assert_eq!(revoke_others(&stores, ids[0], mine[1]).await, [], "there is none left");
    assert_eq!(revoke_others(&stores, ids[0], theirs).await, [mine[1]], "another user's is none to keep");
}

async fn list(stores: &Stores, user: UserId) -> Vec<Session> {
    stores.sessions.list(user, moment(50), moment(49)).await.expect("list sessions")
}

/// The addresses of the sessions of whoever has the `n`th phone.
async fn addresses(stores: &Stores, n: u32) -> Vec<String> {
    let addresses = stores.sessions.addresses(&phone(n)).await.expect("find addresses");
    addresses.iter().map(ToString::to_string).collect()
}

async fn listed(stores: &Stores, user: UserId) -> Vec<SessionId> {
    list(stores, user).await.into_iter().map(|session| session.id).collect()
}

async fn revoke_others(stores: &Stores, user: UserId, keep: SessionId) -> Vec<SessionId> {
    stores.sessions.revoke_others(user, keep, moment(2)).await.expect("revoke sessions")
}
