//! The bodies of polling requests: their size, their time, and what all of them hold together.

use std::time::Duration;

use mango::server::Origins;
use mango_http::BodyLimits;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::harness::{MAX_PAYLOAD, Mounted, OPTIONS, POLLING, SOON, UNKNOWN, join_polling, response};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_polling_bodies_are_refused() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let url = mounted.url(POLLING) + "&sid=AAAAAAAAAAAAAAAA";
    let answer = client.post(&url).body(vec![b'4'; MAX_PAYLOAD + 1]).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let answer = client.post(&url).body(vec![b'4'; MAX_PAYLOAD]).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

/// The head of a polling request with this body.
fn head(length: usize) -> String {
    format!("POST {POLLING}&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_polling_bodies_hold_no_more_together_than_there_is_room_for() {
    // A quarter of it is for small bodies, as these are, which is four of them.
    let room = 16 * MAX_PAYLOAD;
    let mounted = Mounted::with(Origins::Any, BodyLimits { room, ..BodyLimits::up_to(MAX_PAYLOAD) }, OPTIONS);
    let client = reqwest::Client::new();
    let session = mounted.session(&mounted.poll(&client).await);
    join_polling(&client, &session).await;

    let mut held = Vec::new();
    let refused = loop {
        assert!(held.len() < 100, "all of them are being read");
        let mut stream = mounted.connect().await;
        stream.write_all(head(MAX_PAYLOAD).as_bytes()).await.unwrap();
        stream.write_all(&vec![b'4'; MAX_PAYLOAD - 1000]).await.unwrap();
        // Whoever is let in hears nothing before the body is whole, so that a while has to do.
        if let Ok(answer) = timeout(Duration::from_millis(200), response(&mut stream)).await {
            break answer;
        }
        held.push(stream);
    };
    assert!(refused.0.starts_with("HTTP/1.1 503"), "{refused:?}");
    assert!(refused.0.contains("retry-after: 5") && refused.0.contains("application/problem+json"), "{refused:?}");
    assert!(held.len() <= 4, "{} of them are being read", held.len());

    drop(held);
    let again = async {
        let body = format!("42[\"unknown\",\"{}\"]", "x".repeat(MAX_PAYLOAD - 100));
        while client.post(&session).body(body.clone()).send().await.unwrap().status() == 503 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, again).await.expect("the room was not given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_body_that_stops_coming_is_not_waited_for() {
    let limits = BodyLimits { patience: Duration::from_millis(50), ..BodyLimits::up_to(MAX_PAYLOAD) };
    let mounted = Mounted::with(Origins::Any, limits, OPTIONS);
    let mut stream = mounted.connect().await;
    stream.write_all(head(100).as_bytes()).await.unwrap();
    stream.write_all(b"4").await.unwrap();
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 408") && head.contains("application/problem+json"), "{head}");
    assert!(body.contains("urn:mango:problem:request-timeout"), "{body}");
}

/// Nobody knows who sends it, so it must not take the room of those who are known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_for_no_session_is_refused_before_it_is_read() {
    let room = MAX_PAYLOAD;
    let mounted = Mounted::with(Origins::Any, BodyLimits { room, ..BodyLimits::up_to(MAX_PAYLOAD) }, OPTIONS);
    let client = reqwest::Client::new();
    let session = mounted.session(&mounted.poll(&client).await);
    let unknown = format!("&sid={UNKNOWN}");
    let mut held = Vec::new();
    for (method, session, answer) in [
        ("POST", unknown.as_str(), r#"{"code":"1","message":"Session ID unknown"}"#),
        ("GET", &unknown, r#"{"code":"1","message":"Session ID unknown"}"#),
        ("POST", "", r#"{"code":"2","message":"Bad handshake method"}"#),
    ] {
        let mut stream = mounted.connect().await;
        let head = format!("{method} {POLLING}{session} HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_PAYLOAD}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'4'; MAX_PAYLOAD - 1000]).await.unwrap();
        let (head, body) = response(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 400") && body == answer, "{head}{body}");
        held.push(stream);
    }
    let known = client.post(&session).body("40").send().await.unwrap();
    assert_eq!(known.status(), 200, "it finds all of the room");
}
