//! Who is let in, and that nothing is missed meanwhile.

use std::sync::Arc;

use mango_domain::model::{ChatKind, ChatName};
use mango_domain::ports::Departure;
use mango_domain::usecases::Ports;
use mango_domain::usecases::create_chat::ChatRequest;
use serde_json::json;

use crate::support::{Connecting, Gate, HeldChats, World, limits};

#[tokio::test]
async fn a_token_is_taken_from_each_of_three_places_in_their_order() {
    let world = World::new().await;
    let token = world.person(1).await.token;
    let bearer = format!("Bearer {token}");
    let new = || world.client();
    let good = [
        ("payload", new().payload(&token)),
        ("auth header", new().header("auth", &token)),
        ("bearer", new().header("authorization", &bearer)),
        ("bearer in small letters", new().header("authorization", &bearer.to_lowercase())),
        ("payload before headers", new().payload(&token).header("auth", "bad").header("authorization", "Bearer bad")),
        ("auth before bearer", new().header("auth", &token).header("authorization", "Bearer bad")),
        ("null is no token", new().auth("{\"token\":null}").header("auth", &token)),
        ("empty is no token", new().payload("").header("auth", "").header("authorization", &bearer)),
        ("other keys do not matter", new().auth("{\"locale\":\"nl\"}").header("auth", &token)),
    ];
    for (case, client) in good {
        assert_eq!(client.connect().await.err(), None, "{case}");
    }
}

#[tokio::test]
async fn who_has_no_good_token_is_told_why_and_kept_out() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let old = world.token(ann.id, ann.session, -1);
    let foreign = world.token(ann.id, bob.session, 60);
    world.use_cases.log_out.run(&bob.principal(&world), None).await.unwrap();
    let new = || world.client();
    let query = |key: &str| format!("/ws/socket.io/?EIO=4&transport=websocket&{key}={}", ann.token);
    let (missing, malformed) = ("an access token is needed", "the token is not valid");
    let ended = "the session has ended, log in again";
    let table = [
        ("nothing", new(), missing),
        ("query token", Connecting::at(world.address, &query("token")), missing),
        ("query auth", Connecting::at(world.address, &query("auth")), missing),
        (
            "cookie",
            new().header("cookie", &format!("refresh_token={0}; access_token={0}; token={0}", ann.token)),
            missing,
        ),
        ("basic", new().header("authorization", "Basic YTpi"), missing),
        ("garbage", new().payload("garbage"), malformed),
        ("bad payload before good header", new().payload("garbage").header("auth", &ann.token), malformed),
        ("number", new().auth("{\"token\":1}").header("auth", &ann.token), malformed),
        ("list", new().auth("[1]"), missing),
        ("broken JSON", new().auth("{\"token\":"), malformed),
        ("expired", new().payload(&old), "the token has expired"),
        ("ended session", new().payload(&bob.token), ended),
        ("session of another", new().payload(&foreign), ended),
    ];
    for (case, client, reason) in table {
        assert_eq!(client.connect().await.err().as_deref(), Some(reason), "{case}");
        assert!(!world.is_online(&ann).await, "{case}");
    }
}

#[tokio::test]
async fn a_refused_client_may_try_again_on_the_same_connection() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let mut client = world.client().open().await;
    assert_eq!(client.packet().await.as_deref(), Some("44{\"message\":\"an access token is needed\"}"));
    client.send(format!("40{}", json!({ "token": ann.token }))).await;
    assert!(client.packet().await.unwrap().starts_with("40"));
    assert_eq!(client.event().await.0, "ready");
    assert_eq!(client.events().await, []);
}

#[tokio::test]
async fn when_the_store_fails_nobody_is_let_in_and_nobody_stays_online() {
    let world = World::new().await;
    let ann = world.person(1).await;
    for operation in ["check session", "note last seen", "list chat ids"] {
        world.memory.store.fail_next(operation);
        let refusal = world.client().payload(&ann.token).connect().await.err();
        assert_eq!(refusal.as_deref(), Some("the server could not do this"), "{operation}");
        assert!(!world.is_online(&ann).await, "{operation}");
    }
    let mut client = world.connect(&ann).await;
    assert_eq!(client.events().await, []);
}

#[tokio::test]
async fn what_is_emitted_the_moment_one_is_connected_is_handled() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let chat = world.group(&[&ann]).await;
    for n in 1..=20 {
        let mut client = world.client().payload(&ann.token).open().await;
        assert!(client.packet().await.unwrap().starts_with("40"));
        let message = json!({ "chat_id": chat, "content": "now", "message_type": "text" });
        let answer = client.call("send_message", json!({ "message": message })).await;
        assert_eq!(answer["message"]["seq"], n);
    }
}

async fn held() -> (World, Gate) {
    let gate = Gate::closed();
    let options = limits();
    let chats = |ports: Ports| Arc::new(HeldChats(ports.chats, gate.clone()));
    let world = World::with(options, |ports| Ports { chats: chats(ports.clone()), ..ports }).await;
    (world, gate)
}

#[tokio::test]
async fn a_chat_that_is_created_while_one_is_being_let_in_is_not_missed() {
    let (world, gate) = held().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let mut client = world.client().payload(&ann.token).open().await;
    gate.arrivals(1).await;
    let request = ChatRequest {
        name: Some(ChatName::parse("Just now").unwrap()),
        kind: ChatKind::Group,
        members: vec![ann.id],
        origin: None,
    };
    let chat = world.use_cases.create_chat.run(&bob.principal(&world), request).await.unwrap().record.id;
    gate.let_through(1);
    assert!(client.packet().await.unwrap().starts_with("40"));
    assert_eq!(client.event().await.0, "ready");
    world.say(&bob, chat, "hello").await;
    let (name, payload) = client.event().await;
    assert_eq!((name.as_str(), &payload["content"]), ("new_message", &json!("hello")));
}

#[tokio::test]
async fn a_session_that_ends_while_one_is_being_let_in_is_noticed() {
    let (world, gate) = held().await;
    let ann = world.person(1).await;
    let mut client = world.client().payload(&ann.token).open().await;
    gate.arrivals(1).await;
    world.use_cases.log_out.run(&ann.principal(&world), None).await.unwrap();
    gate.let_through(1);
    assert!(client.packet().await.unwrap().starts_with("40"));
    client.disconnected("session_ended").await;
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_being_let_in_does_not_stay_online() {
    let (world, gate) = held().await;
    let ann = world.person(1).await;
    let client = world.client().payload(&ann.token).open().await;
    gate.arrivals(1).await;
    assert!(world.is_online(&ann).await);
    drop(client);
    gate.let_through(1);
    assert_eq!(world.departure().await, (ann.id, Departure::Last));
}
