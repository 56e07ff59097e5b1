//! The ids of others' chats, messages, users and sessions, tried by everybody whom they do not concern, in every place of every
//! operation and event that takes an id. What is foreign must look like what does not exist.
//!
//! The places come from the OpenAPI document that the server serves and from the catalogue of events; a new one fails the tests
//! until it is listed here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use mango_contract::catalogue::{Direction, EVENTS};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::{Socket, User};
use crate::support::Server;

/// No object has this id.
const UNKNOWN: i64 = 9_007_199_254_740_991;

/// What an id in a request names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Chat,
    Message,
    Session,
    User,
}

/// The places of operations that hold an id, what it names, and what becomes of one that is not the caller's. Logged-in users may look
/// each other up, so the ids of users are no secret.
const IDS: &[(&str, Object, u16)] = &[
    ("DELETE /auth/sessions/{id} path id", Object::Session, 404),
    ("GET /chat/{id} path id", Object::Chat, 404),
    ("GET /message/{chat_id} path chat_id", Object::Chat, 404),
    ("POST /message/{chat_id} path chat_id", Object::Chat, 404),
    ("POST /sync body chats.*", Object::Chat, 200),
    ("GET /user/{id} path id", Object::User, 200),
    ("PATCH /user/{id} path id", Object::User, 403),
];

/// What else requests hold: their names, in whatever operation. The name of a photo is random and tells who has it all.
const NO_IDS: &[&str] = &[
    "after",
    "before",
    // They say where to go on, and whether there is a chat of that id makes no difference.
    "chats_after",
    "chats_until",
    "client_id",
    "content",
    "current_password",
    "description",
    "device",
    "epoch",
    "file",
    "Idempotency-Key",
    "If-None-Match",
    "image",
    "limit",
    "message_type",
    "name",
    "password",
    "phone",
    "photo",
    "Range",
    "refresh_token",
    "username",
    "users_since",
];

/// An event with its payload as the catalogue has it, what its id names, and what becomes of one that is not the caller's.
type EventRow = (&'static str, &'static str, Option<(Object, u16)>);

/// All events of clients.
const EVENT_IDS: &[EventRow] = &[
    // Whoever may be looked up may be written to.
    ("create_chat", "{chat: {name, is_group, members_array: [user id]}}", Some((Object::User, 200))),
    ("send_message", "{message: {chat_id, content, message_type, client_id?}}", Some((Object::Chat, 404))),
    ("toggle_like_message", "{message: {id}}", Some((Object::Message, 404))),
    ("toggle_chat_pin", "{chat: {id}}", Some((Object::Chat, 404))),
    // The token of another user is refused whatever session it is of; `sockets` has that.
    ("authenticate", "{token}", None),
    (
        "sync",
        "{chats: {chat id: version}, chats_after?, chats_until?, epoch?, users_since?, limit?}",
        Some((Object::Chat, 200)),
    ),
];

#[tokio::test]
async fn every_place_of_every_operation_is_listed() {
    let server = Server::start(&[]);
    let document: Value = reqwest::get(format!("{}/openapi.json", server.url())).await.unwrap().json().await.unwrap();
    let listed: BTreeSet<&str> = IDS.iter().map(|(place, ..)| *place).collect();
    assert_eq!(listed.len(), IDS.len(), "a place is listed twice");
    let all = places(&document);
    assert!(all.len() > 30, "{all:?}");
    for place in &all {
        let name = place.rsplit([' ', '.']).next().unwrap();
        let free = NO_IDS.contains(&name);
        assert!(
            free != listed.contains(place.as_str()),
            "{place}: list it in IDS when it names an object, else in NO_IDS"
        );
    }
    let gone: Vec<_> = listed.iter().filter(|place| !all.contains(**place)).collect();
    assert!(gone.is_empty(), "{gone:?} are in no operation");
}

#[test]
fn every_event_is_listed_as_it_is() {
    let sent = EVENTS.iter().filter(|event| matches!(event.direction, Direction::FromClient { .. }));
    let sent: BTreeMap<&str, &str> = sent.map(|event| (event.name, event.payload)).collect();
    assert_eq!(EVENT_IDS.iter().map(|(name, payload, _)| (*name, *payload)).collect::<BTreeMap<_, _>>(), sent);
}

/// Every parameter and every field of a body, such as `PATCH /user/{id} body name`.
fn places(document: &Value) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let operation_name = format!("{} {path}", method.to_uppercase());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let (kind, name) = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
                places.insert(format!("{operation_name} {kind} {name}"));
            }
            for content in operation["requestBody"]["content"].as_object().into_iter().flat_map(|all| all.values()) {
                fields(document, &content["schema"], &format!("{operation_name} body "), &mut places);
            }
        }
    }
    places
}

