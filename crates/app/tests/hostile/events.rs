//! Events as no client would send them, and content that would be code to a browser.

use mango_contract::catalogue::{Direction, EVENTS};
use mango_testkit::PrivatePostgres;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::client::{Socket, User};
use crate::support::Server;

/// Put in every place of every event, as JSON text, since some of it is nothing that a value of JSON could hold.
fn hostile_values() -> Vec<String> {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep_objects = format!("{}1{}", r#"{"a":"#.repeat(2000), "}".repeat(2000));
    let plain = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "-1",
        "1.5",
        "1e3",
        "1E400",
        "-1e-400",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "\"\"",
        "\" \"",
        "\"1\"",
        "\"null\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"👩‍👩‍👧‍👦🏳️‍🌈\"",
        "\"\u{202e}gnp.exe\u{202d}\"",
        "\"\u{200b}\u{200d}\u{feff}\"",
        "\"Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L\"",
        "\"<script>alert(1)</script>\"",
        "\"' OR 1=1; DROP TABLE users; --\"",
        "\"../../../../etc/passwd\"",
        "\"%s%n%x\"",
        "[]",
        "[[]]",
        "[null]",
        "[1,\"2\",{}]",
        "{}",
        "{\"\":null}",
        "{\"__proto__\":{\"ok\":true}}",
        "{\"$ne\":null}",
        "{\"_placeholder\":true,\"num\":0}",
        "{\"id\":1,\"id\":1}",
    ];
    let mut values: Vec<String> = plain.map(str::to_owned).into();
    values.extend(["9".repeat(400), format!("1e{}", "9".repeat(40)), deep(100), deep(2000), deep_objects]);
    values.push(format!("\"{}\"", "x".repeat(100_000)));
    values.push(format!("[{}1]", "1,".repeat(20_000)));
    values
}

/// Every text that comes of a payload when one of its places holds another value, or is there twice, or is not there.
fn variations(payload: &Value, values: &[String]) -> Vec<String> {
    let mut found = values.to_vec();
    match payload {
        Value::Object(fields) => {
            let text = |skip: &str| {
                let others = fields.iter().filter(|(name, _)| *name != skip);
                others.map(|(name, value)| format!("{}:{value}", json!(name))).collect::<Vec<_>>()
            };
            for (name, value) in fields {
                let put = |inner: &str| {
                    let mut all = text(name);
                    all.push(format!("{}:{inner}", json!(name)));
                    format!("{{{}}}", all.join(","))
                };
                found.extend(variations(value, values).iter().map(|inner| put(inner)));
                found.push(format!("{{{}}}", text(name).join(",")));
                found.push(put(&format!("{value},{}:{value}", json!(name))));
                found.push(put(&format!("{value},{}:null", json!(name))));
            }
            let mut more = text("");
            more.push(r#""surplus":{"key":[1,2,3]}"#.to_owned());
            found.push(format!("{{{}}}", more.join(",")));
        }
        Value::Array(items) => {
            let first = items.first().map(Value::to_string).unwrap_or_default();
            found.extend(items.iter().flat_map(|item| variations(item, values)).map(|inner| format!("[{inner}]")));
            found.push(format!("[{first},{first},{first}]"));
        }
        _ => {}
    }
    found
}

/// Two members of a chat with a message, whose payloads would be good.
struct World {
    server: Server,
    ada: User,
    bob: User,
    chat: i64,
    message: i64,
}

impl World {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let server = Server::start(settings);
        let ada = User::sign_up(server.url(), "+31612345601", None).await;
        let bob = User::sign_up(server.url(), "+31612345602", None).await;
        let mut socket = Socket::connect(server.url(), &ada).await;
        let chat = json!({"chat": {"name": "a group", "is_group": true, "members_array": [bob.id]}});
        let chat = socket.call("create_chat", chat).await["chat"]["id"].as_i64().unwrap();
        let sent = json!({"message": {"chat_id": chat, "content": "hello", "message_type": "text"}});
        let message = socket.call("send_message", sent).await["message"]["id"].as_i64().unwrap();
        Self { server, ada, bob, chat, message }
    }

    /// What an event holds that is good.
    fn good(&self, event: &str) -> Value {
        let (chat, message) = (self.chat, self.message);
        match event {
            "create_chat" => json!({"chat": {"name": "another", "is_group": true, "members_array": [self.bob.id]}}),
            "send_message" => {
                json!({"message": {"chat_id": chat, "content": "hello", "message_type": "text", "client_id": "a-1"}})
            }
            "toggle_like_message" => json!({"message": {"id": message}}),
            "toggle_chat_pin" => json!({"chat": {"id": chat}}),
            "authenticate" => json!({"token": self.ada.access}),
            "sync" => json!({"chats": {chat.to_string(): 1}, "epoch": "an epoch", "users_since": 0, "limit": 10}),
            other => panic!("{other} has no payload here"),
        }
    }

    /// The server has neither crashed anywhere nor failed at anything.
    fn assert_sound(&self) {
        let log = self.server.log();
        assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
    }
}

