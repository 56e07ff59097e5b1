//! Long-polling, over plain HTTP.

use std::time::Duration;

use mango_socketio::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Connecting, Poller, World, limits};

#[tokio::test]
async fn a_polling_client_sends_and_receives() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let poller = Poller::connect(&world, &ann).await;
    let mut other = world.connect(&bob).await;

    let event = |content: &str| {
        let message = json!({ "chat_id": chat, "content": content, "message_type": "text" });
        json!(["send_message", { "message": message }])
    };
    // Two packets in one request, with the separator between them.
    poller.post(format!("421{}\u{1e}422{}", event("one"), event("two"))).await;
    let mut answers = Vec::new();
    while answers.len() < 2 {
        answers.append(&mut poller.poll().await);
    }
    assert!(answers[0].starts_with("431[{\"ok\":true"), "{answers:?}");
    assert!(answers[1].starts_with("432[{\"ok\":true"), "{answers:?}");
    assert_eq!(other.event().await.1["content"], "one");
    assert_eq!(other.event().await.1["content"], "two");

    other.emit("send_message", &event("three")[1]).await;
    let news = poller.poll().await;
    assert!(news[0].starts_with("42[\"new_message\"") && news[0].contains("three"), "{news:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_polled_does_not_count_against_a_socket_nor_does_what_it_reads_after_the_upgrade() {
    const COUNT: usize = 100;
    let world = World::with(Options { max_outgoing_bytes: 100_000, ..limits() }, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let poller = Poller::connect(&world, &ann).await;
    let content = "x".repeat(9000);
    for _ in 0..COUNT {
        world.say(&bob, chat, &content).await;
        let news = poller.poll().await;
        assert!(news.iter().any(|packet| packet.starts_with("42[\"new_message\"")), "{news:?}");
    }
    let (_, target) = poller.url.split_once("/ws/").unwrap();
    let target = format!("/ws/{}", target.replace("polling", "websocket"));
    let mut client = Connecting::at(world.address, &target).upgrade().await;
    for n in COUNT + 1..=2 * COUNT {
        world.say(&bob, chat, &content).await;
        assert_eq!(client.event().await.1["seq"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_does_not_poll_is_hung_up_on_and_its_session_is_closed() {
    let world = World::with(Options { max_outgoing_bytes: 100_000, ..limits() }, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let poller = Poller::connect(&world, &ann).await;
    let content = "x".repeat(9000);
    for _ in 0..20 {
        world.say(&bob, chat, &content).await;
    }
    assert_eq!(world.departure().await.0, ann.id);
    // There is no event to wait for: it is the time that passes which closes the session.
    let closed = async {
        while poller.send("3").await.status() == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), closed).await.expect("its session is closed although it says that it is there");
}

/// python-engineio breaks off when there are more than 16 packets in one answer.
#[tokio::test]
async fn a_burst_comes_to_a_python_client_in_pieces_and_to_others_at_once() {
    const COUNT: usize = 40;
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    for (agent, most) in [("Python/3.12 aiohttp/3.13.5", 16), ("node-XMLHttpRequest", COUNT)] {
        let poller = Poller::open_as(&world, "/ws/socket.io/", Some(&ann.token), agent).await;
        while !poller.poll().await.iter().any(|packet| packet.starts_with("42[\"ready\"")) {}
        for _ in 0..COUNT {
            world.say(&bob, chat, "x").await;
        }
        let (mut seqs, mut polls) = (Vec::new(), 0);
        while seqs.len() < COUNT {
            let packets = poller.poll().await;
            polls += 1;
            // A ping may have been one of them.
            assert!(packets.len() <= most && polls <= COUNT.div_ceil(most), "{packets:?}");
            let events = packets.iter().map(|packet| serde_json::from_str(&packet[2..]).unwrap());
            let payloads = events.map(|(_, payload): (String, Value)| payload);
            seqs.extend(payloads.filter_map(|payload| payload["seq"].as_u64()));
        }
        assert!(seqs.len() == COUNT && seqs.is_sorted(), "{seqs:?}");
        world.say(&bob, chat, "x").await;
        assert_eq!(poller.poll().await.len(), 1, "and then what comes");
    }
}

#[tokio::test]
async fn a_session_whose_socket_has_ended_is_closed_too() {
    let options = Options { connect_timeout: Duration::from_secs(1), ..limits() };
    let world = World::with(options, |ports| ports).await;
    let ann = world.person(1).await;
    let poller = Poller::connect(&world, &ann).await;
    poller.post("41").await;
    let closed = async { while poller.send("3").await.status() == StatusCode::OK {} };
    timeout(Duration::from_secs(10), closed).await.unwrap();
}

#[tokio::test]
async fn a_slash_at_the_end_does_not_matter_and_a_token_does() {
    let world = World::new().await;
    let ann = world.person(1).await;
    for path in ["/ws/socket.io", "/ws/socket.io/"] {
        let poller = Poller::open(&world, path, Some(&ann.token)).await;
        assert!(poller.poll().await[0].starts_with("40"), "{path}");
        let stranger = Poller::open(&world, path, None).await;
        assert_eq!(stranger.poll().await, ["44{\"message\":\"an access token is needed\"}"], "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let poller = Poller::connect(&world, &ann).await;
    let huge = json!(["send_message", { "message": "x".repeat(1024 * 1024) }]);
    assert!(poller.send(format!("42{huge}")).await.status().is_client_error());
    assert_eq!(world.departure().await.0, ann.id);
}
