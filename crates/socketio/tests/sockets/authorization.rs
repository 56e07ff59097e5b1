//! What somebody may do who is no member of a chat: nothing, and without learning that it exists.

use std::collections::BTreeSet;

use mango_contract::catalogue::{Direction, EVENTS};
use serde_json::{Value, json};

use crate::support::{World, text_message};

#[tokio::test]
async fn a_stranger_can_do_nothing_with_any_event() {
    let world = World::new().await;
    let (ann, bob, eve) = (world.person(1).await, world.person(2).await, world.person(3).await);
    let chat = world.group(&[&ann, &bob]).await;
    let message = world.message(chat, &ann).await;
    let not_found = |answer: &Value| answer["error"]["status"] == 404;
    let forbidden = |answer: &Value| answer["error"]["status"] == 403;
    // Everybody may create chats, and is always a member of what they create: never of a chat of others.
    let own_only = |answer: &Value| answer["chat"]["members_array"][1]["id"] == json!(eve.id);
    type Check<'a> = &'a dyn Fn(&Value) -> bool;
    // What is not theirs is gone, as what never was.
    let gone = |answer: &Value| answer["gone"] == json!([chat]) && answer["chats"][0]["messages"] == json!([]);
    let table: [(&str, Value, Check<'_>); 6] = [
        ("create_chat", json!({ "chat": { "is_group": false, "members_array": [ann.id] } }), &own_only),
        ("send_message", text_message(chat, "x"), &not_found),
        ("toggle_like_message", json!({ "message": { "id": message } }), &not_found),
        ("toggle_chat_pin", json!({ "chat": { "id": chat } }), &not_found),
        ("sync", json!({ "chats": { chat.to_string(): 1 } }), &gone),
        ("authenticate", json!({ "token": ann.token }), &forbidden),
    ];
    let tried: BTreeSet<&str> = table.iter().map(|(event, ..)| *event).collect();
    let sent = EVENTS.iter().filter(|event| matches!(event.direction, Direction::FromClient { .. }));
    assert_eq!(tried, sent.map(|event| event.name).collect(), "every event of clients is tried");

    let mut member = world.connect(&bob).await;
    let mut stranger = world.connect(&eve).await;
    for (event, payload, expected) in table {
        let answer = stranger.call(event, payload).await;
        assert!(expected(&answer), "{event}: {answer}");
    }
    assert_eq!(member.events().await, [], "nothing happened in the chat");
    let unknown = text_message(999_999, "x");
    let known = text_message(chat, "x");
    let (unknown, known) = (stranger.call("send_message", unknown).await, stranger.call("send_message", known).await);
    assert_eq!(unknown, known, "a chat of others looks like one that does not exist");
}
