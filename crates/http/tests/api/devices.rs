//! Where one is logged in: the list of sessions, and their ends.

use mango_domain::model::{Event, Rate, Subject};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::yield_now;

use crate::support::{Account, Answer, PASSWORD, Server, raw};

async fn sessions(server: &Server, account: &Account) -> Vec<Value> {
    let answer = server.get_as(account, "/auth/sessions").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

/// Logs in, and gives the session that began.
async fn begun(server: &Server, account: &Account, login: RequestBuilder) -> Value {
    let before = sessions(server, account).await;
    let granted = server.send(login).await;
    assert_eq!(granted.status, 200, "{}", granted.text());
    sessions(server, account).await.into_iter().find(|session| !before.contains(session)).unwrap()
}

async fn delete(server: &Server, account: &Account, path: &str) -> Answer {
    server.send(server.request(Method::DELETE, path).bearer_auth(&account.access)).await
}

/// The id of the session that asks.
async fn current(server: &Server, account: &Account) -> i64 {
    let list = sessions(server, account).await;
    let mut current = list.iter().filter(|session| session["current"] == true);
    let id = current.next().unwrap()["id"].as_i64().unwrap();
    assert_eq!(current.next(), None);
    id
}

#[actix_web::test]
async fn a_device_is_called_as_it_says_or_by_its_user_agent() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let credentials = [("username", &*ann.phone), ("password", PASSWORD)];
    let long = "x".repeat(300);
    let table = [
        (Some("Ada's \tphone"), Some("Browser/1.0"), json!("Ada's phone")),
        (None, Some("Browser/1.0 (like others)"), json!("Browser/1.0 (like others)")),
        (Some(" "), Some("Browser/1.0"), json!("Browser/1.0")),
        (Some(&*long), None, json!("x".repeat(255))),
        (None, None, Value::Null),
    ];
    for (device, agent, expected) in table {
        let form: Vec<(&str, &str)> = credentials.into_iter().chain(device.map(|device| ("device", device))).collect();
        let fields: serde_json::Map<String, Value> =
            form.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let post = || {
            let request = server.request(Method::POST, "/auth/login");
            match agent {
                Some(agent) => request.header("user-agent", agent),
                None => request,
            }
        };
        for request in [post().form(&form), post().json(&fields)] {
            let newest = begun(&server, &ann, request).await;
            assert_eq!(newest["device"], expected);
            assert_eq!(newest["address"], "127.0.0.1");
            assert_eq!(newest["current"], false);
        }
    }
    let wrong = json!({"username": ann.phone, "password": PASSWORD, "device": 7});
    server.post("/auth/login", &wrong).await.assert_fields(&["device"]);
}

/// The header is bytes; whatever they are, they keep nobody out.
#[actix_web::test]
async fn a_user_agent_of_any_bytes_lets_in() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let agent = reqwest::header::HeaderValue::from_bytes(b"Br\xf6wser \xe2\x98\x95").unwrap();
    let request = server.request(Method::POST, "/auth/login").header("user-agent", agent);
    let login = request.json(&json!({"username": ann.phone, "password": PASSWORD}));
    assert_eq!(begun(&server, &ann, login).await["device"], "Br\u{fffd}wser ☕");
}

#[actix_web::test]
async fn a_session_is_ended_by_its_user_alone() {
    let server = Server::start().await;
    let (ann, eve) = (server.account(1).await, server.account(2).await);
    let lost = server.log_in(&ann.phone).await;
    let path = format!("/auth/sessions/{}", current(&server, &lost).await);
    let strange = delete(&server, &eve, &path).await;
    strange.assert_problem(404, "not-found");
    assert_eq!(
        strange.body,
        delete(&server, &eve, "/auth/sessions/999999").await.body,
        "nobody learns which are there"
    );
    for odd in ["x", "0", "-1", "9223372036854775808"] {
        delete(&server, &ann, &format!("/auth/sessions/{odd}")).await.assert_problem(404, "not-found");
    }
    assert_eq!(sessions(&server, &lost).await.len(), 2);
    assert!(server.memory.events.take().is_empty());

    let ended = delete(&server, &ann, &path).await;
    assert_eq!((ended.status, ended.header("set-cookie")), (204, None));
    assert!(matches!(&server.memory.events.take()[..], [Event::SessionsEnded { sessions }] if sessions.len() == 1));
    server.get_as(&lost, "/user/me").await.assert_problem(401, "session-ended");
    let refreshed = server.post("/auth/refresh", &json!({"refresh_token": lost.refresh})).await;
    refreshed.assert_problem(401, "unauthenticated");
    delete(&server, &ann, &path).await.assert_problem(404, "not-found");
    assert_eq!(sessions(&server, &ann).await.len(), 1);
}

