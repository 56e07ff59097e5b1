//! Who is online, and since when not any more.

use chrono::TimeDelta;
use mango_domain::ports::Departure;
use mango_testkit::build::moment;

use crate::support::World;

#[tokio::test]
async fn a_user_is_online_while_any_of_their_sockets_is_connected() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    assert!(!world.is_online(&ann).await);
    let first = world.connect(&ann).await;
    let second = world.connect(&ann).await;
    assert!(world.is_online(&ann).await);
    assert!(!world.is_online(&bob).await);
    first.leave().await;
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    assert!(world.is_online(&ann).await);
    // Without a word, as when a phone loses its network.
    drop(second);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    assert!(!world.is_online(&ann).await);
}

#[tokio::test]
async fn coming_and_going_is_when_a_user_was_last_seen() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let seen = async || world.use_cases.get_user.run(&ann.principal(&world), ann.id).await.unwrap().user.last_seen_at;
    assert_eq!(seen().await, None);
    world.memory.clock.advance(TimeDelta::seconds(10));
    let _client = world.connect(&ann).await;
    assert_eq!(seen().await, Some(moment(10)));
    world.memory.clock.advance(TimeDelta::seconds(10));
    // The store fails once, and is asked again.
    world.memory.store.fail_next("note last seen");
    world.hub.shutdown().await;
    assert_eq!(seen().await, Some(moment(20)));
}

#[tokio::test]
async fn who_leaves_and_comes_back_over_the_same_connection_is_online() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let mut client = world.connect(&ann).await;
    client.send("41").await;
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    client.send(format!("40{{\"token\":\"{}\"}}", ann.token)).await;
    assert!(client.packet().await.unwrap().starts_with("40"));
    assert!(world.is_online(&ann).await);
    client.leave().await;
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    assert!(!world.is_online(&ann).await);
}
