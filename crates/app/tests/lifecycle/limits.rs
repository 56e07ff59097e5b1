//! The limits of the binary on how often one may do something.

use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Socket, User};
use crate::support::Server;

const POLLING: &str = "/ws/socket.io/?EIO=4&transport=polling";

/// A server with limits, which believes the tests when they say who the client is.
fn limited(settings: &[(&str, &str)]) -> Server {
    Server::start(&[&[("MANGO_RATE_LIMITS", "on"), ("MANGO_TRUSTED_PROXIES", "127.0.0.1")], settings].concat())
}

/// A client at an address.
fn at(address: &str) -> Client {
    let headers = [("x-forwarded-for".parse().unwrap(), address.parse().unwrap())];
    Client::builder().default_headers(headers.into_iter().collect()).build().unwrap()
}

async fn check_refused(answer: Response) {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "urn:mango:problem:too-many-requests");
    let milliseconds = problem["retry_after_ms"].as_u64().unwrap();
    assert!(milliseconds > 0 && milliseconds.div_ceil(1000) == seconds, "{problem} with {seconds} s");
}

/// The answer tells how its client stands at a rate of so many at once.
fn check_standing(answer: &Response, rate: &str, burst: u32, left: u32) {
    let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    assert!(header("ratelimit-policy").starts_with(&format!("\"{rate}\";q={burst};w=")), "{answer:?}");
    assert!(header("ratelimit").starts_with(&format!("\"{rate}\";r={left};t=")), "{answer:?}");
}