#[actix_web::test]
async fn to_end_the_session_that_asks_is_to_log_out() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let path = format!("/auth/sessions/{}", current(&server, &ann).await);
    let ended = delete(&server, &ann, &path).await;
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").unwrap().starts_with("refresh_token=; "), "{:?}", ended.header("set-cookie"));
    server.get_as(&ann, "/user/me").await.assert_problem(401, "session-ended");
}

#[actix_web::test]
async fn all_sessions_but_the_one_that_asks_are_ended() {
    let server = Server::start().await;
    let (ann, eve) = (server.account(1).await, server.account(2).await);
    let others = [server.log_in(&ann.phone).await, server.log_in(&ann.phone).await];
    for _ in 0..2 {
        assert_eq!(delete(&server, &ann, "/auth/sessions").await.status, 204);
        for other in &others {
            server.get_as(other, "/user/me").await.assert_problem(401, "session-ended");
        }
        assert_eq!(sessions(&server, &ann).await.len(), 1);
    }
    assert!(matches!(&server.memory.events.take()[..], [Event::SessionsEnded { sessions }] if sessions.len() == 2));
    assert_eq!(sessions(&server, &eve).await.len(), 1);
}

/// A client that has no id to put behind the last slash does not mean all sessions.
#[actix_web::test]
async fn a_session_without_an_id_ends_nothing() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let other = server.log_in(&ann.phone).await;
    let id = current(&server, &other).await;
    for path in ["/auth/sessions/", "/auth/sessions//", "//auth/sessions/", "/auth/sessions/?id="] {
        let refused = delete(&server, &ann, path).await;
        refused.assert_problem(404, "not-found");
        assert!(refused.header("x-request-id").is_some() && refused.header("cache-control").is_some(), "{path}");
    }
    delete(&server, &ann, &format!("/auth/sessions/{id}/")).await.assert_problem(404, "not-found");
    assert_eq!(server.get_as(&other, "/user/me").await.status, 200);
    assert!(server.memory.events.take().is_empty());
    assert_eq!(delete(&server, &ann, &format!("/auth//sessions/{id}")).await.status, 204, "the id is there");
}

/// Whoever has a token may begin a request and send the rest of it when the session has ended: the body is late, not the caller early.
#[actix_web::test]
async fn a_session_that_ends_while_a_body_arrives_does_nothing_more() {
    let server = Server::start().await;
    let ann = server.account(1).await;
    let stolen = server.log_in(&ann.phone).await.access;
    let chat = server.group(&ann, &[], 0).await;
    let targets = [
        (format!("PATCH /user/{}", ann.id), json!({"password": "of the thief", "phone": "+31687654321"})),
        (format!("POST /message/{chat}"), json!({"content": "from the thief", "message_type": "text"})),
        ("POST /sync".to_owned(), json!({})),
    ];
    let rates = [Rate::Upload, Rate::Send, Rate::Read];
    rates.iter().for_each(|rate| server.memory.rates.limit(*rate, 100));
    let mut begun = Vec::new();
    for (target, body) in targets {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let body = body.to_string();
        let (first, last) = body.split_at(body.len() - 1);
        let head = format!(
            "{target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {stolen}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{first}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        begun.push((stream, last.to_owned(), target));
    }
    // Each is counted when its caller is known.
    let counted = |rate| server.memory.rates.taken(rate, Subject::User(ann.id));
    while rates.iter().any(|rate| counted(*rate) == 0) {
        yield_now().await;
    }
    assert_eq!(delete(&server, &ann, "/auth/sessions").await.status, 204);
    for (mut stream, last, target) in begun {
        stream.write_all(last.as_bytes()).await.unwrap();
        let (status, text) = raw::read(&mut stream).await;
        assert_eq!(status, 401, "{target}: {text}");
    }
    let me = server.get_as(&ann, "/user/me").await;
    assert_eq!((me.status, &me.json()["phone"]), (200, &json!(ann.phone)));
    assert_eq!(server.get_as(&ann, &format!("/message/{chat}")).await.json(), json!([]));
}