async fn check_every_place(settings: &[(&str, &str)]) {
    let world = World::new(settings).await;
    let values = hostile_values();
    let mut socket = Socket::connect(world.server.url(), &world.ada).await;
    let mut tried = 0;
    for event in EVENTS.iter().filter(|event| matches!(event.direction, Direction::FromClient { .. })) {
        let good = world.good(event.name);
        assert_eq!(socket.call(event.name, good.clone()).await["ok"], true, "{}", event.name);
        let payloads = variations(&good, &values);
        let arrays = payloads.iter().map(|payload| format!("[\"{}\",{payload}]", event.name));
        let odd = ["", ",{},{}", ",null,null", ",[],{}"].map(|rest| format!("[\"{}\"{rest}]", event.name));
        for array in arrays.chain(odd) {
            let answer = socket.call_text(&array).await;
            let shown: String = array.chars().take(200).collect();
            match answer["ok"].as_bool() {
                Some(true) => {}
                Some(false) => {
                    let status = answer["error"]["status"].as_u64().unwrap();
                    assert!((400..500).contains(&status), "{shown}: {answer}");
                    assert!(answer["error"]["type"].as_str().unwrap().starts_with("urn:mango:problem:"), "{answer}");
                    assert!(answer["error"]["detail"].is_string(), "{shown}: {answer}");
                }
                None => panic!("{shown}: {answer}"),
            }
            tried += 1;
        }
        assert_eq!(socket.call(event.name, good).await["ok"], true, "{} is as before", event.name);
    }
    assert!(tried > 500, "{tried}");
    world.assert_sound();
}

#[tokio::test]
async fn whatever_stands_in_an_event_is_answered() {
    check_every_place(&[]).await;
}

#[tokio::test]
async fn whatever_stands_in_an_event_is_answered_on_postgres() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_every_place(&[("DATABASE_URL", &database)]).await;
}

/// Texts that are code somewhere, or look like another text than they are.
const CONTENTS: &[(&str, &str)] = &[
    ("html", "<!doctype html><script>fetch('/user/me')</script><img src=x onerror=alert(1)>"),
    (
        "svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(document.cookie)\"><script>alert(1)</script></svg>",
    ),
    ("javascript", "alert(1)//\u{2028}\u{2029}</script><script>alert(2)</script>"),
    ("css", "body{background:url(javascript:alert(1))}"),
    ("xml", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"),
    ("json", "{\"__proto__\":{\"admin\":true},\"a\":1e400,\"a\":\"<script>\"}"),
    ("yaml", "!!python/object/apply:os.system [\"true\"]"),
    ("markdown", "[x](javascript:alert(1)) ![x](https://evil.example/pixel)"),
    ("text", "\u{202e}txt.exe\u{202d} \u{2066}\u{2069}\u{200f}"),
    ("text", "zero\u{200b}width\u{200c}\u{200d}\u{feff}\u{2060}"),
    ("text", "👩‍👩‍👧‍👦🏳️‍🌈🇳🇱 e\u{301} é \u{1}\u{7f}\u{85}\r\n\t\\ \"'`${7*7}{{7*7}}"),
    ("text", "a\u{0}b"),
    ("text", "'; DROP TABLE messages; -- %00 \u{fffd} \u{10ffff}"),
];

/// The answer can only ever be data to a browser.
fn assert_inert(headers: &HeaderMap, what: &str) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "application/json", "{what}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
}

