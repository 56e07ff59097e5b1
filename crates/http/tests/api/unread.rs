//! Answers that nobody reads.

use std::time::{Duration, Instant};

use mango_domain::model::ChatId;
use mango_http::{Answers, TrustedProxies};
use mango_testkit::build;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Account, Server};

/// How long anything may take on a machine with other things to do.
const SOON: Duration = Duration::from_secs(30);

/// What a user may hold of a room eight times as large. An answer of six megabytes leaves no room for another one.
const SHARE: usize = 8 << 20;

/// Somebody in a chat whose history, and whose changes, are six times as large in JSON as in the store.
async fn somebody_with_much_to_read(server: &Server, n: u32) -> (Account, ChatId) {
    let account = server.account(n).await;
    let chat = server.group(&account, &[], 0).await;
    for _ in 0..16 {
        build::message(chat, account.id).text(&"\u{1}".repeat(64 * 1024)).add(&server.memory.stores()).await;
    }
    (account, chat)
}

/// Asks for something and reads no more of the answer than its status.
async fn unread(server: &Server, account: &Account, method: &str, path: &str, body: &str) -> (TcpStream, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        account.access,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    (stream, std::str::from_utf8(&status[9..]).unwrap().parse().unwrap())
}

#[actix_web::test]
async fn unread_answers_hold_no_more_than_a_share_for_each_user() {
    let server = Server::with(|state| state.answers = Answers::new(8 * SHARE)).await;
    let (ann, chat) = somebody_with_much_to_read(&server, 1).await;
    let (bob, other) = somebody_with_much_to_read(&server, 2).await;
    let (history, sync) = (format!("/message/{chat}"), r#"{"chats": {}}"#);
    for (method, path, body) in [("GET", &*history, ""), ("POST", "/sync", sync)] {
        let (held, status) = unread(&server, &ann, method, path, body).await;
        assert_eq!(status, 200, "{path}");
        for (method, path, body) in [("GET", &*history, ""), ("POST", "/sync", sync)] {
            assert_eq!(unread(&server, &ann, method, path, body).await.1, 503, "{method} {path}");
        }
        let request =
            server.request(Method::GET, &history).bearer_auth(&ann.access).header("origin", "https://app.example");
        let refused = server.send(request).await;
        refused.assert_problem(503, "unavailable");
        assert_eq!(refused.header("retry-after"), Some("5"));
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "a page can read it too");
        // Small answers and the answers of others need no room of hers.
        assert_eq!(server.get_as(&ann, "/user/me").await.status, 200);
        assert_eq!(server.get_as(&ann, &format!("{history}?limit=1&before=1")).await.status, 200);
        let theirs = server.get_as(&bob, &format!("/message/{other}")).await;
        assert_eq!(theirs.json().as_array().unwrap().len(), 16);
        // The room is free again when she goes.
        drop(held);
        let begun = Instant::now();
        while server.get_as(&ann, &history).await.status == 503 {
            assert!(begun.elapsed() < SOON, "the room was not given back");
        }
    }
}

/// However many accounts somebody has.
#[actix_web::test]
async fn unread_answers_leave_room_for_others() {
    let server = Server::with(|state| {
        // For an answer of six megabytes there have to be 48, of which an address has a quarter.
        state.answers = Answers::new(8 * SHARE);
        state.settings.trusted_proxies = TrustedProxies::parse("127.0.0.1").unwrap();
    })
    .await;
    let mut held = Vec::new();
    let mut refused = None;
    for n in 1..=4 {
        let (account, chat) = somebody_with_much_to_read(&server, n).await;
        let (stream, status) = unread(&server, &account, "GET", &format!("/message/{chat}"), "").await;
        assert_eq!(status, if n <= 2 { 200 } else { 503 }, "{n}");
        held.push(stream);
        refused = Some((account, chat));
    }
    let (account, chat) = refused.unwrap();
    let read = |from: &'static str| {
        let request = server.request(Method::GET, &format!("/message/{chat}")).bearer_auth(&account.access);
        server.send(request.header("x-forwarded-for", from))
    };
    read("127.0.0.1").await.assert_problem(503, "unavailable");
    assert_eq!(read("192.0.2.1").await.status, 200);
    held.truncate(1);
    let begun = Instant::now();
    while read("127.0.0.1").await.status == 503 {
        assert!(begun.elapsed() < SOON, "the room was not given back");
    }
}

/// A list of several pages holds room for one of them until it is read to its end.
#[actix_web::test]
async fn an_unread_list_holds_room_too() {
    const CHATS: usize = 300;
    let server = Server::with(|state| state.answers = Answers::new(8 * SHARE)).await;
    let ann = server.account(1).await;
    for _ in 0..CHATS {
        let chat = server.group(&ann, &[], 0).await;
        build::message(chat, ann.id).text(&"\u{1}".repeat(6 * 1024)).add(&server.memory.stores()).await;
    }
    let (held, status) = unread(&server, &ann, "GET", "/chat", "").await;
    assert_eq!(status, 200);
    server.get_as(&ann, "/chat").await.assert_problem(503, "unavailable");
    drop(held);
    let begun = Instant::now();
    let list = loop {
        let list = server.get_as(&ann, "/chat").await;
        if list.status == 200 {
            break list;
        }
        assert!(begun.elapsed() < SOON, "the room was not given back");
    };
    assert_eq!(list.json().as_array().unwrap().len(), CHATS);
}

/// Whoever is told that a message was not sent sends it again.
#[actix_web::test]
async fn what_was_done_is_said_without_room_too() {
    // Here it takes all that a user may hold.
    let server = Server::with(|state| state.answers = Answers::new(4 * SHARE)).await;
    let (ann, chat) = somebody_with_much_to_read(&server, 1).await;
    let path = format!("/message/{chat}");
    let (_held, status) = unread(&server, &ann, "GET", &path, "").await;
    assert_eq!(status, 200);
    let message = json!({"message_type": "text", "content": "\u{1}".repeat(64 * 1024)});
    let sent = server.send(server.request(Method::POST, &path).bearer_auth(&ann.access).json(&message)).await;
    assert_eq!(sent.status, 201);
    assert_eq!(sent.json()["content"], message["content"]);
}

#[actix_web::test]
async fn a_large_answer_is_written_without_keeping_others_waiting() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    // It takes long to write, since each character becomes six.
    build::message(chat, ann.id).text(&"\u{1}".repeat(4 << 20)).add(&server.memory.stores()).await;
    let sync = server.request(Method::POST, "/sync").bearer_auth(&ann.access).json(&json!({"chats": {}}));
    let history = server.request(Method::GET, &format!("/message/{chat}")).bearer_auth(&ann.access);
    for request in [history, sync] {
        let (answer, longest, all) = server.send_among_others(request).await;
        assert_eq!(answer.status, 200);
        assert!(longest < all / 3, "{longest:?} of {all:?}");
    }
}

#[actix_web::test]
async fn a_large_answer_is_whole_in_every_coding() {
    let server = Server::start().await;
    let (ann, chat) = somebody_with_much_to_read(&server, 1).await;
    for coding in ["identity", "gzip", "br"] {
        let request = server.request(Method::GET, &format!("/message/{chat}")).bearer_auth(&ann.access);
        let answer = server.send(request.header("accept-encoding", coding)).await;
        assert_eq!(answer.status, 200);
        if coding == "identity" {
            assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
            assert_eq!(answer.json().as_array().unwrap().len(), 16);
        } else {
            assert_eq!(answer.header("content-encoding"), Some(coding));
            assert!(answer.body.len() < 100_000, "{}", answer.body.len());
        }
    }
}
