//! Sockets of accounts that attack the server itself: with packets that no rate counts, and with more than it can keep for all of them.

use std::time::Duration;

use mango_domain::ports::Departure;
use mango_socketio::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Client, Person, Poller, World, acknowledgement, limits, text_message};

/// How many packets that are no events may come at once.
const MOST: usize = 100;

/// How long nothing may happen before it counts as waiting.
const STILL: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_socket_that_sends_many_packets_that_are_no_events_is_cut_off() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let mut bystander = world.connect(&bob).await;
    let connect = format!("40{}", json!({ "token": ann.token }));
    for packet in ["3", &connect, "40/nowhere,", "431[]", r#"42/nowhere,["sync",{}]"#] {
        // One was the connect, and one the answer to the ping that comes first.
        let mut client = world.connect(&ann).await;
        client.send_together(vec![packet.to_owned(); MOST - 2].into_iter()).await;
        assert_eq!(synced(&mut client).await["ok"], true, "{packet}");
        client.send_together(vec![packet.to_owned(); 10].into_iter()).await;
        client.closed().await;
        assert_eq!(world.departure().await, (ann.id, Departure::Last), "{packet}");
    }
    assert_eq!(synced(&mut bystander).await["ok"], true);
}

#[tokio::test]
async fn so_is_a_session_that_polls() {
    let world = World::new().await;
    let ann = world.person(1).await;
    for packet in ["3", "40/nowhere,", "431[]"] {
        let client = Poller::connect(&world, &ann).await;
        client.post([packet; MOST - 2].join("\u{1e}")).await;
        let refused = client.send([packet; 10].join("\u{1e}")).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{packet}");
        assert_eq!(client.send("3").await.status(), StatusCode::BAD_REQUEST, "the session is gone");
        assert_eq!(world.departure().await, (ann.id, Departure::Last), "{packet}");
    }
    // The size of each is looked at as well.
    let client = Poller::connect(&world, &ann).await;
    assert_eq!(client.send(format!("3\u{1e}40/{},", "x".repeat(600))).await.status(), StatusCode::TOO_MANY_REQUESTS);
    // Events do not count, neither by their number nor by their size.
    let client = Poller::connect(&world, &ann).await;
    let event = format!("42{}", json!(["no_such_event", "x".repeat(1000)]));
    client.post(vec![event; 3 * MOST].join("\u{1e}")).await;
    client.post("3").await;
}

#[tokio::test]
async fn a_name_of_a_namespace_that_there_is_not_cannot_be_long() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let mut client = world.connect(&ann).await;
    client.send(format!("40/{},", "x".repeat(500))).await;
    assert!(client.packet().await.is_some_and(|answer| answer.contains("Invalid namespace")));
    client.send_part(format!("40/{},", "x".repeat(600)), true, true).await;
    client.closed().await;
}

/// A server that keeps 2 MB of what all sockets have sent, of which all messages wait at a gate.
fn small() -> Options {
    Options { max_intake: 2_000_000, ..limits() }
}

#[tokio::test]
async fn when_all_together_have_sent_too_much_those_who_sent_most_are_hung_up_on() {
    let (world, gate) = World::held(small()).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let mut other = world.connect(&bob).await;
    let kept = other.ask("send_message", &text_message(chat, "kept")).await;
    gate.arrivals(1).await;
    let message = text_message(chat, &"x".repeat(60_000));
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = world.connect(&ann).await;
        for _ in 0..4 {
            client.ask("send_message", &message).await;
        }
        clients.push(client);
    }
    let mut hung_up = 0;
    for client in &mut clients {
        if timeout(STILL, client.hung_up()).await.is_ok() {
            hung_up += 1;
        }
    }
    assert!((1..20).contains(&hung_up), "{hung_up} of 20");
    gate.let_through(1000);
    assert_eq!(other.answer(kept).await["ok"], true, "who sent little goes on");
}

#[tokio::test]
async fn messages_that_are_never_complete_count_as_well() {
    let world = World::with(small(), |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let mut other = world.connect(&bob).await;
    let mut clients = Vec::new();
    for n in 0..8 {
        let mut client = world.connect(&ann).await;
        if n % 2 == 0 {
            client.send_part(format!("42[\"sync\",\"{}", "x".repeat(400_000)), true, false).await;
        } else {
            client.send(r#"452-["sync",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
            client.send_binary(&[0; 400_000]).await;
        }
        clients.push(client);
    }
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain), "one has to go");
    assert_eq!(synced(&mut other).await["ok"], true, "who sent little goes on");
    drop(clients);
    // What is gone does not count any more.
    for _ in 0..7 {
        assert_eq!(world.departure().await.0, ann.id);
    }
    others_have_room(&world, &bob).await;
}

#[tokio::test]
async fn attachments_over_polling_count_too() {
    let world = World::with(small(), |ports| ports).await;
    let ann = world.person(1).await;
    let attachment = format!("b{}", "A".repeat(100_000));
    let event = r#"4516-["sync",{"_placeholder":true,"num":0}]"#;
    let body = [vec![event.to_owned()], vec![attachment; 5]].concat().join("\u{1e}");
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = Poller::connect(&world, &ann).await;
        client.send(body.clone()).await;
        clients.push(client);
    }
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain), "one has to go");
}

#[tokio::test]
async fn who_has_many_sockets_with_a_little_goes_before_who_has_one_with_more() {
    let (world, gate) = World::held(small()).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let mut honest = world.connect(&bob).await;
    let message = text_message(chat, &"x".repeat(60_000));
    for _ in 0..8 {
        honest.ask("send_message", &message).await;
    }
    gate.arrivals(8).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = world.connect(&ann).await;
        client.send_part(format!("42[\"sync\",\"{}", "x".repeat(50_000)), true, false).await;
        clients.push(client);
    }
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    gate.let_through(8);
    for n in 1..=8 {
        assert_eq!(honest.next_answer().await.1["message"]["seq"], n);
    }
}

/// Sees that so much can be sent as may be there at once.
async fn others_have_room(world: &World, person: &Person) {
    let mut client = world.connect(person).await;
    for _ in 0..3 {
        let ack = client.ask_raw(&json!(["no_such_event", "x".repeat(600_000)]).to_string()).await;
        assert_eq!(client.answer(ack).await["error"]["status"], 404);
    }
}

/// The answer to `sync`, whatever else comes before it.
async fn synced(client: &mut Client) -> Value {
    let asked = client.ask("sync", &json!({ "chats": {} })).await;
    loop {
        let packet = client.packet().await.expect("it is connected");
        if let Some((_, answer)) = acknowledgement(&packet).filter(|(ack, _)| *ack == asked) {
            return answer;
        }
    }
}
