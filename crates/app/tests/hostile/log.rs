//! The log of a busy server at its most talkative: nothing in it that was told to the server in confidence.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use mango_contract::catalogue::{Direction, EVENTS};
use mango_testkit::PrivatePostgres;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{PICTURE, Socket, User};
use crate::support::Server;

/// Everything that is told in confidence here has one of these in it.
const SECRETS: &[&str] = &[
    "612345601",
    "687654321",
    "correct horse",
    "hunter2-wrong",
    "hunter3-new",
    "hunter4-current",
    "whisper-content",
    "whisper-name",
    "whisper-description",
    "whisper-client-id",
    "whisper-device",
    "whisper-query",
    "whisper-token",
    "whisper-epoch",
];

/// All operations, with what is right and what is not, and with secrets wherever something of a client's goes.
async fn all_operations(server: &Server, document: &Value, ada: &User, chat: i64) {
    let http = Client::new();
    let bodies = [
        json!({"phone": "+31687654321", "username": "+31612345601", "password": "hunter2-wrong", "current_password": "hunter4-current", "name": "whisper-name",
            "description": "whisper-description", "photo": "whisper-content", "content": "whisper-content", "message_type": "text",
            "client_id": "whisper-client-id", "device": "whisper-device", "refresh_token": "whisper-token", "epoch": "whisper-epoch",
            "chats": {}}),
        json!({"phone": ["+31687654321"], "username": {"x": "+31612345601"}, "password": {"hunter2-wrong": 1}, "name": 1,
            "content": ["whisper-content"], "refresh_token": ["whisper-token"], "chats": {"whisper-content": "whisper-content"}}),
        json!("whisper-content"),
        json!({}),
    ];
    for (template, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["/auth/logout", "/auth/sessions", "/auth/sessions/{id}"].contains(&template.as_str()) && method != "get"
            {
                // At the end: nothing is let in afterwards.
                continue;
            }
            for (id, chat) in
                [("1".to_owned(), chat.to_string()), ("+31687654321".to_owned(), "whisper-content".to_owned())]
            {
                let path = template.replace("{id}", &id).replace("{chat_id}", &chat);
                let path = path.replace("{photo}", "whisper-content").replace("{file}", "original.jpeg");
                let url = format!("{}{path}?limit=1&token=whisper-query&before=whisper-query", server.url());
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                for token in [ada.access.as_str(), "whisper-token", "eyJhbGciOiJub25lIn0.whisper-token.x"] {
                    for body in &bodies {
                        let request = http.request(method.clone(), &url).bearer_auth(token);
                        let request = request.header("cookie", "refresh_token=whisper-token");
                        let request = request.header("idempotency-key", "whisper-client-id");
                        let answer = request.json(body).send().await.unwrap();
                        assert!(answer.status().as_u16() < 500, "{method} {path}: {}", answer.status());
                    }
                }
                let broken = http.request(method.clone(), &url).bearer_auth(&ada.access);
                let broken = broken.header("content-type", "application/json").body("{\"password\":\"hunter2-wrong\",");
                assert!(broken.send().await.unwrap().status().as_u16() < 500, "{method} {path}");
            }
        }
    }
}

/// All events, as they should be and as they should not.
async fn all_events(socket: &mut Socket, ada: &User, chat: i64) {
    let sent = EVENTS.iter().filter(|event| matches!(event.direction, Direction::FromClient { .. }));
    for event in sent.map(|event| event.name).chain(["whisper-content"]) {
        for payload in [
            json!({"message": {"chat_id": chat, "content": "whisper-content", "message_type": "text", "client_id": "whisper-client-id"}}),
            json!({"message": {"chat_id": "whisper-content", "content": ["whisper-content"], "message_type": "whisper-content"}}),
            json!({"message": {"id": 1}}),
            json!({"message": {"id": "whisper-content"}}),
            json!({"chat": {"id": chat, "name": "whisper-name", "is_group": true, "members_array": [ada.id]}}),
            json!({"chat": {"id": "whisper-content", "name": ["whisper-name"]}}),
            json!({"token": ada.access}),
            json!({"token": "whisper-token"}),
            json!({"chats": {"1": 1}, "epoch": "whisper-epoch"}),
            json!({"chats": "whisper-content"}),
            json!("whisper-content"),
        ] {
            socket.call(event, payload).await;
        }
    }
}

