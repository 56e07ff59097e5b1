//! How long a socket lasts.

use std::time::Duration;

use mango_domain::ports::Departure;
use mango_socketio::Options;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support::{Client, Person, World, limits, text_message};

/// A socket whose token is good for so many seconds.
async fn short_lived(world: &World, person: &Person, seconds: i64) -> Client {
    world.client().payload(&world.token(person.id, person.session, seconds)).connect().await.unwrap()
}

async fn authenticate(client: &mut Client, token: &str) -> Value {
    client.call("authenticate", json!({ "token": token })).await
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let started = Instant::now();
    let mut client = short_lived(&world, &ann, 1).await;
    client.disconnected("token_expired").await;
    assert!(started.elapsed() >= Duration::from_millis(900), "not before");
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
}

#[tokio::test]
async fn a_fresh_token_lets_a_socket_go_on() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let (mut renewed, mut control) = (short_lived(&world, &ann, 1).await, short_lived(&world, &ann, 2).await);
    let answer = authenticate(&mut renewed, &world.token(ann.id, ann.session, 3600)).await;
    assert_eq!(answer, json!({ "ok": true, "expires_at": "2026-01-01T01:00:00.000000Z" }));
    // When a token that is good for longer has expired, the first one surely has.
    control.disconnected("token_expired").await;
    assert_eq!(renewed.events().await, []);

    let answer = authenticate(&mut renewed, &world.token(ann.id, ann.session, 1)).await;
    assert_eq!(answer["ok"], true, "a shorter one counts as well");
    renewed.disconnected("token_expired").await;
}

#[tokio::test]
async fn a_bad_token_leaves_the_old_one_in_force() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let ended = world.session(ann.id, 3).await;
    world.use_cases.log_out.run(&ended.principal(&world), None).await.unwrap();
    let mut client = world.connect(&ann).await;
    let table = [
        ("garbage".to_owned(), 401, "urn:mango:problem:unauthenticated"),
        (world.token(ann.id, ann.session, -1), 401, "urn:mango:problem:token-expired"),
        (ended.token, 401, "urn:mango:problem:session-ended"),
        (bob.token, 403, "urn:mango:problem:forbidden"),
    ];
    for (token, status, kind) in table {
        let answer = authenticate(&mut client, &token).await;
        assert_eq!((&answer["error"]["status"], &answer["error"]["type"]), (&json!(status), &json!(kind)), "{answer}");
        assert_eq!(client.events().await, [], "the socket goes on");
    }
    world.memory.store.fail_next("check session");
    assert_eq!(authenticate(&mut client, &ann.token).await["error"]["status"], 500);
}

#[tokio::test]
async fn a_logout_ends_the_sockets_of_its_session_alone() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let other_device = world.session(ann.id, 2).await;
    let (mut first, mut second) = (world.connect(&ann).await, world.connect(&ann).await);
    let mut kept = world.connect(&other_device).await;
    world.use_cases.log_out.run(&ann.principal(&world), None).await.unwrap();
    first.disconnected("session_ended").await;
    second.disconnected("session_ended").await;
    assert_eq!(kept.events().await, []);
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
}

/// However a session is ended from another one of the same user, its sockets are closed within a second.
#[tokio::test]
async fn a_session_that_is_ended_from_elsewhere_loses_its_sockets() {
    let world = World::new().await;
    let (ann, eve) = (world.person(1).await, world.person(2).await);
    let (lost, left) = (world.session(ann.id, 3).await, world.session(ann.id, 4).await);
    let (mut kept, mut strange) = (world.connect(&ann).await, world.connect(&eve).await);
    let mut sockets = [world.connect(&lost).await, world.connect(&lost).await];
    let mut last = world.connect(&left).await;

    let started = Instant::now();
    world.use_cases.end_session.run(&ann.principal(&world), lost.session, None).await.unwrap();
    for socket in &mut sockets {
        socket.disconnected("session_ended").await;
    }
    assert_eq!(last.events().await, [], "the other ones go on");
    world.use_cases.end_other_sessions.run(&ann.principal(&world), None).await.unwrap();
    last.disconnected("session_ended").await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((kept.events().await, strange.events().await), (vec![], vec![]));
    for person in [&lost, &left] {
        let refusal = world.client().payload(&person.token).connect().await.err();
        assert_eq!(refusal.as_deref(), Some("the session has ended, log in again"));
    }
}

/// Somebody who has logged in ten thousand times ends it all at once, and again, and nobody else waits for that.
#[tokio::test]
async fn ten_thousand_sessions_end_in_a_moment() {
    let world = World::new().await;
    let (ann, eve) = (world.person(1).await, world.person(2).await);
    let mut kept = [world.connect(&ann).await, world.connect(&eve).await];
    for first in [10, 20_000] {
        let mut last = None;
        for n in first..first + 10_000 {
            last = Some(world.session(ann.id, n).await);
        }
        let last = last.unwrap();
        let mut socket = world.connect(&last).await;
        let started = Instant::now();
        world.use_cases.end_other_sessions.run(&ann.principal(&world), None).await.unwrap();
        socket.disconnected("session_ended").await;
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        let refusal = world.client().payload(&last.token).connect().await.err();
        assert_eq!(refusal.as_deref(), Some("the session has ended, log in again"));
    }
    for client in &mut kept {
        assert_eq!(client.events().await, []);
    }
}

