//! Sending once, in order, and catching up.

use serde_json::{Value, json};

use crate::support::{Client, World};

fn message(chat: impl serde::Serialize, content: &str, client_id: Option<&str>) -> Value {
    json!({ "message": { "chat_id": chat, "content": content, "message_type": "text", "client_id": client_id } })
}

#[tokio::test]
async fn a_socket_is_told_that_it_is_ready_and_of_which_database() {
    let world = World::new().await;
    let ann = world.person(1).await;
    let client = world.connect(&ann).await;
    let expected = json!({
        "user_id": ann.id, "session_id": ann.session, "epoch": "memory", "expires_at": "2026-01-01T01:00:00.000000Z",
    });
    assert_eq!(client.ready, expected);
}

#[tokio::test]
async fn a_client_id_is_for_the_devices_of_the_sender_and_stands_for_one_message() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut phone, mut laptop, mut other) =
        (world.connect(&ann).await, world.connect(&ann).await, world.connect(&bob).await);
    let sent = phone.call("send_message", message(chat, "once", Some("a-1"))).await;
    assert_eq!((&sent["duplicate"], &sent["message"]["client_id"]), (&json!(false), &json!("a-1")));
    assert_eq!(laptop.event().await.1["client_id"], "a-1");
    assert_eq!(other.event().await.1.get("client_id"), None);

    for device in [&mut phone, &mut laptop] {
        let again = device.call("send_message", message(chat, "once", Some("a-1"))).await;
        assert_eq!((&again["duplicate"], &again["message"]), (&json!(true), &sent["message"]));
    }
    for client in [&mut phone, &mut laptop, &mut other] {
        assert_eq!(client.events().await, [], "nothing happened the second time");
    }
    let liked = other.call("toggle_like_message", json!({ "message": { "id": sent["message"]["id"] } })).await;
    let again = phone.call("send_message", message(chat, "once", Some("a-1"))).await;
    let told = &again["message"];
    assert_eq!((&told["version"], &told["likes_array"][0]["id"]), (&liked["version"], &json!(bob.id)));
    for (id, field) in [("a-1", "message.client_id"), ("", "message.client_id"), ("a b", "message.client_id")] {
        let refused = phone.call("send_message", message(chat, "else", Some(id))).await;
        assert_eq!(
            (&refused["error"]["status"], &refused["error"]["errors"][0]["field"]),
            (&json!(422), &json!(field))
        );
    }
}

/// What a client hears of a chat's versions, events and acknowledgements alike, in the order in which it comes.
async fn versions(client: &mut Client, count: usize) -> Vec<i64> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let packet = client.packet().await.expect("a packet");
        let (_, body) = packet.split_at(packet.find('[').expect("arguments"));
        let arguments: Value = serde_json::from_str(body).expect("JSON");
        let told =
            if packet.starts_with("43") { &arguments[0]["message"]["version"] } else { &arguments[1]["version"] };
        heard.push(told.as_i64().unwrap_or_else(|| panic!("no version: {packet}")));
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_acknowledgements_come_in_the_order_of_versions() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let (mut phone, mut laptop, mut other) =
        (world.connect(&ann).await, world.connect(&ann).await, world.connect(&bob).await);
    for n in 0..100 {
        phone.ask("send_message", &message(chat, "from a phone", None)).await;
        other.ask("send_message", &message(chat, "from another", Some(&n.to_string()))).await;
    }
    for client in [&mut phone, &mut laptop, &mut other] {
        assert_eq!(versions(client, 200).await, (2..=201).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_client_that_was_away_catches_up() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let chat = world.group(&[&ann, &bob]).await;
    let first = world.message(chat, &ann).await;
    let mut client = world.connect(&bob).await;
    let all = client.call("sync", json!({})).await;
    assert_eq!(
        (&all["ok"], &all["reset"], &all["more"], &all["gone"], &all["pinned"]),
        (&json!(true), &json!(false), &json!(false), &json!([]), &json!([]))
    );
    assert_eq!((&all["epoch"], &all["chats"][0]["version"]), (&client.ready["epoch"], &json!(2)));
    assert_eq!(all["chats"][0]["chat"]["members_array"].as_array().map(Vec::len), Some(2));
    assert_eq!(all["chats"][0]["messages"][0]["id"], json!(first));
    client.leave().await;

    world.say(&ann, chat, "while you were away").await;
    let mut client = world.connect(&bob).await;
    let known = json!({ "chats": { chat.to_string(): 2, "999999": 7 }, "epoch": all["epoch"] });
    let rest = client.call("sync", known).await;
    assert_eq!((&rest["chats"][0]["chat"], &rest["chats"][0]["version"]), (&Value::Null, &json!(3)));
    assert_eq!(rest["chats"][0]["messages"][0]["content"], "while you were away");
    assert_eq!(rest["gone"], json!([999_999]));

    for (payload, field) in [
        (json!({ "limit": 0 }), "limit"),
        (json!({ "limit": 1001 }), "limit"),
        (json!({ "chats": { "1": -1 } }), "chats.1"),
        (json!({ "chats": [] }), "chats"),
        (json!({ "chats": { "x": 1 } }), "chats.x"),
        (json!({ "chats": { "1": "x" } }), "chats.1"),
        (json!({ "epoch": 1 }), "epoch"),
    ] {
        let refused = client.call("sync", payload.clone()).await;
        let field_at_fault = &refused["error"]["errors"][0]["field"];
        assert_eq!((&refused["error"]["status"], field_at_fault), (&json!(422), &json!(field)), "{payload}: {refused}");
    }
}

/// A socket that lacks the room of a chat, since nobody told it that the chat was created, is in it once it has synced.
#[tokio::test]
async fn a_sync_brings_the_socket_into_the_rooms_of_all_its_chats() {
    let world = World::new().await;
    let (ann, bob) = (world.person(1).await, world.person(2).await);
    let (mut client, mut other) = (world.connect(&ann).await, world.connect(&bob).await);
    let chat = world.group(&[&ann, &bob]).await;
    let foreign = world.group(&[&bob]).await;
    world.say(&bob, chat, "nobody hears this").await;
    assert_eq!(client.events().await, []);
    let page = client.call("sync", json!({})).await;
    assert_eq!((&page["chats"][0]["id"], &page["chats"][0]["version"]), (&json!(chat), &json!(2)));
    world.say(&bob, foreign, "not hers").await;
    world.say(&bob, chat, "heard").await;
    let (name, payload) = client.event().await;
    assert_eq!((name.as_str(), &payload["content"], &payload["version"]), ("new_message", &json!("heard"), &json!(3)));
    // So is one that knew all of the chat from elsewhere, which is not in the answer then.
    let known = other.call("sync", json!({ "chats": { chat.to_string(): 3, foreign.to_string(): 2 } })).await;
    assert_eq!(known["chats"], json!([]));
    world.say(&ann, chat, "heard by both").await;
    assert_eq!(other.event().await.1["content"], "heard by both");
}
