//! In which order things happen, and that they happen to their end.

use mango_domain::ports::ChatSelection;
use mango_domain::ports::Departure;
use serde_json::json;

use crate::support::{World, limits, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_socket_are_stored_acknowledged_and_told_in_their_order() {
    const COUNT: i64 = 500;
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut sender, mut reader) = (world.connect(&ann).await, world.connect(&bob).await);
    let mut acks = Vec::new();
    for n in 1..=COUNT {
        acks.push(sender.ask("send_message", &text_message(chat, &n.to_string())).await);
    }
    for (ack, n) in acks.into_iter().zip(1..) {
        let answer = sender.answer(ack).await;
        assert_eq!((&answer["message"]["seq"], &answer["message"]["content"]), (&json!(n), &json!(n.to_string())));
    }
    for n in 1..=COUNT {
        let (_, told) = reader.event().await;
        assert_eq!((&told["seq"], &told["content"]), (&json!(n), &json!(n.to_string())));
    }
}

#[tokio::test]
async fn messages_do_not_wait_for_each_others_commit() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = world.connect(&ann).await;
    let mut acks = Vec::new();
    for n in 1..=8 {
        acks.push(client.ask("send_message", &text_message(chat, &n.to_string())).await);
    }
    gate.arrivals(8).await;
    gate.let_through(8);
    for (ack, n) in acks.into_iter().zip(1..) {
        assert_eq!(client.answer(ack).await["message"]["seq"], n);
    }
}

#[tokio::test]
async fn other_events_wait_for_those_before_them() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = world.connect(&ann).await;
    let pin = json!({ "chat": { "id": chat } });
    let first = client.ask("send_message", &text_message(chat, "1")).await;
    let second = client.ask("toggle_chat_pin", &pin).await;
    let third = client.ask("toggle_chat_pin", &pin).await;
    let last = client.ask("send_message", &text_message(chat, "2")).await;
    gate.arrivals(1).await;
    gate.let_through(2);
    // `answer` fails when another acknowledgement comes first.
    assert_eq!(client.answer(first).await["message"]["seq"], 1);
    assert_eq!(client.answer(second).await["pinned"], true);
    assert_eq!(client.answer(third).await["pinned"], false);
    assert_eq!(client.answer(last).await["message"]["seq"], 2);
}

#[tokio::test]
async fn what_was_sent_is_done_though_the_sender_has_left() {
    let (world, gate) = World::held(limits()).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut sender, mut reader) = (world.connect(&ann).await, world.connect(&bob).await);
    for n in 1..=3 {
        sender.emit("send_message", &text_message(chat, &n.to_string())).await;
    }
    let pin = json!({ "chat": { "id": chat } });
    sender.emit("toggle_chat_pin", &pin).await;
    gate.arrivals(3).await;
    sender.leave().await;
    gate.let_through(3);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    let told: Vec<_> = reader.events().await.into_iter().map(|(_, payload)| payload["seq"].clone()).collect();
    assert_eq!(told, [1, 2, 3]);
    let chats = world.use_cases.list_chats.run(&ann.principal(&world), ChatSelection::Pinned).await.unwrap();
    assert_eq!(chats.chats.len(), 1, "the pin was set");
}
