//! Coming online and going offline.

use chrono::TimeDelta;
use mango_domain::model::{ConnectionId, Principal, Timestamp};
use mango_testkit::build::moment;

use crate::{House, check_refused};

fn connection(name: &str) -> ConnectionId {
    ConnectionId(name.to_owned())
}

async fn check(house: &House, user: &Principal, online: bool, last_seen_at: Option<Timestamp>) {
    let profile = house.cases.get_user.run(user, user.user).await.expect("get");
    assert_eq!((profile.online, profile.user.last_seen_at), (online, last_seen_at));
}

#[tokio::test]
async fn a_user_is_online_while_any_connection_is_there() {
    let house = House::new();
    let [me, other] = house.users().await;
    let (tab, phone) = (connection("tab"), connection("phone"));
    check(&house, &me, false, None).await;
    let go = |at: i64| house.memory.clock.set(moment(at));

    go(10);
    house.cases.come_online.run(&me, &tab).await.expect("come online");
    check(&house, &me, true, Some(moment(10))).await;
    go(20);
    house.cases.come_online.run(&me, &phone).await.expect("come online");
    check(&house, &me, true, Some(moment(20))).await;
    go(30);
    house.cases.go_offline.run(me.user, &tab).await.expect("go offline");
    check(&house, &me, true, Some(moment(20))).await;
    go(40);
    house.cases.go_offline.run(me.user, &phone).await.expect("go offline");
    check(&house, &me, false, Some(moment(40))).await;
    check(&house, &other, false, None).await;
}

#[tokio::test]
async fn a_connection_counts_once() {
    let house = House::new();
    let me = house.user(1).await;
    let tab = connection("tab");
    for _ in 0..2 {
        house.cases.come_online.run(&me, &tab).await.expect("come online");
    }
    house.cases.go_offline.run(me.user, &tab).await.expect("go offline");
    check(&house, &me, false, Some(moment(0))).await;
}

#[tokio::test]
async fn the_time_of_being_seen_never_goes_back() {
    let house = House::new();
    let me = house.user(1).await;
    house.memory.clock.set(moment(100));
    house.cases.come_online.run(&me, &connection("tab")).await.expect("come online");
    house.memory.clock.advance(TimeDelta::seconds(-50));
    house.cases.go_offline.run(me.user, &connection("tab")).await.expect("go offline");
    check(&house, &me, false, Some(moment(100))).await;
}

#[tokio::test]
async fn coming_online_gives_the_chats_to_follow() {
    let house = House::new();
    let [me, other] = house.users().await;
    let mut mine = vec![house.group(&me, &[]).await, house.group(&other, &[&me]).await];
    house.group(&other, &[]).await;
    let mut given = house.cases.come_online.run(&me, &connection("tab")).await.expect("come online");
    given.chats.sort();
    mine.sort();
    assert_eq!(given.chats, mine);
    assert_eq!(given.epoch.as_str(), "memory");
}

/// The connection is counted before anything can fail, so that its end, which always comes, uncounts it.
#[tokio::test]
async fn a_failure_at_coming_online_is_undone_by_going_offline() {
    let house = House::new();
    let me = house.user(1).await;
    for operation in ["note last seen", "list chat ids", "read epoch"] {
        house.memory.store.fail_next(operation);
        let result = house.cases.come_online.run(&me, &connection("tab")).await;
        check_refused(result, &format!("failed {operation}"));
        house.cases.go_offline.run(me.user, &connection("tab")).await.expect("go offline");
        check(&house, &me, false, Some(moment(0))).await;
    }
}