#[tokio::test]
async fn a_socket_goes_with_the_session_of_its_latest_token() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let next = world.session(ann.id, 2).await;
    let mut client = world.connect(&ann).await;
    assert_eq!(authenticate(&mut client, &next.token).await["ok"], true);
    world.use_cases.log_out.run(&ann.principal(&world), None).await.unwrap();
    assert_eq!(client.events().await, [], "the old session does not matter any more");
    world.use_cases.log_out.run(&next.principal(&world), None).await.unwrap();
    client.disconnected("session_ended").await;
}

#[tokio::test]
async fn what_waits_when_a_session_ends_is_not_done() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let other_device = world.session(ann.id, 2).await;
    let (mut client, mut other) = (world.connect(&ann).await, world.connect(&other_device).await);
    let message = text_message(chat, "x");
    client.emit("send_message", &message).await;
    client.emit("toggle_chat_pin", &json!({ "chat": { "id": chat } })).await;
    gate.arrivals(1).await;
    world.use_cases.log_out.run(&ann.principal(&world), None).await.unwrap();
    client.disconnected("session_ended").await;
    gate.let_through(1);
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    let names: Vec<String> = other.events().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["new_message"], "what had begun is finished, what waited is not begun");
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_sent_and_leaves_the_end_of_connections_to_others() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let (mut client, mut idle) = (world.connect(&ann).await, world.connect(&ann).await);
    let message = text_message(chat, "x");
    let ack = client.ask("send_message", &message).await;
    gate.arrivals(1).await;
    let hub = world.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown().await });
    // The idle socket's task is over: the shutdown has begun.
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    let refusal = world.client().payload(&ann.token).connect().await.err();
    assert_eq!(refusal.as_deref(), Some("the server is shutting down"));
    gate.let_through(1);
    assert_eq!(client.answer(ack).await["message"]["seq"], 1);
    timeout(Duration::from_secs(10), shutdown).await.unwrap().unwrap();
    assert_eq!(idle.event().await.0, "new_message");
    for socket in [&mut client, &mut idle] {
        assert_eq!(socket.event().await, ("hanging_up".to_owned(), json!({ "reason": "shutting_down" })));
        socket.left_alone().await;
    }
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    assert!(!world.is_online(&ann).await);
    // What happens later fails nothing.
    gate.let_through(1);
    world.say(&ann, chat, "is anybody there?").await;
}

#[tokio::test]
async fn who_sends_during_a_shutdown_is_refused_and_not_told_to_stay_away() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let (mut client, _idle) = (world.connect(&ann).await, world.connect(&ann).await);
    let message = text_message(chat, "x");
    let begun = client.ask("send_message", &message).await;
    gate.arrivals(1).await;
    let hub = world.hub.clone();
    let shutdown = tokio::spawn(async move { hub.shutdown().await });
    // The idle socket's task is over: the shutdown has begun.
    assert_eq!(world.departure().await, (ann.id, Departure::OthersRemain));
    for _ in 0..10 {
        client.emit("send_message", &message).await;
        let answer = client.call("send_message", message.clone()).await;
        assert_eq!((&answer["error"]["status"], &answer["error"]["retry_after_ms"]), (&json!(503), &json!(1000)));
    }
    gate.let_through(1);
    assert_eq!(client.answer(begun).await["message"]["seq"], 1, "what had begun is finished");
    timeout(Duration::from_secs(10), shutdown).await.unwrap().unwrap();
    assert_eq!(client.event().await.0, "hanging_up");
    client.left_alone().await;
}

/// A connection without a socket counts against no user.
#[tokio::test]
async fn a_connection_whose_socket_has_ended_is_closed_unless_it_comes_back() {
    let options = Options { connect_timeout: Duration::from_secs(1), ..limits() };
    let world = World::with(options, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let (mut left, mut back, mut ended) =
        (world.connect(&ann).await, world.connect(&ann).await, world.connect(&bob).await);
    let started = Instant::now();
    left.send("41").await;
    back.send("41").await;
    world.use_cases.log_out.run(&bob.principal(&world), None).await.unwrap();
    ended.disconnected("session_ended").await;
    for _ in 0..3 {
        world.departure().await;
    }
    back.left_alone().await;
    // What does not let it in is not coming back.
    left.send("40{}").await;
    back.send(format!("40{}", json!({ "token": ann.token }))).await;
    assert!(back.packet().await.unwrap().starts_with("40"));
    assert_eq!(back.event().await.0, "ready");
    left.closed().await;
    ended.closed().await;
    assert!(started.elapsed() >= Duration::from_millis(900), "not before");
    assert_eq!(back.events().await, [], "the new socket goes on");

    // Its time begins anew when it leaves again.
    back.send("41").await;
    world.departure().await;
    back.left_alone().await;
    back.closed().await;
}

/// A client may leave and come back over the same transport, and its new socket then has the id of the old one.
#[tokio::test]
async fn what_is_left_of_an_old_connection_does_not_end_the_new_one() {
    let (world, gate) = World::held(limits()).await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    let mut client = short_lived(&world, &ann, 1).await;
    client.ask("send_message", &text_message(chat, "x")).await;
    gate.arrivals(1).await;
    client.send("41").await;
    // The old socket may still be on its way out, and the new one is not let in before that.
    let back = async {
        loop {
            client.send(format!("40{}", json!({ "token": ann.token }))).await;
            if let Ok(answer) = timeout(Duration::from_millis(100), client.packet()).await {
                break answer;
            }
        }
    };
    assert!(back.await.unwrap().starts_with("40"));
    assert_eq!(client.event().await.0, "ready");
    let mut control = short_lived(&world, &ann, 2).await;
    control.disconnected("token_expired").await;
    assert_eq!(client.events().await, [], "the new socket goes on");
    gate.let_through(1);
    assert_eq!(client.event().await.0, "new_message");
}
