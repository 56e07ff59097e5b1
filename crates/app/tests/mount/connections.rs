//! How many connections an address may have open.

use std::time::Duration;

use mango::server::{Options, Origins, Stopped};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Mounted, OPTIONS, SOCKET, SOON, echo, join, response};

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whether a new connection is answered.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let asked = stream.write_all(HELLO).await.is_ok();
    let mut first = [0; 12];
    asked && timeout(SOON, stream.read_exact(&mut first)).await.unwrap().is_ok()
}

/// Opens connections until one is answered.
async fn until_answered(mounted: &Mounted) -> TcpStream {
    let answered = async {
        loop {
            let mut stream = mounted.connect().await;
            if is_answered(&mut stream).await {
                break stream;
            }
        }
    };
    timeout(SOON, answered).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_is_closed_whatever_the_others_are_for() {
    let mounted = Mounted::with_connections(3, OPTIONS);
    let idle = until_answered(&mounted).await;
    let mut http = mounted.connect().await;
    http.write_all(HELLO).await.unwrap();
    response(&mut http).await;
    let mut socket = mounted.websocket().await;
    join(&mut socket).await;
    assert!(!is_answered(&mut mounted.connect().await).await);
    // Those that are open go on.
    echo(&mut socket).await;
    http.write_all(HELLO).await.unwrap();
    assert_eq!(response(&mut http).await.1, "hello");

    // Each of the three places is free again when its connection has ended.
    let mut others = Vec::new();
    drop(idle);
    others.push(until_answered(&mounted).await);
    drop(http);
    others.push(until_answered(&mounted).await);
    drop(socket);
    others.push(until_answered(&mounted).await);
    assert!(!is_answered(&mut mounted.connect().await).await);
    drop(others);
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_free_again_after_silence_and_after_a_refusal() {
    let options = Options { head_timeout: Duration::from_millis(100), ..OPTIONS };
    let mounted = Mounted::with_connections(1, options);
    for bytes in
        ["", "rubbish\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"]
    {
        let mut stream = until_answered(&mounted).await;
        drop(stream);
        stream = loop {
            let mut stream = mounted.connect().await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // One that came before the place was free is closed without a word.
            if timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().is_ok() && !answer.is_empty() {
                break stream;
            }
        };
        drop(stream);
    }
    until_answered(&mounted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_has_as_many_as_it_likes() {
    let mounted = Mounted::with_no_places(Origins::Any);
    for _ in 0..3 {
        assert!(is_answered(&mut mounted.connect().await).await);
    }
}

/// What is sent behind a request after which the connection is to be closed might have been put there by somebody else, before a proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_behind_the_last_request_of_a_connection() {
    let mounted = Mounted::start(Origins::Any);
    let upgrade = format!(
        "GET {SOCKET} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    for (requests, expected) in [
        (["GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", hello, hello], 1),
        (["GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", hello, hello], 1),
        ([hello, "GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", &upgrade], 2),
        (["GET /hello HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", hello, "GET /hello HTTP/1.0\r\n\r\n"], 3),
    ] {
        let mut stream = mounted.connect().await;
        stream.write_all(requests.concat().as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answers)).await.unwrap().unwrap();
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.").count(), expected, "{requests:?}: {answers}");
        assert!(answers.ends_with("hello"), "{answers}");
    }
    assert_eq!(mounted.stop().await, Stopped::Clean);
}
