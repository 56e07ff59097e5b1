//! Events that are not as they should be: each is answered with a problem, and none ends the socket.

use serde_json::{Value, json};

use crate::support::{Client, World, text_message};

async fn client() -> (World, Client) {
    let world = World::new().await;
    let ann = world.person(1).await;
    let client = world.connect(&ann).await;
    (world, client)
}

/// Asks with this array of name and arguments, and checks the field that the answer names.
async fn check(client: &mut Client, array: &str, field: &str) {
    let ack = client.ask_raw(array).await;
    check_answer(client, ack, array, field).await;
}

async fn check_answer(client: &mut Client, ack: u64, sent: &str, field: &str) {
    let answer = client.answer(ack).await;
    assert_eq!(answer["ok"], false, "{sent}: {answer}");
    assert_eq!(answer["error"]["status"], 422, "{sent}: {answer}");
    assert_eq!(answer["error"]["type"], "urn:mango:problem:validation", "{sent}: {answer}");
    assert_eq!(answer["error"]["errors"][0]["field"], field, "{sent}: {answer}");
    assert!(!answer["error"]["errors"][0]["message"].as_str().unwrap().is_empty(), "{sent}: {answer}");
}

const EVENTS: [&str; 5] = ["create_chat", "send_message", "toggle_like_message", "toggle_chat_pin", "authenticate"];

#[tokio::test]
async fn an_argument_of_another_kind_than_an_object_is_refused() {
    let (_world, mut client) = client().await;
    for event in EVENTS {
        for argument in ["null", "true", "0", "-1.5", "1e400", "\"text\"", "[]", "[1,2,3]", "[{\"id\":1}]"] {
            check(&mut client, &format!("[\"{event}\",{argument}]"), "").await;
        }
        check(&mut client, &format!("[\"{event}\"]"), "").await;
        check(&mut client, &format!("[\"{event}\",{{}},{{}}]"), "").await;
        check(&mut client, &format!("[\"{event}\",{{}},null]"), "").await;
    }
}

#[tokio::test]
async fn a_field_that_is_missing_or_of_a_wrong_kind_is_named() {
    let (_world, mut client) = client().await;
    let good = [
        ("create_chat", json!({ "chat": { "name": "x", "is_group": true, "members_array": [] } })),
        ("send_message", text_message(1, "x")),
        ("toggle_like_message", json!({ "message": { "id": 1 } })),
        ("toggle_chat_pin", json!({ "chat": { "id": 1 } })),
    ];
    for (event, payload) in good {
        let outer = payload.as_object().unwrap().keys().next().unwrap();
        check(&mut client, &json!([event, {}]).to_string(), outer).await;
        for kind in [json!(null), json!(true), json!(1), json!("x"), json!([])] {
            check(&mut client, &json!([event, { outer: kind }]).to_string(), outer).await;
        }
        for inner in payload[outer].as_object().unwrap().keys() {
            let path = format!("{outer}.{inner}");
            let mut without = payload.clone();
            without[outer].as_object_mut().unwrap().remove(inner);
            // A name may be absent.
            if path != "chat.name" {
                check(&mut client, &json!([event, without]).to_string(), &path).await;
            }
            for kind in wrong_for(&path) {
                let mut wrong = payload.clone();
                wrong[outer][inner] = kind;
                check(&mut client, &json!([event, wrong]).to_string(), &path).await;
            }
        }
    }
    check(&mut client, "[\"authenticate\",{}]", "token").await;
    for kind in [json!(null), json!(true), json!(1), json!([]), json!({})] {
        check(&mut client, &json!(["authenticate", { "token": kind }]).to_string(), "token").await;
    }
    let members = json!(["create_chat", { "chat": { "name": "x", "is_group": true, "members_array": [1, "2"] } }]);
    check(&mut client, &members.to_string(), "chat.members_array[1]").await;
}