#[tokio::test]
async fn an_address_may_do_only_so_much_and_others_go_on() {
    let server = limited(&[
        ("MANGO_RATE_SIGN_UP", "2+1/h"),
        ("MANGO_RATE_LOGIN", "3+1/h"),
        ("MANGO_RATE_REFRESH", "4+1/h"),
        ("MANGO_RATE_CONNECT", "5+1/h"),
        ("MANGO_RATE_UPLOAD", "6+1/h"),
    ]);
    for (path, burst) in [("/user/create", 2), ("/auth/login", 3), ("/auth/refresh", 4), ("/user/photo_to_base64", 6)] {
        let url = format!("{}{path}", server.url());
        for address in ["198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8:0:1::1"] {
            let client = at(address);
            for _ in 0..burst {
                assert_ne!(client.post(&url).send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
            }
            check_refused(client.post(&url).send().await.unwrap()).await;
        }
        check_refused(at("2001:db8::ffff").post(&url).send().await.unwrap()).await;
    }
    // Both doors of the sockets count together, and going on with a session costs nothing.
    let (url, client) = (format!("{}{POLLING}", server.url()), at("198.51.100.3"));
    for left in (1..=4).rev() {
        let open = client.get(&url).send().await.unwrap();
        check_standing(&open, "connect", 5, left);
        let open = open.text().await.unwrap();
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let session = format!("{url}&sid={}", open["sid"].as_str().unwrap());
        let sent = client.post(&session).body("40").send().await.unwrap();
        assert_eq!((sent.status(), sent.headers().get("ratelimit")), (StatusCode::OK, None));
    }
    let websocket = || {
        let upgrade = client.get(url.replace("polling", "websocket")).header("connection", "upgrade");
        let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
        upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send()
    };
    let upgraded = websocket().await.unwrap();
    assert_eq!(upgraded.status(), StatusCode::SWITCHING_PROTOCOLS);
    check_standing(&upgraded, "connect", 5, 0);
    for refused in [websocket().await.unwrap(), client.get(&url).send().await.unwrap()] {
        check_standing(&refused, "connect", 5, 0);
        check_refused(refused).await;
    }
    assert_eq!(at("198.51.100.4").get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_user_may_do_only_so_much_over_http_and_sockets_together() {
    let server = limited(&[("MANGO_RATE_READ", "5+1/h"), ("MANGO_RATE_SEND", "2+1/h"), ("MANGO_RATE_CREATE", "1+1/h")]);
    let url = server.url();
    let ada = User::sign_up(url, "+31612345678", None).await;
    // To connect is to read.
    let mut socket = Socket::connect(url, &ada).await;
    let group = json!({"chat": {"name": "Tea", "is_group": true, "members_array": []}});
    let made = socket.call("create_chat", group.clone()).await;
    assert_eq!(socket.call("create_chat", group).await["error"]["status"], 429);
    let chat = &made["chat"]["id"];
    let message = json!({"message": {"chat_id": chat, "content": "hello", "message_type": "text"}});
    assert_eq!(socket.call("send_message", message.clone()).await["ok"], true);
    let post = || {
        let body = json!({"content": "hello", "message_type": "text"});
        ada.http.post(format!("{url}/message/{chat}")).bearer_auth(&ada.access).json(&body).send()
    };
    let posted = post().await.unwrap();
    assert_eq!(
        (posted.status(), &posted.headers()["ratelimit"]),
        (StatusCode::CREATED, &"\"send\";r=0;t=7200".parse().unwrap())
    );
    check_refused(post().await.unwrap()).await;
    let error = socket.call("send_message", message).await["error"].clone();
    assert!(error["status"] == 429 && error["retry_after_ms"].as_u64().unwrap() > 3_500_000, "{error}");
    for _ in 0..2 {
        ada.get(url, "/chat").await;
        assert_eq!(socket.call("sync", json!({"chats": {}})).await["ok"], true);
    }
    assert_eq!(socket.call("sync", json!({"chats": {}})).await["error"]["status"], 429);
    let metrics = Client::new().get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("mango_rate_limited_total{rate=\"send\"} 2"), "{metrics}");
}

#[tokio::test]
async fn guesses_at_a_password_have_to_wait_and_its_owner_does_not() {
    let server = limited(&[]);
    let url = server.url();
    let ada = User::sign_up(url, "+31612345678", None).await;
    let guess = |client: Client| {
        let form = [("username", "+31612345678"), ("password", "not the right password")];
        client.post(format!("{url}/auth/login")).form(&form).send()
    };
    // All at once: those that are being checked count as well.
    let stranger = at("198.51.100.9");
    let guesses = join_all((0..60).map(|_| guess(stranger.clone()))).await;
    let statuses: Vec<_> = guesses.into_iter().map(|answer| answer.unwrap().status()).collect();
    let wrong = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    // The five that are free, and what a slow machine took a second for.
    assert!((5..=8).contains(&wrong), "{statuses:?}");
    let refused = guess(stranger).await.unwrap();
    // It is not the rate of logins that is exceeded.
    assert_eq!((refused.headers().get("ratelimit"), refused.headers().get("ratelimit-policy")), (None, None));
    check_refused(refused).await;
    User::log_in(url, ada.id, "+31612345678").await;
}

#[tokio::test]
async fn guesses_from_everywhere_are_few_and_the_owner_at_home_goes_on() {
    let server = limited(&[("MANGO_RATE_LOGIN_ACCOUNT", "6+1/h")]);
    let url = server.url();
    User::sign_up(url, "+31612345678", None).await;
    let log_in = |address: &str, phone: &str, password: &str| {
        let form = [("username", phone), ("password", password)];
        at(address).post(format!("{url}/auth/login")).form(&form).send()
    };
    let right = "correct horse battery staple";
    let home = log_in("2001:db8:7::1", "+31612345678", right).await.unwrap();
    assert_eq!(home.status(), StatusCode::OK);
    for phone in ["+31612345678", "+31699999999"] {
        let guesses =
            join_all((1..=20).map(async |n| log_in(&format!("198.51.100.{n}"), phone, "a guess").await.unwrap()));
        let guesses = guesses.await;
        let wrong = guesses.iter().filter(|answer| answer.status() == StatusCode::UNAUTHORIZED).count();
        // Two logins of its owner were attempts on the first as well.
        assert!(wrong == if phone == "+31612345678" { 4 } else { 6 }, "{wrong} guesses at {phone}");
        for refused in guesses.into_iter().filter(|answer| answer.status() != StatusCode::UNAUTHORIZED) {
            check_refused(refused).await;
        }
    }
    check_refused(log_in("198.51.100.99", "+31612345678", right).await.unwrap()).await;
    let home = log_in("2001:db8:7::ffff", "+31612345678", right).await.unwrap();
    assert_eq!(home.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_busy_honest_client_meets_no_limit() {
    let server = limited(&[]);
    let url = server.url();
    let people =
        join_all((0..20).map(|n| async move { User::sign_up(url, &format!("+316123456{n:02}"), None).await })).await;
    join_all(people.iter().map(|user| async move {
        let mut socket = Socket::connect(url, user).await;
        let group = json!({"chat": {"name": "Tea", "is_group": true, "members_array": []}});
        let chat = socket.call("create_chat", group).await["chat"]["id"].clone();
        for _ in 0..90 {
            let message = json!({"message": {"chat_id": chat, "content": "hello", "message_type": "text"}});
            assert_eq!(socket.call("send_message", message).await["ok"], true);
            user.get(url, &format!("/message/{chat}")).await;
        }
    }))
    .await;
}

#[tokio::test]
async fn an_address_has_only_so_many_sockets_over_both_doors() {
    let server = limited(&[("MANGO_MAX_SOCKETS_PER_ADDRESS", "3"), ("MANGO_MAX_SOCKETS_PER_USER", "2")]);
    let (url, client) = (format!("{}{POLLING}", server.url()), at("198.51.100.3"));
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    let polling = client.get(&url).send().await.unwrap().text().await.unwrap();
    let websocket = || {
        let upgrade = client.get(url.replace("polling", "websocket")).header("connection", "upgrade");
        let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
        upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send()
    };
    let (one, two) = (websocket().await.unwrap(), websocket().await.unwrap());
    assert_eq!([one.status(), two.status()], [StatusCode::SWITCHING_PROTOCOLS; 2]);
    check_refused(websocket().await.unwrap()).await;
    check_refused(client.get(&url).send().await.unwrap()).await;
    assert_eq!(at("198.51.100.4").get(&url).send().await.unwrap().status(), StatusCode::OK);

    // A place is free again once a socket has ended, by either door. That of a session that polls may wait for the end of the time in which
    // it would have had to be let in.
    let sid = polling.split('"').nth(3).unwrap();
    client.post(format!("{url}&sid={sid}")).body("1").send().await.unwrap();
    drop((one.upgrade().await.unwrap(), two));
    for patience in [Duration::from_secs(10), Duration::from_secs(10), crate::SOON] {
        let until_let_in = async { while client.get(&url).send().await.unwrap().status() != StatusCode::OK {} };
        tokio::time::timeout(patience, until_let_in).await.unwrap();
    }
    check_refused(client.get(&url).send().await.unwrap()).await;

    let _sockets = (Socket::connect(server.url(), &ada).await, Socket::connect(server.url(), &ada).await);
    let refused = tokio::spawn({
        let (url, ada) = (server.url().to_owned(), ada);
        async move { Socket::connect(&url, &ada).await }
    });
    assert!(refused.await.is_err(), "a third socket of one user is not let in");
}

/// Silence costs little to make, and more of it than a server can have files open would keep everybody else away.
#[tokio::test]
async fn an_address_has_only_so_many_connections_and_silent_ones_do_not_fill_the_log() {
    let server = Server::start(&[("MANGO_MAX_CONNECTIONS_PER_ADDRESS", "2"), ("MANGO_LOG", "info,mango_http=info")]);
    let address = server.url().strip_prefix("http://").unwrap();
    let silent = join_all((0..3).map(async |_| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }));
    let mut answers = silent.await;
    answers.sort_unstable();
    // The time for the first head is over for two of them, and nobody waited for that of the third.
    assert_eq!(answers[0], "");
    assert!(answers[1..].iter().all(|answer| answer.starts_with("HTTP/1.1 408")), "{answers:?}");
    assert!(!server.log().contains("request"), "{}", server.log());
    let metrics = async {
        loop {
            if let Ok(answer) = Client::new().get(format!("{}/metrics", server.url())).send().await {
                break answer.text().await.unwrap();
            }
        }
    };
    let metrics = tokio::time::timeout(crate::SOON, metrics).await.unwrap();
    let refused = metrics.lines().find_map(|line| line.strip_prefix("mango_connections_refused_total "));
    assert!(refused.unwrap().parse::<u64>().unwrap() >= 1, "{metrics}");
}

/// A connection from an address of this machine that has been answered, if it is.
#[cfg(target_os = "linux")]
async fn answered(server: &Server, from: [u8; 4]) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(crate::address(server)).await.unwrap();
    let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok();
    let mut first = [0; 12];
    let is_answered = asked && tokio::time::timeout(crate::SOON, stream.read_exact(&mut first)).await.unwrap().is_ok();
    is_answered.then_some(stream)
}

/// Few addresses do not use up the files that the process may have open.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_from_some_addresses_leave_some_for_others() {
    let mango = Server::command(&[]);
    let mut shell = Command::new("sh");
    // That is 120 connections.
    shell.args(["-c", "ulimit -n 256; exec \"$0\" serve"]).arg(mango.get_program());
    for (name, value) in mango.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let server = Server::launch(shell);
    let mut held = Vec::new();
    for attacker in 2..=8 {
        let before = held.len();
        while let Some(stream) = answered(&server, [127, 0, 0, attacker]).await {
            held.push(stream);
        }
        assert!((1..=30).contains(&(held.len() - before)), "{} from one address", held.len() - before);
    }
    assert!(answered(&server, [127, 0, 0, 9]).await.is_some());
    let ada = User::sign_up(server.url(), "+31612345678", None).await;
    let _socket = Socket::connect(server.url(), &ada).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count();
    assert!(open < 200, "{open}");
}
