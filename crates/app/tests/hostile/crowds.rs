//! More people at once than there is room for: those who find a place are served, the others are told when to come back, and afterwards all is
//! as before.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{SOON, User};
use crate::support::Server;

/// What one hash, or one picture, and all those that wait for it have places for where there is one core, less the last one or three: a half of
/// the one place, and a quarter of the three, is no place any more.
const HASHES: usize = 100;
const PICTURES: usize = 62;

/// How many more come than there are places for. Some of the work may be done before the last of them is heard.
const BEYOND: usize = 80;

const PASSWORD: &str = "correct horse battery staple";

/// How long the last of a hundred may wait: heavy work stands back for all else, and a machine with other things to do leaves it little.
const PATIENCE: Duration = SOON.saturating_mul(6);

/// A server that has one core, whatever the machine has: the places for heavy work are counted by cores. It believes who says where they are.
fn on_one_core() -> Server {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let core = allowed.split([',', '-']).next().unwrap();
    let plain = Server::command(&[("MANGO_TRUSTED_PROXIES", "127.0.0.1")]);
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(plain.get_program()).stdin(Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Server::launch(command)
}

/// An address for each of many.
fn address(n: usize) -> String {
    format!("198.51.{}.{}", 100 + n / 250, n % 250)
}

/// A request whole from somewhere, after which the connection ends.
fn request(from: &str, target: &str, token: Option<&str>, kind: &str, body: &[u8]) -> Vec<u8> {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{target} HTTP/1.1\r\nHost: mango.test\r\nConnection: close\r\nX-Forwarded-For: {from}\r\n{token}\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What a server answers.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let header = |name| head.lines().filter_map(|line| line.split_once(": ")).find(|(this, _)| *this == name);
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            retry_after: header("retry-after").map(|(_, seconds)| seconds.parse().unwrap()),
            body: serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}")),
        }
    }
}

/// Sends all requests at the same time, however long it takes to send them: each lacks its last byte until all the others have come.
async fn at_once(server: &Server, requests: Vec<Vec<u8>>) -> Vec<Answer> {
    let address = server.url().strip_prefix("http://").unwrap();
    let mut streams = Vec::new();
    for request in &requests {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request[..request.len() - 1]).await.unwrap();
        streams.push(stream);
    }
    for (stream, request) in streams.iter_mut().zip(&requests) {
        stream.write_all(&request[request.len() - 1..]).await.unwrap();
    }
    let answers = streams.into_iter().map(|mut stream| async move {
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        Answer::read(&answer)
    });
    join_all(answers).await
}

/// Some found no place and were told so in a way that says when to come back, and as many as there are places for were served. Gives how
/// many were refused.
fn check(answers: &[Answer], places: usize) -> usize {
    let (refused, served): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    for Answer { status, body, .. } in &served {
        assert!((200..300).contains(status), "{status}: {body}");
    }
    assert!(served.len() >= places, "{} of {} were served", served.len(), answers.len());
    assert!(!refused.is_empty(), "{} at once found a place", answers.len());
    for Answer { retry_after, body, .. } in &refused {
        assert_eq!((&body["status"], &body["type"]), (&json!(503), &json!("urn:mango:problem:unavailable")), "{body}");
        assert_eq!(body["detail"], "the server cannot do this right now, try again shortly");
        let milliseconds = body["retry_after_ms"].as_u64().unwrap();
        assert!(milliseconds > 0 && *retry_after == Some(milliseconds.div_ceil(1000)), "{retry_after:?}: {body}");
    }
    refused.len()
}

const JSON: &str = "application/json";

fn phone(n: usize) -> String {
    format!("+3161234{n:04}")
}

fn log_in(from: &str, n: usize, password: &str) -> Vec<u8> {
    let form = format!("username=%2B{}&password={}", &phone(n)[1..], password.replace(' ', "+"));
    request(from, "POST /auth/login", None, "application/x-www-form-urlencoded", form.as_bytes())
}

fn sign_up(from: &str, n: usize) -> Vec<u8> {
    let body = json!({"phone": phone(n), "password": PASSWORD}).to_string();
    request(from, "POST /user/create", None, JSON, body.as_bytes())
}