/// The leaves of a schema, behind a prefix.
fn fields(document: &Value, schema: &Value, prefix: &str, places: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(document, document.pointer(reference.trim_start_matches('#')).unwrap(), prefix, places);
    }
    let mut leaf = true;
    for either in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten()) {
        fields(document, either, prefix, places);
        leaf = false;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        fields(document, property, &format!("{prefix}{name}."), places);
        leaf = false;
    }
    for several in ["items", "additionalProperties"].iter().map(|key| &schema[*key]).filter(|inner| inner.is_object()) {
        fields(document, several, &format!("{prefix}*."), places);
        leaf = false;
    }
    if leaf && schema["type"] != "null" {
        places.insert(prefix.trim_end_matches('.').to_owned());
    }
}

/// A group with a message and a session, and those whom none of it concerns.
struct World {
    server: Server,
    owner: User,
    chat: i64,
    foreign: BTreeMap<Object, i64>,
    strangers: Vec<(&'static str, User)>,
}

impl World {
    async fn new(data: &Path) -> Self {
        let server = Server::start(&[("MANGO_DATA_DIR", data.to_str().unwrap())]);
        let url = server.url();
        let owner = User::sign_up(url, "+31612345601", None).await;
        let nobody = User::sign_up(url, "+31612345602", None).await;
        let former = User::sign_up(url, "+31612345603", None).await;
        let elsewhere = User::sign_up(url, "+31612345604", None).await;

        let group =
            |members: Vec<i64>| json!({"chat": {"name": "a group", "is_group": true, "members_array": members}});
        let mut socket = Socket::connect(url, &owner).await;
        let chat = socket.call("create_chat", group(vec![former.id])).await["chat"]["id"].as_i64().unwrap();
        let message =
            json!({"message": {"chat_id": chat, "content": "nobody else's business", "message_type": "text"}});
        let message = socket.call("send_message", message).await["message"]["id"].as_i64().unwrap();
        // Each of these two has been in a chat: one in this very one, and one in another.
        let mut member = Socket::connect(url, &former).await;
        assert_eq!(member.call("toggle_like_message", json!({"message": {"id": message}})).await["ok"], true);
        let mut other = Socket::connect(url, &elsewhere).await;
        assert_eq!(other.call("create_chat", group(vec![])).await["ok"], true);
        drop((socket, member, other));
        // There is no operation for leaving a chat, so the row goes by hand.
        let leave =
            format!("DELETE FROM members WHERE chat_id = {chat} AND user_id = {}; SELECT changes();", former.id);
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-cmd", ".timeout 10000"]).arg(data.join("mango.db")).arg(leave);
        let left = sqlite.output().unwrap_or_else(|error| panic!("sqlite3: {error}"));
        assert_eq!(String::from_utf8_lossy(&left.stdout).trim(), "1", "a member has left");

        let session = owner.get(url, "/auth/sessions").await[0]["id"].as_i64().unwrap();
        let foreign =
            [(Object::Chat, chat), (Object::Message, message), (Object::Session, session), (Object::User, owner.id)];
        let strangers = vec![("a stranger", nobody), ("an ex-member", former), ("a member of another chat", elsewhere)];
        Self { server, owner, chat, foreign: foreign.into(), strangers }
    }

    /// All that the owner can see of what is theirs.
    async fn state(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for path in ["/user/me".to_owned(), "/chat".to_owned(), format!("/message/{}", self.chat)] {
            state.push(self.owner.get(self.server.url(), &path).await);
        }
        // Whether somebody is there comes and goes by itself, and so does when a session was last used.
        state.iter_mut().for_each(forget_presence);
        let sessions = self.owner.get(self.server.url(), "/auth/sessions").await;
        state.push(sessions.as_array().unwrap().iter().map(|session| session["id"].clone()).collect());
        state
    }

    /// What an operation answers, as `(status, headers, body)`, with the id that was asked for taken out.
    async fn ask(&self, place: &str, caller: Option<&User>, id: i64) -> (u16, BTreeSet<(String, String)>, String) {
        let (operation, _) = place.rsplit_once(' ').and_then(|(rest, _)| rest.rsplit_once(' ')).unwrap();
        let (method, template) = operation.split_once(' ').unwrap();
        let path = template.replace("{id}", &id.to_string()).replace("{chat_id}", &id.to_string());
        let url = format!("{}{path}", self.server.url());
        let mut request = self.owner.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(caller) = caller {
            request = request.bearer_auth(&caller.access);
        }
        if method != "GET" {
            request = request.json(&match operation {
                "POST /message/{chat_id}" => json!({"content": "intruder", "message_type": "text"}),
                "POST /sync" => json!({"chats": {id.to_string(): 1}}),
                "PATCH /user/{id}" => json!({"name": "intruder"}),
                _ => json!({}),
            });
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        // The lists of CORS are in another order each time, and a connection is kept unless a body is still on its way.
        let varying = ["x-request-id", "date", "content-length", "access-control-expose-headers", "connection"];
        let headers = response.headers().iter().filter(|(name, _)| !varying.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        (status, headers, without(id, &response.text().await.unwrap()))
    }
}

fn forget_presence(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "online" && name != "last_seen_at");
            fields.values_mut().for_each(forget_presence);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_presence),
        _ => {}
    }
}