/// Bytes that are no request, or no frames, with secrets in them.
async fn rubbish(server: &Server) {
    let address = server.url().strip_prefix("http://").unwrap();
    let head = "GET /ws/socket.io/?EIO=4&transport=websocket&token=whisper-query HTTP/1.1\r\nHost: a\r\nauth: whisper-token\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nwhisper-content whisper-content";
    for bytes in [
        "whisper-content whisper-content\r\n\r\n".to_owned(),
        "GET /whisper-query HTTP/9.9\r\nAuthorization: whisper-token\r\n\r\n".to_owned(),
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\npassword=hunter2-wrong".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nbad header: whisper-token\r\n\r\n".to_owned(),
        format!("{head}{upgrade}"),
        format!("{head}whisper-token\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Whether it is answered or just closed is another test's matter.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

async fn check_log(settings: &[(&str, &str)]) {
    let server = Server::start(&[settings, &[("MANGO_LOG", "trace")]].concat());
    let url = server.url();
    let phone = "+31612345601";
    let ada = User::sign_up(url, phone, Some(PICTURE)).await;
    let mut socket = Socket::connect(url, &ada).await;
    let chat = json!({"chat": {"name": "whisper-name", "is_group": true, "members_array": []}});
    let chat = socket.call("create_chat", chat).await["chat"]["id"].as_i64().unwrap();
    all_events(&mut socket, &ada, chat).await;

    let again = User::log_in(url, ada.id, phone).await;
    let refresh =
        |token: &str| ada.http.post(format!("{url}/auth/refresh")).json(&json!({"refresh_token": token})).send();
    let fresh: Value = refresh(&again.refresh).await.unwrap().json().await.unwrap();
    let next = fresh["refresh_token"].as_str().unwrap().to_owned();
    refresh(&next).await.unwrap();
    // The first again, by a thief.
    refresh(&again.refresh).await.unwrap();
    let document: Value = reqwest::get(format!("{url}/openapi.json")).await.unwrap().json().await.unwrap();
    all_operations(&server, &document, &ada, chat).await;
    let polling = format!("{url}/ws/socket.io/?EIO=4&transport=polling");
    let open = ada.http.get(&polling).send().await.unwrap().text().await.unwrap();
    let open: Value = serde_json::from_str(&open[1..]).unwrap();
    let session = format!("{polling}&sid={}", open["sid"].as_str().unwrap());
    for packet in
        [format!("40{}", json!({"token": ada.access})), "42[\"whisper-content\",\"whisper-content\"]".to_owned()]
    {
        ada.http.post(&session).body(packet).send().await.unwrap();
    }
    ada.http.get(&session).send().await.unwrap();
    let refused = json!({"token": "whisper-token"});
    ada.http.post(&session).body(format!("40/whisper-content,{refused}")).send().await.unwrap();
    rubbish(&server).await;

    let change = json!({"password": "hunter3-new", "name": "whisper-name"});
    let changed = ada.http.patch(format!("{url}/user/{}", ada.id)).bearer_auth(&ada.access).json(&change);
    assert_eq!(changed.send().await.unwrap().status(), 202);
    let ends = [
        (Method::DELETE, "/auth/sessions/whisper-token"),
        (Method::DELETE, "/auth/sessions"),
        (Method::POST, "/auth/logout"),
    ];
    for (method, path) in ends {
        ada.http.request(method, format!("{url}{path}")).bearer_auth(&ada.access).send().await.unwrap();
    }

    let log = server.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "the log is at its most talkative\n{log}");
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let mut secrets: Vec<String> = SECRETS.iter().map(|secret| (*secret).to_owned()).collect();
    secrets.extend([signature(&ada.access), signature(&again.access), ada.refresh, again.refresh, next]);
    secrets.push(PICTURE[40..80].to_owned());
    for secret in secrets {
        let encoded = [BASE64_STANDARD.encode(&secret), BASE64_URL_SAFE_NO_PAD.encode(&secret)];
        for form in [secret.clone(), secret.replace(' ', "%20"), secret.replace(' ', "+")].iter().chain(&encoded) {
            let found = log.lines().find(|line| line.contains(form.as_str()));
            assert!(found.is_none(), "{secret} is in the log: {found:?}");
        }
    }
}

#[tokio::test]
async fn the_log_of_a_busy_server_holds_no_secret() {
    check_log(&[]).await;
}

#[tokio::test]
async fn the_log_of_a_busy_server_holds_no_secret_on_postgres() {
    let database = PrivatePostgres::shared().url_for_new_database();
    check_log(&[("DATABASE_URL", &database)]).await;
}
