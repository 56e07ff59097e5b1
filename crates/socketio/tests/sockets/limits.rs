//! What a client can have and send at the most, and how long it may take.

use std::time::Duration;

use mango_domain::ports::Departure;
use mango_socketio::Options;
use reqwest::{Client as Http, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Connecting, World, limits, text_message};

/// Long enough for nothing else to end a connection in these tests.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

const POLLING: &str = "/ws/socket.io/?EIO=4&transport=polling";

/// A session of long-polling that has been opened: its URL, and its id.
async fn opened(world: &World) -> (String, String) {
    let url = format!("http://{}{POLLING}", world.address);
    let opened = Http::new().get(&url).send().await.unwrap().text().await.unwrap();
    let opened: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
    let sid = opened["sid"].as_str().unwrap();
    (format!("{url}&sid={sid}"), sid.to_owned())
}

/// Waits until the server knows no more of a session of long-polling, without a poll that would keep it.
async fn reaped(session: &str) {
    let http = Http::new();
    let gone = async {
        // A packet without a meaning is taken as long as there is a session.
        while http.post(session).body("3").send().await.unwrap().status() != StatusCode::BAD_REQUEST {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the session ends");
}

#[tokio::test]
async fn a_user_has_only_so_many_sockets_and_a_place_is_free_again() {
    let world = World::with(Options { max_per_user: 2, ..limits() }, |ports| ports).await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let first = world.connect(&ann).await;
    let mut second = world.connect(&ann).await;
    let refused = world.client().payload(&ann.token).connect().await.err();
    assert_eq!(refused.as_deref(), Some("too many sockets of this user are connected, close some first"));
    world.connect(&bob).await;
    assert_eq!(second.call("sync", json!({ "chats": {} })).await["ok"], true);
    first.leave().await;
    let let_in = async {
        while world.client().payload(&ann.token).connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), let_in).await.expect("a place is free");
}

#[tokio::test]
async fn who_opens_a_connection_and_never_asks_to_be_connected_is_cut_off() {
    let options = Options { connect_timeout: SHORT, ping_interval: LONG, ..limits() };
    let world = World::with(options, |ports| ports).await;
    // Another namespace than the one that there is counts as none.
    let mut silent = Connecting::to(world.address).auth("/nowhere,{}").open().await;
    silent.closed().await;
    let (session, _) = opened(&world).await;
    reaped(&session).await;
}

#[tokio::test]
async fn a_polling_session_that_is_never_polled_ends() {
    let options = Options { ping_interval: SHORT, ping_timeout: SHORT, ..limits() };
    let world = World::with(options, |ports| ports).await;
    let ann = world.person(1).await;
    let (session, _) = opened(&world).await;
    let join = format!("40{}", json!({ "token": ann.token }));
    assert_eq!(Http::new().post(&session).body(join).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
    assert_eq!(Http::new().get(&session).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_upgrade_that_is_never_finished_ends_with_its_session() {
    let options = Options { upgrade_timeout: SHORT, connect_timeout: LONG, ping_interval: LONG, ..limits() };
    let world = World::with(options, |ports| ports).await;
    let (session, sid) = opened(&world).await;
    let target = format!("ws://{}/ws/socket.io/?EIO=4&transport=websocket&sid={sid}", world.address);
    let _half = tokio_tungstenite::connect_async(target).await.unwrap();
    reaped(&session).await;
}

#[tokio::test]
async fn an_event_has_a_few_attachments_at_most() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let event = |count: usize| {
        let places = (0..count).map(|num| json!({ "_placeholder": true, "num": num })).collect::<Vec<_>>();
        format!("45{count}-7{}", json!(["send_message", { "message": places }]))
    };
    let mut client = world.connect(&ann).await;
    client.send(event(16)).await;
    for _ in 0..16 {
        client.send_binary(b"\x00").await;
    }
    assert_eq!(client.answer(7).await["error"]["status"], 422, "no event takes any");
    for count in [17, 1000, 100_000] {
        let mut client = world.connect(&ann).await;
        client.send(event(count.min(20_000)).replace(&count.min(20_000).to_string(), &count.to_string())).await;
        client.closed().await;
    }
}

#[tokio::test]
async fn a_frame_and_a_message_in_parts_have_the_same_limit() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let mut bystander = world.connect(&bob).await;
    let most = limits().max_message;

    // Just as much as is allowed, whole and in parts.
    let mut client = world.connect(&ann).await;
    let padded = |size: usize| {
        let (before, after) = ("421[\"sync\",{\"chats\":{},\"padding\":\"", "\"}]");
        format!("{before}{}{after}", "x".repeat(size - before.len() - after.len()))
    };
    client.send(padded(most)).await;
    assert_eq!(client.answer(1).await["ok"], true);
    let whole = padded(most);
    let (one, two) = whole.split_at(most / 2);
    client.send_part(one.to_owned(), true, false).await;
    client.send_part(two.to_owned(), false, true).await;
    assert_eq!(client.answer(1).await["ok"], true);

    client.send_part(padded(most + 1), true, true).await;
    client.closed().await;
    // A message that never ends.
    let mut client = world.connect(&ann).await;
    for part in 0..12 {
        client.send_part("x".repeat(most / 10), part == 0, false).await;
    }
    client.closed().await;
    assert_eq!(bystander.call("send_message", text_message(chat, "I go on")).await["ok"], true);
}

#[tokio::test]
async fn json_that_is_nested_too_deep_is_refused_and_breaks_nothing() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let mut client = world.connect(&ann).await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [200, 300_000] {
        for (array, status) in [
            (format!("[\"send_message\",{{\"message\":{}}}]", nested(depth)), 422),
            (format!("[\"send_message\",{}]", nested(depth)), 422),
            (format!("[\"sync\",{{\"chats\":{}}}]", nested(depth)), 422),
            (format!("[\"no_such_event\",{}]", nested(depth)), 404),
        ] {
            let ack = client.ask_raw(&array).await;
            assert_eq!(client.answer(ack).await["error"]["status"], status, "{depth} of {}", &array[..24]);
        }
        // Who has not been let in can say little.
        let depth = depth.min(4000);
        let refused = world.client().auth(&format!("{{\"token\":{}}}", nested(depth))).connect().await.err();
        assert_eq!(refused.as_deref(), Some("the token is not valid"), "{depth}");
    }
    check_works(&mut client).await;
}

async fn check_works(client: &mut Client) {
    assert_eq!(client.call("sync", json!({ "chats": {} })).await["ok"], true);
}

#[tokio::test]
async fn who_has_not_been_let_in_can_say_little() {
    let world = World::new().await;
    let ann = world.person(1).await;
    // An answer that nobody waits for is passed over, so that nothing else than its size counts.
    let packet = format!("43/nowhere,1[\"{}\"]", "x".repeat(5000));
    let mut client = Connecting::to(world.address).auth("/nowhere,{}").open().await;
    for _ in 0..3 {
        client.send(packet.clone()).await;
    }
    client.send_part(packet.clone(), true, true).await;
    client.closed().await;

    let (session, _) = opened(&world).await;
    let post = async |body: String| Http::new().post(&session).body(body).send().await.unwrap().status();
    for _ in 0..3 {
        assert_eq!(post(packet.clone()).await, StatusCode::OK);
    }
    assert_eq!(post(packet.clone()).await, StatusCode::PAYLOAD_TOO_LARGE);

    // Who has been let in can say more.
    let mut client = world.connect(&ann).await;
    for _ in 0..10 {
        client.send(packet.clone()).await;
    }
    check_works(&mut client).await;
}

#[tokio::test]
async fn a_connection_over_which_nobody_is_let_in_is_closed() {
    let world = World::new().await;
    let connect = r#"40{"token":"x.y.z"}"#;
    let mut stranger = Connecting::to(world.address).auth(connect.strip_prefix("40").unwrap()).open().await;
    let told = async {
        let mut refused = 0;
        loop {
            stranger.send_part(connect.to_owned(), true, true).await;
            // One that comes while the last one is being handled is passed over.
            match tokio::time::timeout(SHORT, stranger.packet()).await {
                Ok(Some(packet)) => refused += usize::from(packet.starts_with("44")),
                Ok(None) => return refused,
                Err(_) => {}
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(10), told).await.expect("the connection is closed");
    assert!((7..=8).contains(&refused), "{refused}");
    // Over polling as well.
    let (session, _) = opened(&world).await;
    let closed = async {
        while Http::new().post(&session).body(connect).send().await.unwrap().status() == StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the session ends");
}