/// A value of every kind that does not fit a field.
fn wrong_for(path: &str) -> Vec<Value> {
    let all = [json!(null), json!(true), json!(1), json!(1.5), json!("x"), json!([]), json!({})];
    let fits = |value: &Value| match path {
        "chat.name" => value.is_string() || value.is_null(),
        "message.content" => value.is_string(),
        "message.message_type" => value.is_string(),
        "chat.is_group" => value.is_boolean(),
        "chat.members_array" => value.is_array(),
        _ => value.is_i64(),
    };
    all.into_iter().filter(|value| !fits(value)).collect()
}

#[tokio::test]
async fn odd_json_is_read_as_json_is() {
    let (_world, mut client) = client().await;
    let deep = format!("[\"toggle_chat_pin\",{{\"chat\":{}1{}}}]", "[".repeat(5000), "]".repeat(5000));
    let table = [
        ("[\"toggle_chat_pin\",{\"chat\":{\"id\":9223372036854775808}}]", "chat.id"),
        ("[\"toggle_chat_pin\",{\"chat\":{\"id\":1e3}}]", "chat.id"),
        ("[\"toggle_chat_pin\",{\"chat\":{\"id\":1,\"id\":2}}]", "chat.id"),
        ("[\"toggle_chat_pin\",{\"chat\":[1]}]", "chat"),
        ("[\"toggle_chat_pin\",{\"chat\":{\"id\":\"\\ud800\"}}]", "chat.id"),
        (deep.as_str(), "chat"),
    ];
    for (array, field) in table {
        check(&mut client, array, field).await;
    }
    // Escapes in keys and white space between tokens are the same to JSON; unknown keys do not matter.
    let array = " [ \"toggle_chat_pin\" , { \"more\" : [ ] , \"\\u0063hat\" : { \"id\" : 999999 } } ] ";
    let ack = client.ask_raw(array.trim_start()).await;
    assert_eq!(client.answer(ack).await["error"]["status"], 404);
}

#[tokio::test]
async fn attachments_are_refused_where_they_stand() {
    let (_world, mut client) = client().await;
    let place = "{\"_placeholder\":true,\"num\":0}";
    let table = [
        (format!("[\"send_message\",{place}]"), "message"),
        (format!("[\"send_message\",{{\"message\":{place}}}]"), "message.chat_id"),
        (
            format!(
                "[\"send_message\",{{\"message\":{{\"chat_id\":1,\"content\":{place},\"message_type\":\"image\"}}}}]"
            ),
            "message.content",
        ),
        (format!("[\"authenticate\",{{\"token\":{place}}}]"), "token"),
        (format!("[\"toggle_chat_pin\",{{\"chat\":{{\"id\":1}}}},{place}]"), ""),
    ];
    for (array, field) in table {
        let ack = client.next_ack();
        client.send(format!("451-{ack}{array}")).await;
        client.send_binary(b"\x00\x01\x02").await;
        check_answer(&mut client, ack, &array, field).await;
    }
}

#[tokio::test]
async fn an_event_that_there_is_not_is_refused() {
    let (_world, mut client) = client().await;
    for event in ["", "unknown", "new_message", "connect", "disconnect", "Send_Message"] {
        let answer = client.call(event, json!({})).await;
        assert_eq!(answer["error"]["status"], 404, "{event}: {answer}");
        assert_eq!(answer["error"]["detail"], "there is no such event; docs/events.md lists them", "{event}");
    }
}

#[tokio::test]
async fn who_does_not_speak_the_protocol_ends_their_own_connection_alone() {
    let (world, mut bystander) = client().await;
    let bob = world.person(2).await;
    for frame in ["42[\"send_message\",{]", "42", "42{}", "42[1]", "49", "x", "4", "452-[\"a\"]"] {
        let mut client = world.connect(&bob).await;
        client.send(frame).await;
        if frame == "452-[\"a\"]" {
            client.send("42[\"a\"]").await;
        }
        client.closed().await;
        assert_eq!(world.departure().await.0, bob.id, "{frame}");
    }
    assert_eq!(bystander.events().await, []);
}