async fn check_contents(settings: &[(&str, &str)]) {
    let world = World::new(settings).await;
    let url = world.server.url();
    let mut sender = Socket::connect(url, &world.ada).await;
    let mut reader = Socket::connect(url, &world.bob).await;
    let ready = reader.packet().await.unwrap();
    assert!(ready.starts_with("42[\"ready\""), "{ready}");
    for (kind, content) in CONTENTS {
        let message = json!({"message": {"chat_id": world.chat, "content": content, "message_type": kind}});
        let sent = sender.call("send_message", message).await;
        if content.contains('\0') && sent["ok"] == false {
            // A text that one of the databases cannot hold is refused by all of them, in words.
            assert_eq!(sent["error"]["errors"][0]["field"], "message.content", "{sent}");
            continue;
        }
        assert_eq!(sent["message"]["content"], *content, "{kind}: {sent}");
        let told: Vec<Value> =
            serde_json::from_str(reader.packet().await.unwrap().strip_prefix("42").unwrap()).unwrap();
        assert_eq!((&told[0], &told[1]["content"]), (&json!("new_message"), &json!(content)), "{kind}");

        let path = format!("{url}/message/{}?limit=1", world.chat);
        let page = world.bob.http.get(path).bearer_auth(&world.bob.access).send().await.unwrap();
        assert_inert(page.headers(), "a page of messages");
        assert_eq!(page.json::<Value>().await.unwrap()[0]["content"], *content, "{kind}");
        let chats = world.bob.get(url, "/chat").await;
        assert_eq!(chats[0]["last_message"]["content"], *content, "{kind}");
        let body = json!({"chats": {world.chat.to_string(): told[1]["version"].as_i64().unwrap() - 1}});
        let synced = world.bob.http.post(format!("{url}/sync")).bearer_auth(&world.bob.access).json(&body);
        let synced = synced.send().await.unwrap();
        assert_inert(synced.headers(), "a sync");
        assert_eq!(synced.json::<Value>().await.unwrap()["chats"][0]["messages"][0]["content"], *content, "{kind}");

        // The names of chats and users, and what users say of themselves.
        let (name, id) = (content.trim(), world.ada.id);
        let change = json!({"name": name, "description": content});
        let changed = world.ada.http.patch(format!("{url}/user/{id}")).bearer_auth(&world.ada.access).json(&change);
        let changed = changed.send().await.unwrap();
        let status = changed.status().as_u16();
        assert!(matches!(status, 202 | 422), "{kind}: {status}");
        assert!(status == 202 || changed.headers()["content-type"] == "application/problem+json");
        if status == 202 {
            let seen = world.bob.get(url, &format!("/user/{id}")).await;
            assert_eq!((&seen["name"], &seen["description"]), (&json!(name), &json!(content)), "{kind}");
        }
        let group = json!({"chat": {"name": name, "is_group": true, "members_array": []}});
        let made = sender.call("create_chat", group).await;
        assert!(made["chat"]["name"] == name || made["error"]["status"] == 422, "{kind}: {made}");
    }
    // What is refused is not repeated in a way that a browser would run.
    let refused = reqwest::get(format!("{url}/<script>alert(1)</script>")).await.unwrap();
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    world.assert_sound();
}

#[tokio::test]
async fn content_that_is_code_is_kept_as_it_is_and_never_run() {
    check_contents(&[]).await;
}

#[tokio::test]
async fn content_that_is_code_is_kept_as_it_is_and_never_run_on_postgres() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_contents(&[("DATABASE_URL", &database)]).await;
}