#[tokio::test]
async fn more_logins_and_sign_ups_than_there_are_places_for_are_told_to_come_back() {
    let server = on_one_core();
    let ada = User::sign_up(server.url(), &phone(0), None).await;
    let count = HASHES + BEYOND;
    let from = |n| if n % 2 == 0 { log_in(&address(n), 0, PASSWORD) } else { sign_up(&address(n), n) };
    let answers = at_once(&server, (0..count).map(from).collect()).await;
    let refused = check(&answers, HASHES);
    let metrics = ada.http.get(format!("{}/metrics", server.url())).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(&format!("\nmango_password_refused_total {refused}\n")), "{refused}: {metrics}");

    // A login goes as before, a wrong password is wrong, and those who were refused have left nothing behind.
    User::log_in(server.url(), ada.id, &phone(0)).await;
    assert_eq!(at_once(&server, vec![log_in(&address(0), 0, "another password")]).await[0].status, 401);
    let again = (1..count).step_by(2).find(|n| answers[*n].status == 503).unwrap_or(count);
    assert_eq!(at_once(&server, vec![sign_up(&address(0), again)]).await[0].status, 201);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Many accounts are no way to keep everybody else from logging in, and neither is a /48 of IPv6.
#[tokio::test]
async fn new_passwords_from_one_place_leave_places_for_logins_from_others() {
    const ACCOUNTS: usize = 12;
    let server = on_one_core();
    let users = join_all((0..ACCOUNTS).map(async |n| User::sign_up(server.url(), &phone(n), None).await)).await;
    let body = json!({"password": PASSWORD}).to_string();
    for network in [|_| "192.0.2.1".to_owned(), |n: usize| format!("2001:db8:1:{n:x}::1")] {
        let change = |n: usize| {
            let user = &users[n % ACCOUNTS];
            let target = format!("PATCH /user/{}", user.id);
            request(&network(n), &target, Some(&user.access), JSON, body.as_bytes())
        };
        let mut crowd: Vec<_> = (0..HASHES + BEYOND).map(change).collect();
        crowd.extend((0..5).map(|n| log_in(&address(n), n, PASSWORD)));
        let mut answers = at_once(&server, crowd).await;
        let logins = answers.split_off(HASHES + BEYOND);
        assert!(logins.iter().all(|answer| answer.status == 200));
        check(&answers, 20);
    }
}

#[tokio::test]
async fn more_pictures_than_there_are_places_for_are_told_to_come_back() {
    let server = on_one_core();
    let ada = User::sign_up(server.url(), "+31612345601", None).await;
    let part = b"--b\r\ncontent-disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n\r\n";
    let form = [part.as_slice(), &black(500), b"\r\n--b--\r\n"].concat();
    let look = |n| {
        let kind = "multipart/form-data; boundary=b";
        request(&address(n), "POST /user/photo_to_base64", None, kind, &form)
    };
    let answers = at_once(&server, (0..PICTURES + BEYOND).map(look).collect()).await;
    check(&answers, PICTURES);
    let photo = json!({"photo": BASE64_STANDARD.encode(black(500))}).to_string();
    let target = format!("PATCH /user/{}", ada.id);
    let upload = request(&address(0), &target, Some(&ada.access), JSON, photo.as_bytes());
    let again = at_once(&server, vec![upload]).await.remove(0);
    assert_eq!(again.status, 202, "{}", again.body);
    let shown = ada.get(server.url(), "/user/me").await;
    assert_eq!(shown["photo"], again.body["photo"]);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// A black square as a PNG, which is a small file and no small work.
fn black(side: u32) -> Vec<u8> {
    let part = |kind: &[u8; 4], body: &[u8]| {
        let named = [kind.as_slice(), body].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), named.as_slice(), &crc32(&named).to_be_bytes()].concat()
    };
    let header = [&side.to_be_bytes(), side.to_be_bytes().as_slice(), &[8, 0, 0, 0, 0]].concat();
    let rows = zeros(side * (side + 1));
    [b"\x89PNG\r\n\x1a\n".as_slice(), &part(b"IHDR", &header), &part(b"IDAT", &rows), &part(b"IEND", &[])].concat()
}

/// So many zeros, compressed as RFC 1950 and RFC 1951 have it: one zero, and then "258 times what was before" again and again.
fn zeros(count: u32) -> Vec<u8> {
    let (many, rest) = ((count - 1) / 258, (count - 1) % 258);
    let mut bits = String::from("110");
    (0..=rest).for_each(|_| bits.push_str("00110000"));
    (0..many).for_each(|_| bits.push_str("1100010100000"));
    bits.push_str("0000000");
    let deflated = bits.as_bytes().chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | (bit & 1)));
    let adler = (count % 65_521) << 16 | 1;
    [0x78, 0x01].into_iter().chain(deflated).chain(adler.to_be_bytes()).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}
