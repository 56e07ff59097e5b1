//! Sockets that send too often, by the rates of their users.

use std::time::{Duration, Instant};

use mango_domain::model::{Rate, Subject};
use mango_domain::ports::Departure;
use serde_json::json;

use crate::support::{World, text_message};

#[tokio::test]
async fn an_event_beyond_the_rate_is_refused_in_its_acknowledgement_and_the_socket_goes_on() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut client, mut again) = (world.connect(&ann).await, world.connect(&ann).await);
    let message = world.message(chat, &bob).await;
    world.memory.rates.limit(Rate::Send, 2);
    assert_eq!(client.call("send_message", text_message(chat, "one")).await["ok"], true);
    assert_eq!(again.call("toggle_like_message", json!({ "message": { "id": message } })).await["ok"], true);
    for (event, payload) in [
        ("send_message", text_message(chat, "three")),
        ("toggle_like_message", json!({ "message": { "id": message } })),
        ("toggle_chat_pin", json!({ "chat": { "id": chat } })),
        ("send_message", json!({})),
    ] {
        for client in [&mut client, &mut again] {
            let refused = client.call(event, payload.clone()).await;
            assert_eq!(refused["ok"], false, "{event}");
            let error = &refused["error"];
            assert_eq!(
                (&error["type"], &error["status"], &error["retry_after_ms"]),
                (&json!("urn:mango:problem:too-many-requests"), &json!(429), &json!(1500)),
                "{event}"
            );
        }
    }
    assert_eq!(client.call("sync", json!({ "chats": {} })).await["ok"], true, "another rate");
    let mut other = world.connect(&bob).await;
    assert_eq!(other.call("send_message", text_message(chat, "mine")).await["ok"], true, "another user");
}

#[tokio::test]
async fn of_a_client_that_goes_on_and_on_little_is_read() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let mut client = world.connect(&ann).await;
    world.memory.rates.limit(Rate::Read, 1);
    world.memory.rates.exhaust(Rate::Read, Subject::User(ann.id));
    client.send_together((0..14_000).map(|n| format!("42{n}[\"no_such_event\",{{}}]"))).await;
    let started = Instant::now();
    for n in 0..14_000 {
        assert_eq!(client.next_answer().await.0, n, "all are answered, in their order");
    }
    assert!(started.elapsed() > Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn every_event_is_limited() {
    for (event, rate) in [
        ("create_chat", Rate::Create),
        ("send_message", Rate::Send),
        ("toggle_like_message", Rate::Send),
        ("toggle_chat_pin", Rate::Send),
        ("authenticate", Rate::Read),
        ("sync", Rate::Read),
        ("no_such_event", Rate::Read),
    ] {
        let world = World::new().await;
        let ann = world.person(1).await;
        let mut client = world.connect(&ann).await;
        world.memory.rates.limit(rate, 1);
        world.memory.rates.exhaust(rate, Subject::User(ann.id));
        assert_eq!(client.call(event, json!({})).await["error"]["status"], 429, "{event}");
    }
}

#[tokio::test]
async fn a_socket_that_asks_for_no_answers_and_sends_too_often_is_hung_up_on() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = world.connect(&ann).await;
    world.memory.rates.limit(Rate::Send, 1);
    for _ in 0..2 {
        client.emit("send_message", &text_message(chat, "x")).await;
    }
    client.hung_up().await;
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
}

#[tokio::test]
async fn whoever_connects_too_often_is_refused() {
    let world = World::new().await;
    let ann = world.person(1).await;
    world.memory.rates.limit(Rate::Read, 1);
    world.connect(&ann).await;
    let refused = world.client().payload(&ann.token).connect().await.err();
    assert_eq!(refused.as_deref(), Some("too many requests, try again in 2 s"));
}