/// A body without the id that was asked for, which the caller knows anyway.
fn without(id: i64, body: &str) -> String {
    body.replace(&format!("[{id}]"), "[id]")
}

/// Tests that want sqlite3.
mod clients {
    use super::*;

    #[tokio::test]
    async fn in_every_operation_foreign_ids_look_like_unknown_ones() {
        let data = tempdir().unwrap();
        let world = World::new(data.path()).await;
        let before = world.state().await;
        for (place, object, expected) in IDS {
            let foreign = world.foreign[object];
            let unauthorized = world.ask(place, None, foreign).await;
            assert_eq!(unauthorized.0, 401, "{place} by nobody");
            assert_eq!(unauthorized, world.ask(place, None, UNKNOWN).await, "{place} by nobody");
            for (who, caller) in &world.strangers {
                let tried = world.ask(place, Some(caller), foreign).await;
                assert_eq!(tried.0, *expected, "{place} by {who}: {}", tried.2);
                if (*object, *expected) == (Object::User, 200) {
                    // Open to those who are logged in, but for the phone.
                    assert!(!tried.2.contains("\"phone\""), "{place} by {who}: {}", tried.2);
                    continue;
                }
                assert_eq!(tried, world.ask(place, Some(caller), UNKNOWN).await, "{place} by {who}");
                assert!(!tried.2.contains("business"), "{place} by {who}: {}", tried.2);
            }
        }
        assert_eq!(world.state().await, before, "nothing has changed");
    }

    #[tokio::test]
    async fn in_every_event_foreign_ids_look_like_unknown_ones() {
        let data = tempdir().unwrap();
        let world = World::new(data.path()).await;
        let before = world.state().await;
        let mut watcher = Socket::connect(world.server.url(), &world.owner).await;
        for (who, caller) in &world.strangers {
            let mut socket = Socket::connect(world.server.url(), caller).await;
            for (event, _, id) in EVENT_IDS {
                let Some((object, expected)) = id else { continue };
                let payload = |id: i64| match *event {
                    "send_message" => {
                        json!({"message": {"chat_id": id, "content": "intruder", "message_type": "text"}})
                    }
                    "toggle_like_message" => json!({"message": {"id": id}}),
                    "toggle_chat_pin" => json!({"chat": {"id": id}}),
                    "sync" => json!({"chats": {id.to_string(): 1}}),
                    "create_chat" => json!({"chat": {"is_group": false, "members_array": [id]}}),
                    _ => panic!("{event} has no payload here"),
                };
                if *object == Object::User {
                    // Tried at the end: it tells the owner.
                    continue;
                }
                let foreign = world.foreign[object];
                let tried = socket.call(event, payload(foreign)).await;
                let unknown = socket.call(event, payload(UNKNOWN)).await;
                assert_eq!(
                    tried["error"]["status"].as_u64().unwrap_or(200),
                    u64::from(*expected),
                    "{event} by {who}: {tried}"
                );
                assert_eq!(
                    without(foreign, &tried.to_string()),
                    without(UNKNOWN, &unknown.to_string()),
                    "{event} by {who}"
                );
                assert!(!tried.to_string().contains("business"), "{event} by {who}: {tried}");
            }
        }
        assert_eq!(world.state().await, before, "nothing has changed");
        // What the owner is told is what the owner has done on another socket, and nothing before it.
        let marker = json!({"message": {"chat_id": world.chat, "content": "marker", "message_type": "text"}});
        let mut another = Socket::connect(world.server.url(), &world.owner).await;
        assert_eq!(another.call("send_message", marker).await["ok"], true);
        let first = watcher.packet().await.unwrap();
        assert!(first.starts_with("42[\"ready\""), "{first}");
        let second = watcher.packet().await.unwrap();
        assert!(second.starts_with("42[\"new_message\"") && second.contains("marker"), "{second}");

        // A chat with somebody who can be looked up is allowed to all, and has just the two in it; nobody can be put where they are not.
        for (who, caller) in &world.strangers {
            let mut socket = Socket::connect(world.server.url(), caller).await;
            let chat = json!({"chat": {"is_group": false, "members_array": [world.owner.id]}});
            let made = socket.call("create_chat", chat).await;
            let members: Vec<_> =
                made["chat"]["members_array"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
            assert_eq!(members, [&json!(world.owner.id), &json!(caller.id)], "{who}");
            let nobody = json!({"chat": {"is_group": false, "members_array": [UNKNOWN]}});
            let refused = socket.call("create_chat", nobody).await;
            assert_eq!(refused["error"]["status"], 422, "{refused}");
        }
        assert_eq!(
            world.owner.get(world.server.url(), &format!("/chat/{}", world.chat)).await["members_array"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}
