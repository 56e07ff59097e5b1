//! Sockets that send faster than they are served: nothing is read from them until there is room, and nothing of it is refused.

use std::time::Duration;

use mango_domain::model::ChatId;
use mango_socketio::Options;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Gate, Person, Poller, World, acknowledgement, limits, text_message};

/// How long nothing may happen before it counts as waiting.
const STILL: Duration = Duration::from_millis(500);

/// A server that takes 128 events of a socket, held by a gate, with a user and a chat.
async fn world() -> (World, Gate, Person, ChatId) {
    let (world, gate) = World::held(Options { max_incoming: 128, ..limits() }).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    (world, gate, ann, chat)
}

#[tokio::test]
async fn a_websocket_is_not_read_while_too_many_of_its_events_are_in_flight() {
    let (world, gate, ann, chat) = world().await;
    let mut client = world.connect(&ann).await;
    let message = text_message(chat, &"x".repeat(4000));
    let mut sent = 0;
    let endless = async {
        loop {
            client.ask("send_message", &message).await;
            sent += 1;
        }
    };
    assert!(timeout(4 * STILL, endless).await.is_err());
    // What went out, the buffers of the system have: the server took the little that it has places for.
    gate.arrivals(64).await;
    gate.let_through(usize::MAX >> 4);
    client.ask("send_message", &message).await;
    for n in 1..=sent {
        let (_, answer) = client.next_answer().await;
        assert_eq!(answer["message"]["seq"], n, "{answer}");
    }
}

#[tokio::test]
async fn a_polling_request_waits_while_too_many_events_of_its_session_are_in_flight() {
    const COUNT: usize = 1000;
    let (world, gate, ann, chat) = world().await;
    let client = Poller::connect(&world, &ann).await;
    let message = json!(["send_message", text_message(chat, &"x".repeat(100))]);
    let packets: Vec<_> = (1..=COUNT).map(|n| format!("42{n}{message}")).collect();
    let sending = client.send(packets.join("\u{1e}"));
    tokio::pin!(sending);
    let early = timeout(STILL, &mut sending).await;
    assert!(early.is_err(), "there is no room for all of them: {early:?}");
    gate.let_through(COUNT);
    assert_eq!(sending.await.status(), 200);
    let mut stored = Vec::new();
    while stored.len() < COUNT {
        let packets = client.poll().await;
        let answers = packets.iter().filter_map(|packet| acknowledgement(packet));
        stored.extend(answers.map(|(_, answer)| answer["message"]["seq"].clone()));
    }
    assert_eq!(stored, (1..=COUNT).map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_not_read_lets_go_of_its_requests() {
    let (world, _gate, ann, chat) = world().await;
    let client = Poller::connect(&world, &ann).await;
    let message = json!(["send_message", text_message(chat, &"x".repeat(100))]);
    let packets = vec![format!("42{message}"); 1000];
    let sending = client.send(packets.join("\u{1e}"));
    tokio::pin!(sending);
    let early = timeout(STILL, &mut sending).await;
    assert!(early.is_err(), "there is no room for all of them: {early:?}");
    world.use_cases.log_out.run(&ann.principal(&world), None).await.unwrap();
    timeout(10 * STILL, sending).await.expect("nothing waits for a socket that is gone");
}
