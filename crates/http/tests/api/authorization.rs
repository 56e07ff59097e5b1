//! Who may do what, in one table that must have every operation.

use std::collections::BTreeSet;

use mango_testkit::build;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::OPERATIONS;
use crate::support::{PASSWORD, Server};

/// What the callers get: nobody, the one whom it concerns, and another user.
struct Row {
    operation: &'static str,
    anonymous: u16,
    owner: u16,
    other: u16,
}

const fn row(operation: &'static str, anonymous: u16, owner: u16, other: u16) -> Row {
    Row { operation, anonymous, owner, other }
}

/// Everything there is. In paths, `{id}` is the owner's, that of another session of the owner's, or that of a chat that only the owner is in.
const TABLE: &[Row] = &[
    row("POST /user/create", 422, 422, 422),
    row("POST /auth/login", 401, 401, 401),
    row("POST /user/login", 401, 401, 401),
    row("POST /auth/refresh", 401, 401, 401),
    row("POST /user/refresh", 401, 401, 401),
    row("POST /auth/logout", 401, 204, 204),
    row("GET /auth/sessions", 401, 200, 200),
    row("DELETE /auth/sessions", 401, 204, 204),
    row("DELETE /auth/sessions/{id}", 401, 204, 404),
    row("GET /user/me", 401, 200, 200),
    row("GET /user/{id}", 401, 200, 200),
    row("PATCH /user/{id}", 401, 202, 403),
    row("POST /user/photo_to_base64", 415, 415, 415),
    row("GET /chat", 401, 200, 200),
    row("GET /chat/pinned", 401, 200, 200),
    row("GET /chat/{id}", 401, 200, 404),
    row("GET /message/{chat_id}", 401, 200, 404),
    row("POST /message/{chat_id}", 401, 201, 404),
    row("POST /sync", 401, 200, 200),
    row("GET /static/{photo}/{file}", 404, 404, 404),
    row("GET /healthz", 200, 200, 200),
    row("GET /readyz", 200, 200, 200),
    row("GET /metrics", 200, 200, 200),
];

/// The bodies of operations that take one. Those that are open to all get what is refused for its own reason.
fn body(operation: &str) -> Option<Value> {
    match operation {
        "PATCH /user/{id}" | "POST /user/create" | "POST /auth/refresh" | "POST /user/refresh" => Some(json!({})),
        "POST /auth/login" | "POST /user/login" => Some(json!({"username": "nobody", "password": PASSWORD})),
        "POST /message/{chat_id}" => Some(json!({"content": "hello", "message_type": "text"})),
        "POST /sync" => Some(json!({"chats": {}})),
        _ => None,
    }
}

#[test]
fn every_operation_is_in_the_table() {
    let documented: BTreeSet<&str> = OPERATIONS.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = TABLE.iter().map(|row| row.operation).collect();
    assert_eq!(listed, documented);
    assert_eq!(listed.len(), TABLE.len(), "an operation is listed twice");
}

#[actix_web::test]
async fn every_operation_answers_as_the_table_says() {
    for Row { operation, anonymous, owner, other } in TABLE {
        let server = Server::start().await;
        let (ann, eve) = (server.account(1).await, server.account(2).await);
        let chat = server.group(&ann, &[], 1).await;
        let (method, template) = operation.split_once(' ').unwrap();
        let id = match template.split('/').nth(1) {
            Some("user") => ann.id.get(),
            Some("auth") => build::session(&server.memory.stores(), ann.id, 1).await.get(),
            _ => chat.get(),
        };
        let id = id.to_string();
        let photo = build::photo(1);
        let path = template.replace("{id}", &id).replace("{chat_id}", &id).replace("{photo}", photo.as_str());
        let path = path.replace("{file}", "original.jpeg");
        for (caller, expected) in [(None, anonymous), (Some(&ann), owner), (Some(&eve), other)] {
            let mut request = server.request(Method::from_bytes(method.as_bytes()).unwrap(), &path);
            if let Some(caller) = caller {
                request = request.bearer_auth(&caller.access);
            }
            if let Some(body) = body(operation) {
                request = request.json(&body);
            }
            let answer = server.send(request).await;
            let caller = caller.map(|caller| caller.id);
            assert_eq!(answer.status, *expected, "{operation} by {caller:?}: {}", answer.text());
        }
    }
}
