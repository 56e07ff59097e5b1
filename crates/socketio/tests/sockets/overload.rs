//! Sockets that send too much, or read too little.

use std::collections::HashSet;

use mango_domain::ports::Departure;
use mango_socketio::Options;
use mango_testkit::Memory;
use serde_json::{Value, json};

use crate::support::{Client, World, limits, text_message};

/// What is read at once from a connection is taken at once: nobody could stop reading in between.
const BURST: usize = 30;

#[tokio::test]
async fn a_socket_that_sends_more_than_can_wait_and_asks_for_no_answers_is_hung_up_on() {
    for small in [Options { max_incoming: 4, ..limits() }, Options { max_incoming_bytes: 400, ..limits() }] {
        let (world, gate) = World::held(small).await;
        let (ann, bob) = (world.person(1).await, world.person(2).await);
        let chat = world.group(&[&ann]).await;
        let (mut client, mut other) = (world.connect(&ann).await, world.connect(&bob).await);
        let event = json!(["send_message", text_message(chat, "x")]);
        client.send_together((0..BURST).map(|_| format!("42{event}"))).await;
        client.hung_up().await;
        gate.let_through(BURST);
        assert_eq!(world.departure().await, (ann.id, Departure::Last));
        assert_eq!(other.events().await, [], "others go on");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_its_acknowledgement_and_the_socket_goes_on() {
    let (world, gate) = World::held(Options { max_incoming: 4, ..limits() }).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = world.connect(&ann).await;
    let event = json!(["send_message", text_message(chat, "x")]);
    client.send_together((0..BURST).map(|n| format!("42{n}{event}"))).await;
    // Nothing is acknowledged as stored before the first one is refused.
    let (mut answered, mut stored, mut refused) = (HashSet::new(), Vec::new(), 0);
    while answered.len() < BURST {
        let (ack, answer) = client.next_answer().await;
        assert!(answered.insert(ack), "{ack} is answered twice");
        if answer["ok"] == true {
            stored.push(answer["message"]["seq"].clone());
            continue;
        }
        assert_eq!((&answer["error"]["status"], &answer["error"]["retry_after_ms"]), (&json!(503), &json!(1000)));
        refused += 1;
        if refused == 1 {
            gate.let_through(BURST);
        }
    }
    assert!(stored.len() >= 4, "{} found a place", stored.len());
    let expected: Vec<Value> = (1..=stored.len()).map(Value::from).collect();
    assert_eq!(stored, expected, "who is acknowledged is stored, in order");
    gate.let_through(1);
    let last = client.call("send_message", text_message(chat, "x")).await;
    assert_eq!(last["message"]["seq"], stored.len() + 1, "who is refused is not stored, and the socket goes on");
}

#[tokio::test]
async fn what_a_client_sends_when_it_comes_back_finds_a_place() {
    const COUNT: usize = 200;
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = world.connect(&ann).await;
    let message = text_message(chat, &"x".repeat(60_000));
    for _ in 0..COUNT {
        client.ask("send_message", &message).await;
    }
    gate.let_through(COUNT);
    for n in 1..=COUNT {
        assert_eq!(client.next_answer().await.1["message"]["seq"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_keep_up_is_hung_up_on_and_gets_nothing_after_a_hole() {
    let told = check_slow(Options { max_outgoing: 16, ..limits() }).await;
    assert!(
        told > 0,
        "nobody knows whose buffer was full, so all who are still connected are told that there was something"
    );
    let told = check_slow(Options { max_outgoing_bytes: 1_000_000, ..limits() }).await;
    assert_eq!(told, 0, "whose bytes were too many was known before anything was sent");
}

/// Gives how often who kept up was told that the chat has changed.
async fn check_slow(options: Options) -> usize {
    const COUNT: usize = 400;
    let world = World::with(options, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut slow, mut quick) = (world.connect(&ann).await, world.connect(&bob).await);
    let content = "x".repeat(Memory::POLICY.max_content);
    let mut changes = 0;
    for n in 1..=COUNT {
        world.say(&bob, chat, &content).await;
        let mut told = quick.event().await;
        while told.0 == "chat_changed" {
            changes += 1;
            assert!(told.1["version"].as_u64().is_some_and(|version| version <= u64::try_from(n).unwrap()));
            told = quick.event().await;
        }
        assert_eq!(told.1["seq"], n, "who keeps up gets everything");
    }
    let read = seqs(&mut slow).await;
    assert!(read.len() < COUNT, "the buffers of the system took it all");
    let expected: Vec<Value> = (1..=read.len()).map(Value::from).collect();
    assert_eq!(read, expected);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_its_answers_gets_no_more_of_them_until_it_reads_on() {
    gets_no_more_until_it_reads_on(Options { max_outgoing_bytes: 500_000, ..limits() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_socket_that_goes_away_leaves_nothing_behind() {
    let world = World::with(Options { max_outgoing_bytes: 500_000, ..limits() }, |ports| ports).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    for _ in 0..10 {
        world.say(&ann, chat, &"x".repeat(60_000)).await;
    }
    let mut client = world.connect(&ann).await;
    for _ in 0..100 {
        client.ask("sync", &json!({})).await;
    }
    drop(client);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_socket_reads_does_not_count_against_it() {
    let world = World::with(Options { max_outgoing_bytes: 100_000, ..limits() }, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut sender, mut receiver) = (world.connect(&ann).await, world.connect(&bob).await);
    let message = text_message(chat, &"x".repeat(9000));
    for n in 1..=200 {
        assert_eq!(sender.call("send_message", message.clone()).await["message"]["seq"], n);
        assert_eq!(receiver.event().await.1["seq"], n);
    }
}

/// Answers to `sync` of 600 KB wait for many sockets of one user, each of which may have 32 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_much_waits_for_all_together_those_who_read_nothing_are_hung_up_on() {
    let world = World::with(Options { max_backlog: 1_000_000, ..limits() }, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    for _ in 0..10 {
        world.say(&ann, chat, &"x".repeat(60_000)).await;
    }
    let mut quick = world.connect(&bob).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = world.connect(&ann).await;
        for _ in 0..20 {
            client.ask("sync", &json!({})).await;
        }
        slow.push(client);
    }
    for _ in 0..2 {
        assert_eq!(world.departure().await.0, ann.id);
    }
    assert_eq!(quick.call("sync", json!({})).await["ok"], true, "who reads goes on");
    assert_eq!(quick.events().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_much_waits_for_all_together_nobody_who_does_not_read_makes_it_more() {
    gets_no_more_until_it_reads_on(Options { max_backlog: 1_000_000, ..limits() }).await;
}

/// Has a client ask for far more than may wait, and read it afterwards.
async fn gets_no_more_until_it_reads_on(options: Options) {
    const COUNT: usize = 400;
    let world = World::with(options, |ports| ports).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    for _ in 0..10 {
        world.say(&ann, chat, &"x".repeat(10_000)).await;
    }
    let mut client = world.connect(&ann).await;
    for _ in 0..COUNT {
        client.ask("sync", &json!({})).await;
    }
    for n in 1..=COUNT {
        let (ack, answer) = client.next_answer().await;
        assert_eq!((ack, answer["chats"][0]["version"].clone()), (u64::try_from(n).unwrap(), json!(11)));
    }
}

/// What comes until the socket is disconnected.
async fn seqs(client: &mut Client) -> Vec<Value> {
    let mut seqs = Vec::new();
    while let Some(packet) = client.packet().await.filter(|packet| packet != "41") {
        let (name, payload): (String, Value) = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        match &*name {
            "hanging_up" => assert_eq!(payload, json!({ "reason": "slow" })),
            _ => seqs.push(payload["seq"].clone()),
        }
    }
    seqs
}
