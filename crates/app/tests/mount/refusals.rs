//! What is refused before it reaches the application, and that it is refused in the same words as everything else.

use std::time::Duration;

use mango::server::{Options, Origins};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::harness::{MAX_PAYLOAD, Mounted, OPTIONS, POLLING, SOCKET, SOON, handshake, raw, response};

/// The head of the one answer to these bytes, which must be a whole problem with this status, and the problem.
async fn refused(mounted: &Mounted, bytes: impl AsRef<[u8]>, status: u16) -> (String, Value) {
    let answer = raw(mounted.address, bytes.as_ref()).await;
    let sent = String::from_utf8_lossy(bytes.as_ref());
    let sent: String = sent.chars().take(200).collect();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{sent:?} gave {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{sent:?} gave {head}");
    for line in [
        "connection: close",
        "content-type: application/problem+json",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "cache-control: no-store",
        &format!("content-length: {}", body.len()),
    ] {
        assert_eq!(head.lines().filter(|found| *found == line).count(), 1, "{line}: {sent:?} gave {head}");
    }
    assert!(head.contains("\r\nx-request-id: ") && head.contains("\r\ndate: "), "{sent:?} gave {head}");
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{sent:?} gave {answer:?}"));
    assert_eq!(problem["status"], status);
    (head.to_owned(), problem)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_a_problem() {
    let mounted = Mounted::start(Origins::Any);
    for bytes in [
        "hello\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nbad header: 1\r\n\r\n",
        "GET /hello HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /a b c HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
    ] {
        let (_, problem) = refused(&mounted, bytes, 400).await;
        assert_eq!(problem["type"], "urn:mango:problem:bad-request", "{bytes:?}");
    }
    let fields = "X-Field: 1\r\n".repeat(200);
    refused(&mounted, format!("GET /hello HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), 431).await;
    // All of it is sent before the answer is read.
    let (_, problem) = refused(&mounted, format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 20)), 431).await;
    assert!(problem["detail"].as_str().unwrap().contains("32 KiB"), "{problem}");
    assert_eq!(reqwest::get(mounted.url("/hello")).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_takes_too_long_is_a_problem() {
    let options = Options { head_timeout: Duration::from_millis(100), ..OPTIONS };
    let mounted = Mounted::with(Origins::Any, mango_http::BodyLimits::up_to(MAX_PAYLOAD), options);
    let (_, problem) = refused(&mounted, "GET /hello HTTP/1.1\r\nHost:", 408).await;
    assert_eq!(problem["type"], "urn:mango:problem:request-timeout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_request_that_stops_or_trickles_is_cut_off() {
    let options = Options { request_timeout: Duration::from_millis(500), ..OPTIONS };
    let mounted = Mounted::with(Origins::Any, mango_http::BodyLimits::up_to(MAX_PAYLOAD), options);
    for rest in ["GET /hello HTTP/1.1\r\nHost:", "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx"] {
        let mut stream = mounted.connect().await;
        for _ in 0..2 {
            stream.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert_eq!(response(&mut stream).await.1, "hello");
            // Between requests one may take one's time.
            assert!(timeout(Duration::from_secs(1), stream.read_u8()).await.is_err(), "nothing comes, and no end");
        }
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(rest.as_bytes()).await.unwrap();
        let trickle = async {
            while writer.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(50)).await
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = trickle => {}
            ended = timeout(SOON, reader.read_to_end(&mut answer)) => drop(ended.expect("an end")),
        }
    }
    assert_eq!(reqwest::get(mounted.url("/hello")).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_before_one_that_is_refused_are_answered() {
    let mounted = Mounted::start(Origins::Any);
    for (refused, status) in [("rubbish\r\n\r\n".to_owned(), 400), (handshake("/hello", ""), 404)] {
        let mut stream = mounted.connect().await;
        let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(format!("{hello}{hello}{refused}").as_bytes()).await.unwrap();
        assert_eq!(response(&mut stream).await.1, "hello");
        assert_eq!(response(&mut stream).await.1, "hello");
        let (head, body) = response(&mut stream).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && head.contains("problem+json"), "{head}");
        assert!(body.contains(&format!("\"status\":{status}")), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrades_of_other_paths_and_connect_are_problems() {
    let mounted = Mounted::start(Origins::Any);
    let connect = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    let with_more = format!("{connect}bytes that nobody reads");
    let targets = ["/", "/hello", "/ws", "/ws/socket.io-admin/", "/ws/socket.io/x", "/ws/socket.iox"];
    let handshakes = targets.map(|target| handshake(target, ""));
    for bytes in handshakes.into_iter().chain([connect.to_owned(), with_more]) {
        let (_, problem) = refused(&mounted, bytes, 404).await;
        assert_eq!(problem["type"], "urn:mango:problem:not-found");
    }
    let (head, _) = refused(&mounted, handshake("/hello", "X-Request-Id: mine\r\n"), 404).await;
    assert!(head.contains("x-request-id: mine\r\n") || head.ends_with("x-request-id: mine"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_handshake_is_a_problem_that_says_what_is_missing() {
    let mounted = Mounted::start(Origins::Any);
    let whole = handshake(SOCKET, "");
    for (bytes, missing) in [
        (whole.replace("HTTP/1.1", "HTTP/1.0"), "HTTP/1.1"),
        (whole.replace("GET", "PUT"), "GET"),
        (whole.replace("Connection: Upgrade\r\n", ""), "Connection: Upgrade"),
        (whole.replace("Version: 13", "Version: 8"), "Sec-WebSocket-Version: 13"),
        (whole.replace("Sec-WebSocket-Version", "X-Version"), "Sec-WebSocket-Version: 13"),
        (whole.replace("Sec-WebSocket-Key", "X-Key"), "Sec-WebSocket-Key"),
        (whole.replace("dGhlIHNhbXBsZSBub25jZQ==", "x"), "Sec-WebSocket-Key"),
        (whole.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTE="), "Sec-WebSocket-Key"),
        (whole.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBs-SBub25jZQ=="), "Sec-WebSocket-Key"),
        (whole.replace("mango.test", "a b/../"), "Host"),
        (whole.replace("mango.test", "me@mango.test"), "Host"),
        (whole.replace("mango.test", ""), "Host"),
        (handshake(SOCKET, "Content-Length: 5\r\n") + "abcde", "without a body"),
        (handshake("/ws/socket.io/", ""), "transport=websocket"),
        (handshake("/ws/socket.io/?EIO=4&transport=polling", ""), "transport=websocket"),
    ] {
        let (head, problem) = refused(&mounted, &bytes, 400).await;
        assert!(problem["detail"].as_str().unwrap().contains(missing), "{bytes} gave {problem}");
        assert!(head.contains("sec-websocket-version: 13"), "{head}");
    }
    // Actix reads the body of this one and takes it for no upgrade.
    let mut stream = mounted.connect().await;
    let chunked = handshake(SOCKET, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n";
    stream.write_all(chunked.as_bytes()).await.unwrap();
    assert!(response(&mut stream).await.0.starts_with("HTTP/1.1 400"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unusual_in_a_handshake_and_right_is_taken() {
    let mounted = Mounted::start(Origins::Any);
    let whole = handshake(SOCKET, "");
    for bytes in [
        handshake(SOCKET, "Content-Length: 0\r\n"),
        whole.replace("mango.test", "mango.test:5000"),
        whole.replace("mango.test", "[2001:db8::1]:5000"),
        whole.replace("mango.test", "192.0.2.1"),
    ] {
        let mut stream = mounted.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let (head, _) = response(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{bytes} gave {head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_foreign_origin_is_refused_with_a_problem() {
    let mounted = Mounted::start(Origins::Only(vec!["https://app.example".to_owned()]));
    let (_, problem) = refused(&mounted, handshake(SOCKET, "Origin: https://evil.example\r\n"), 403).await;
    assert_eq!(problem["type"], "urn:mango:problem:forbidden");
    for origin in ["Origin: https://app.example\r\n", "Origin: http://mango.test\r\n", ""] {
        let mut stream = mounted.connect().await;
        stream.write_all(handshake(SOCKET, origin).as_bytes()).await.unwrap();
        let (head, _) = response(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("x-request-id: "), "{origin:?}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_engine_io_refuses_has_the_headers_too() {
    let mounted = Mounted::start(Origins::Any);
    let target = "/ws/socket.io/?EIO=3&transport=websocket";
    let answer = raw(mounted.address, handshake(target, "X-Request-Id: mine\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    for line in ["connection: close", "x-request-id: mine", "x-content-type-options: nosniff"] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line} is not in {answer}");
    }
    assert!(answer.ends_with(r#"{"code":"5","message":"Unsupported protocol version"}"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_is_answered_once() {
    let mounted = Mounted::start(Origins::Any);
    let head = format!("POST {POLLING}&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let answer = raw(mounted.address, format!("{head}2\r\n44\r\nno number\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    assert!(answer.contains("urn:mango:problem:bad-request"), "{answer}");
}

/// Whoever is told of a WebSocket that is none would take the next answers on the connection for its frames.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_http_was_not_asked_for_is_refused() {
    let mounted = Mounted::start(Origins::Any);
    for (target, asked) in [
        (SOCKET, "Connection: close"),
        (SOCKET, "Connection: close\r\nUpgrade: h2c"),
        (SOCKET, "Connection: close\r\nUpgrade: websocket, h2c"),
        (SOCKET, "Connection: close, Upgrade\r\nUpgrade: h2c"),
        ("/ws/socket.io/?transport=websocket&EIO=4", "Connection: close"),
        ("/ws/socket.io/?EIO=4&transport=web%73ocket", "Connection: close"),
    ] {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\n{asked}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let answer = raw(mounted.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{target} {asked}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_engine_io_does_not_have_is_refused() {
    let mounted = Mounted::start(Origins::Any);
    for method in ["PUT", "DELETE", "PATCH"] {
        let request = format!("{method} {POLLING} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = raw(mounted.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET, POST"), "{answer}");
    }
}
