//! Chats and their histories.

use std::sync::Arc;

use chrono::TimeDelta;
use mango_domain::model::ChatId;
use mango_domain::ports::{Chats as _, Likes as _};
use mango_testkit::build::{self, moment, unheard};
use mango_testkit::memory::Memory;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::failing::FirstPage;
use crate::support::{Account, Answer, Server};

fn seqs(answer: &Answer) -> Vec<i64> {
    answer.json().as_array().unwrap().iter().map(|message| message["seq"].as_i64().unwrap()).collect()
}

/// The target of `Link: <…>; rel="next"`.
fn next(answer: &Answer) -> Option<String> {
    let target = answer.header("link")?.strip_prefix('<').unwrap().strip_suffix(r#">; rel="next""#).unwrap();
    Some(target.to_owned())
}

/// Follows the links from a path to the end; the pages in order.
async fn walk(server: &Server, account: &Account, start: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut path = Some(start.to_owned());
    while let Some(current) = path {
        let page = server.get_as(account, &current).await;
        assert_eq!(page.status, 200, "{current}");
        path = next(&page);
        pages.push(seqs(&page));
        assert!(pages.len() < 100, "the links go round in a circle");
    }
    pages
}

fn down(from: i64, to: i64) -> Vec<i64> {
    (to..=from).rev().collect()
}

#[actix_web::test]
async fn links_lead_through_a_history_back_and_forward() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 120).await;
    let path = |query: &str| format!("/message/{chat}{query}");
    let check = async |query: &str, expected: &[Vec<i64>]| {
        assert_eq!(walk(&server, &ann, &path(query)).await, expected, "{query}");
    };
    check("", &[down(120, 71), down(70, 21), down(20, 1)]).await;
    check("/", &[down(120, 71), down(70, 21), down(20, 1)]).await;
    check("?limit=60", &[down(120, 61), down(60, 1)]).await;
    check("?limit=200", &[down(120, 1)]).await;
    check("?limit=40&before=100", &[down(99, 60), down(59, 20), down(19, 1)]).await;
    check("?after=0", &[down(50, 1), down(100, 51), down(120, 101)]).await;
    check("?after=100&limit=20", &[down(120, 101)]).await;
    check("?after=10&limit=55", &[down(65, 11), down(120, 66)]).await;
    // With both bounds the newest come first, and the links stay above the lower bound.
    check("?after=10&before=61&limit=30", &[down(60, 31), down(30, 11)]).await;
    check("?before=1", &[vec![]]).await;
    check("?after=120", &[vec![]]).await;
}

#[actix_web::test]
async fn links_lead_on_from_a_page_that_could_not_hold_all_that_was_asked_for() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 0).await;
    for _ in 0..40 {
        build::message(chat, ann.id).text(&"\u{1}".repeat(64 * 1024)).add(&server.memory.stores()).await;
    }
    let path = |query: &str| format!("/message/{chat}{query}");
    let back = walk(&server, &ann, &path("?limit=200")).await;
    assert_eq!(back, [down(40, 25), down(24, 9), down(8, 1)]);
    let forth = walk(&server, &ann, &path("?after=0&limit=200")).await;
    assert_eq!(forth, [down(16, 1), down(32, 17), down(40, 33)]);
    let between = walk(&server, &ann, &path("?after=5&before=30")).await;
    assert_eq!(between, [down(29, 14), down(13, 6)]);
}

#[actix_web::test]
async fn a_message_is_shown_with_its_likes() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let chat = server.group(&ann, &[&bob], 1).await;
    let page = server.get_as(&bob, &format!("/message/{chat}")).await;
    let id = mango_domain::model::MessageId::new(page.json()[0]["id"].as_i64().unwrap());
    server.memory.store.toggle(id, bob.id, moment(5), unheard()).await.unwrap().unwrap();
    let shown = server.get_as(&ann, &format!("/message/{chat}")).await.json();
    let expected = json!([{
        "id": id, "chat_id": chat, "seq": 1, "user_id": ann.id, "message_type": "text", "content": "message 1",
        "likes_array": [{"id": bob.id, "name": "User 2", "photo": null, "version": 0}], "created_at": "2026-01-01T00:00:00.000000Z",
        "version": 3,
    }]);
    assert_eq!(shown, expected);
}

#[actix_web::test]
async fn parameters_that_do_not_fit_are_named() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let chat = server.group(&ann, &[], 1).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("before=x", "before"),
        ("after=1.5", "after"),
    ] {
        server.get_as(&ann, &format!("/message/{chat}?{query}")).await.assert_fields(&[field]);
    }
    assert_eq!(server.get_as(&ann, &format!("/message/{chat}?limit=200&unknown=x")).await.status, 200);
}

