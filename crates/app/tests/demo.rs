//! `cargo xtask demo` fills a running server, and the login that it prints works.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails should fail its test")]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use support::Server;

/// The command, run as a developer runs it.
fn demo(url: &str) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["xtask", "demo", "--url", url]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    cargo.stdin(Stdio::null()).output().unwrap()
}

/// What it prints when all goes well.
fn printed(server: &Server) -> String {
    let output = demo(server.url());
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    String::from_utf8(output.stdout).unwrap()
}

/// Somebody who logged in as it was printed.
struct Guest<'a> {
    server: &'a Server,
    http: Client,
    token: String,
}

impl<'a> Guest<'a> {
    /// Runs the printed command.
    fn log_in(server: &'a Server, printed: &str) -> Self {
        let line = printed.lines().find(|line| line.trim().starts_with("curl ")).unwrap();
        let output = Command::new("bash").args(["-c", &line.replacen("curl", "curl -sS", 1)]).output().unwrap();
        let grant: Value = serde_json::from_slice(&output.stdout).unwrap();
        Self { server, http: Client::new(), token: grant["access_token"].as_str().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.server.url());
        let reply = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "{path}");
        reply.json().await.unwrap()
    }

    /// All chats with their messages, newest first.
    async fn chats(&self) -> Vec<(Value, Vec<Value>)> {
        let mut chats = Vec::new();
        for chat in self.get("/chat").await.as_array().unwrap() {
            let messages = self.get(&format!("/message/{}", chat["id"])).await;
            chats.push((chat.clone(), messages.as_array().unwrap().clone()));
        }
        chats
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_fills_a_server_once_and_prints_a_login_that_works() {
    let server = Server::start(&[]);
    let said = printed(&server);
    let guest = Guest::log_in(&server, &said);

    let me = guest.get("/user/me").await;
    let phone = me["phone"].as_str().unwrap();
    assert!(said.contains(&format!("Log in as {} with the phone {phone}", me["name"].as_str().unwrap())), "{said}");
    let photo = said.split_whitespace().find(|word| word.ends_with("/400x400.webp")).unwrap();
    assert_eq!(photo, format!("{}/static/{}/400x400.webp", server.url(), me["photo"].as_str().unwrap()));

    let chats = guest.chats().await;
    assert!(chats.iter().any(|(chat, _)| chat["is_group"] == true), "{chats:?}");
    assert!(chats.iter().any(|(chat, _)| chat["is_group"] == false), "{chats:?}");
    assert!(chats.iter().any(|(chat, _)| chat["pinned"] == true), "{chats:?}");
    let mut photos = BTreeMap::new();
    let mut types = BTreeMap::<String, usize>::new();
    let mut likes = 0;
    for (chat, messages) in &chats {
        assert!(!messages.is_empty(), "{chat}");
        for member in chat["members_array"].as_array().unwrap() {
            photos.insert(member["name"].as_str().unwrap(), member["photo"].as_str().unwrap());
        }
        for message in messages {
            *types.entry(message["message_type"].as_str().unwrap().to_owned()).or_default() += 1;
            likes += message["likes_array"].as_array().unwrap().len();
        }
    }
    assert!(photos.len() >= 5 && likes > 0, "{photos:?}, {likes} likes");
    assert!(types["text"] > types["image"] && types.len() >= 5, "{types:?}");
    for photo in photos.values() {
        let file = guest.http.get(format!("{}/static/{photo}/100x100.webp", server.url())).send().await.unwrap();
        assert_eq!((file.status(), &file.headers()["content-type"]), (StatusCode::OK, &"image/webp".parse().unwrap()));
    }

    let again = printed(&server);
    assert!(again.contains("there already") && !again.contains("filled"), "{again}");
    assert_eq!(json!(guest.chats().await), json!(chats), "a second run adds nothing");
}

#[test]
fn the_demo_without_a_server_says_so() {
    // It stops when it is dropped.
    let url = Server::start(&[]).url().to_owned();
    let output = demo(&url);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("does the server run?"), "{said}");
}
