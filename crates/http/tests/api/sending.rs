//! Sending messages and catching up without a socket.

use std::collections::BTreeMap;

use mango_domain::model::{MessageId, SyncRequest};
use mango_domain::ports::Likes as _;
use mango_testkit::build::{group, moment, unheard};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Account, Answer, Server};

async fn send(
    server: &Server,
    sender: &Account,
    chat: impl std::fmt::Display,
    key: Option<&str>,
    body: &Value,
) -> Answer {
    let mut request = server.request(Method::POST, &format!("/message/{chat}")).bearer_auth(&sender.access).json(body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    server.send(request).await
}

#[actix_web::test]
async fn a_message_is_sent_once_however_often_it_is_posted() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let chat = server.group(&ann, &[&bob], 0).await;
    let named = json!({"content": "hi", "message_type": "text", "client_id": "k"});
    let plain = json!({"content": "hi", "message_type": "text"});
    let first = send(&server, &ann, chat, None, &named).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let message = first.json();
    assert_eq!((&message["seq"], &message["client_id"], &message["content"]), (&json!(1), &json!("k"), &json!("hi")));
    for (key, body) in
        [(None, &named), (Some("k"), &plain), (Some("k"), &named), (Some("\"k\""), &plain), (Some("\"k\""), &named)]
    {
        let again = send(&server, &ann, chat, key, body).await;
        assert_eq!((again.status, again.json()), (200, message.clone()), "{key:?} {body}");
    }
    for (key, body, field) in [
        (Some("k"), json!({"content": "else", "message_type": "text"}), "client_id"),
        (Some("l"), named.clone(), "Idempotency-Key"),
        (Some("a b"), plain.clone(), "Idempotency-Key"),
        (Some("\"\""), plain.clone(), "Idempotency-Key"),
        (Some("\"\"k\"\""), named.clone(), "Idempotency-Key"),
        (None, json!({"content": "", "message_type": "text"}), "content"),
        (None, json!({"content": "x", "message_type": "smell"}), "message_type"),
        (None, json!({"content": "x", "message_type": "text", "client_id": ""}), "client_id"),
        (None, json!({"content": "x"}), "message_type"),
    ] {
        send(&server, &ann, chat, key, &body).await.assert_fields(&[field]);
    }
    for keys in [["k", "k"], ["k", "l"]] {
        let request = server.request(Method::POST, &format!("/message/{chat}")).bearer_auth(&ann.access);
        let request = request.header("idempotency-key", keys[0]).header("idempotency-key", keys[1]);
        server.send(request.json(&plain)).await.assert_fields(&["Idempotency-Key"]);
    }
    send(&server, &ann, 999_999, None, &plain).await.assert_problem(404, "not-found");
    let history = server.get_as(&bob, &format!("/message/{chat}")).await.json();
    assert_eq!((history.as_array().map(Vec::len), history[0].get("client_id")), (Some(1), None));
    // What comes of a message meanwhile is in the answer.
    let id = MessageId::new(message["id"].as_i64().unwrap());
    server.memory.store.toggle(id, bob.id, moment(5), unheard()).await.unwrap().unwrap();
    let own = server.get_as(&ann, &format!("/message/{chat}")).await.json();
    assert_eq!((&own[0]["client_id"], &own[0]["likes_array"][0]["id"]), (&json!("k"), &json!(bob.id)));
    assert_eq!(send(&server, &ann, chat, Some("k"), &plain).await.json(), own[0]);
    assert_eq!(send(&server, &bob, chat, Some("k"), &plain).await.status, 201, "that of another user");
}

#[actix_web::test]
async fn what_changed_can_be_asked_for() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let chat = server.group(&ann, &[&bob], 3).await;
    let listed = server.get_as(&bob, "/chat").await.json();
    assert_eq!(listed[0]["version"], 4);
    let sync = async |payload: Value| {
        server.send(server.request(Method::POST, "/sync").bearer_auth(&bob.access).json(&payload)).await
    };
    let all = sync(json!({})).await.json();
    assert_eq!((&all["chats"][0]["version"], &all["chats"][0]["chat"]["id"]), (&json!(4), &json!(chat)));
    assert_eq!(all["chats"][0]["messages"].as_array().map(Vec::len), Some(3));
    let rest = sync(json!({"chats": {chat.to_string(): 3}, "epoch": all["epoch"]})).await.json();
    assert_eq!(rest["chats"][0]["messages"].as_array().map(Vec::len), Some(1));
    let reset = sync(json!({"chats": {chat.to_string(): 9}})).await.json();
    assert_eq!((&reset["reset"], &reset["chats"]), (&json!(true), &all["chats"]));
    sync(json!({"limit": 0})).await.assert_fields(&["limit"]);
    for spelled in ["01", "+1", "-0", "1.0", " 1", ""] {
        let answer = sync(json!({"chats": {"1": 4, spelled: 1}})).await;
        assert_eq!(answer.status, 422, "{spelled:?}: {}", answer.text());
    }
}

/// A user can be put into any number of chats by others, so a client can ask about more of them than it may name at once. It comes to know all
/// of them, and then that there is nothing new.
#[actix_web::test]
async fn more_chats_than_may_be_named_are_asked_about_in_parts() {
    const CHATS: usize = SyncRequest::MAX_KNOWN + 300;
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let stores = server.memory.stores();
    for _ in 0..CHATS {
        group(ann.id, &[bob.id]).add(&stores).await;
    }
    let sync = async |payload: &Value| {
        server.send(server.request(Method::POST, "/sync").bearer_auth(&bob.access).json(payload)).await
    };
    let mut known: BTreeMap<i64, i64> = BTreeMap::new();
    for told in [CHATS, 0] {
        let (mut after, mut news) = (Some(0), 0);
        while let Some(from) = after {
            let named: BTreeMap<i64, i64> = known.range(from + 1..).map(|(id, version)| (*id, *version)).collect();
            let named: BTreeMap<i64, i64> = named.into_iter().take(SyncRequest::MAX_KNOWN).collect();
            let until = (named.len() == SyncRequest::MAX_KNOWN).then(|| *named.keys().next_back().unwrap());
            let page = sync(&json!({"chats": named, "chats_after": from, "chats_until": until})).await;
            assert_eq!(page.status, 200, "{}", page.text());
            let page = page.json();
            assert_eq!((&page["reset"], &page["gone"]), (&json!(false), &json!([])));
            let chats = page["chats"].as_array().unwrap();
            known.extend(chats.iter().map(|chat| (chat["id"].as_i64().unwrap(), chat["version"].as_i64().unwrap())));
            news += chats.len();
            after = if page["more"] == true { chats.last().map(|chat| chat["id"].as_i64().unwrap()) } else { until };
        }
        assert_eq!((known.len(), news), (CHATS, told));
    }
    let all = sync(&json!({"chats": known})).await;
    all.assert_fields(&["chats"]);
    assert!(all.text().contains("chats_after"), "it says what to do: {}", all.text());
    sync(&json!({"chats": {"7": 1}, "chats_after": 7})).await.assert_fields(&["chats.7"]);
    sync(&json!({"chats": {"7": 1}, "chats_until": 6})).await.assert_fields(&["chats.7"]);
}