#[actix_web::test]
async fn a_chat_of_others_is_as_unknown_as_none() {
    let server = Server::start().await;
    let (ann, eve) = (server.account(1).await, server.account(2).await);
    let chat = server.group(&ann, &[], 3).await;
    for path in ["/chat", "/message"] {
        let unknown = server.get_as(&eve, &format!("{path}/999")).await;
        let theirs = server.get_as(&eve, &format!("{path}/{chat}")).await;
        theirs.assert_problem(404, "not-found");
        assert_eq!(theirs.body, unknown.body);
        server.get_as(&eve, &format!("{path}/abc")).await.assert_problem(404, "not-found");
    }
    assert_eq!(server.get_as(&eve, "/chat").await.json(), json!([]));
}

#[actix_web::test]
async fn chats_are_listed_by_activity_with_all_that_a_member_sees() {
    let server = Server::start().await;
    let (ann, bob) = (server.account(1).await, server.account(2).await);
    let stores = server.memory.stores();
    let quiet = build::group(ann.id, &[bob.id]).name("Quiet").at(moment(10)).add(&stores).await;
    let direct = build::direct(ann.id, bob.id).at(moment(20)).add(&stores).await;
    build::message(quiet, bob.id).text("news").at(moment(30)).add(&stores).await;

    let list = server.get_as(&ann, "/chat/").await.json();
    let ids: Vec<&Value> = list.as_array().unwrap().iter().map(|chat| &chat["id"]).collect();
    assert_eq!(ids, [&json!(quiet), &json!(direct)]);
    assert_eq!(list[0]["last_message"]["content"], "news");
    assert_eq!((&list[0]["name"], &list[0]["is_group"]), (&json!("Quiet"), &json!(true)));
    let members = json!([
        {"id": ann.id, "name": "User 1", "photo": null, "version": 0, "online": false},
        {"id": bob.id, "name": "User 2", "photo": null, "version": 0, "online": false},
    ]);
    assert_eq!(list[0]["members_array"], members);
    assert_eq!((&list[1]["name"], &list[1]["last_message"]), (&Value::Null, &Value::Null));
    assert_eq!(server.get_as(&ann, &format!("/chat/{quiet}")).await.json(), list[0]);

    assert_eq!(server.get_as(&ann, "/chat/pinned").await.json(), json!([]));
    server.memory.store.toggle_pin(direct, ann.id, moment(40) + TimeDelta::seconds(1), unheard()).await.unwrap();
    let pinned = server.get_as(&ann, "/chat/pinned/").await.json();
    assert_eq!((&pinned[0]["id"], &pinned[0]["pinned"]), (&json!(direct), &json!(true)));
    assert_eq!(pinned.as_array().unwrap().len(), 1);
    assert_eq!(server.get_as(&bob, "/chat/pinned").await.json(), json!([]));
}

/// Somebody in 600 chats, the newest first.
async fn somebody_in_many_chats(server: &Server) -> (Account, Vec<ChatId>) {
    let ann = server.account(1).await;
    let mut chats = Vec::new();
    for _ in 0..600 {
        chats.push(server.group(&ann, &[], 0).await);
    }
    chats.reverse();
    (ann, chats)
}

#[actix_web::test]
async fn a_list_of_many_chats_is_whole() {
    let server = Server::start().await;
    let (ann, chats) = somebody_in_many_chats(&server).await;
    for chat in &chats {
        server.memory.store.toggle_pin(*chat, ann.id, moment(5), unheard()).await.unwrap();
    }
    for path in ["/chat", "/chat/pinned"] {
        let answer = server.get_as(&ann, path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let list = answer.json();
        let ids: Vec<Value> = list.as_array().unwrap().iter().map(|chat| chat["id"].clone()).collect();
        assert_eq!(ids, chats.iter().map(|chat| json!(chat)).collect::<Vec<_>>());
    }
}

/// Half a list must not look like a whole one.
#[actix_web::test]
async fn a_list_that_cannot_be_read_to_its_end_breaks_off() {
    let memory = Memory::new();
    let mut ports = memory.ports();
    ports.chats = Arc::new(FirstPage(ports.chats));
    let server = Server::over(memory, ports, |_| {}).await;
    let (ann, _) = somebody_in_many_chats(&server).await;
    let request = server.request(Method::GET, "/chat").bearer_auth(&ann.access);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert_eq!(server.get_as(&ann, "/chat/pinned").await.status, 200);
}

#[actix_web::test]
async fn a_list_for_http_1_0_comes_without_chunks() {
    let server = Server::start().await;
    let (ann, chats) = somebody_in_many_chats(&server).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /chat HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", ann.access);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap().as_array().map(Vec::len), Some(chats.len()));
}
