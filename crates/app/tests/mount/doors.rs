//! The two doors of the sockets, WebSocket and long-polling, beside ordinary requests.

use std::sync::{Arc, Mutex};

use futures_util::SinkExt;
use mango::server::{Origins, Stopped};
use socketioxide::extract::SocketRef;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{MAX_PAYLOAD, Mounted, POLLING, SOCKET, echo, join, join_polling, response, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_echoes_and_its_client_address_is_known() {
    let mounted = Mounted::start(Origins::Any);
    let mut socket = mounted.websocket().await;
    assert_eq!(join(&mut socket).await, r#"42["client","127.0.0.1"]"#);
    echo(&mut socket).await;
    assert_eq!(mounted.sockets.open(), 1);
    drop(socket);
    mounted.until_open(0).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_says_who_the_client_is() {
    let mounted = Mounted::start(Origins::Any);
    let forwarded = "for=6.6.6.6, for=\"203.0.113.7:4711\"";
    let mut request = format!("ws://{}{SOCKET}", mounted.address).into_client_request().unwrap();
    request.headers_mut().insert("forwarded", forwarded.parse().unwrap());
    let mut socket = tokio_tungstenite::client_async(request, mounted.connect().await).await.unwrap().0;
    assert_eq!(join(&mut socket).await, r#"42["client","203.0.113.7"]"#);

    let headers = [("x-forwarded-for".parse().unwrap(), "6.6.6.6, 203.0.113.8".parse().unwrap())];
    let client = reqwest::Client::builder().default_headers(headers.into_iter().collect()).build().unwrap();
    let session = mounted.session(&mounted.poll(&client).await);
    assert!(join_polling(&client, &session).await.contains(r#"42["client","203.0.113.8"]"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_opens_sends_receives_and_upgrades() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let open = mounted.poll(&client).await;
    assert_eq!(open["maxPayload"], MAX_PAYLOAD);
    assert_eq!(open["upgrades"][0], "websocket");
    let session = mounted.session(&open);
    let received = join_polling(&client, &session).await;
    assert!(received.contains(r#"42["client","127.0.0.1"]"#), "{received}");

    // A poll that waits is answered by what another request brings about.
    let waiting = tokio::spawn(client.get(&session).send());
    client.post(&session).body(r#"4215["echo","waited"]"#).send().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), r#"4315["waited"]"#);

    // Such requests do not fill the log.
    for (path, routine) in [(POLLING, true), ("/hello", false)] {
        let answer = client.get(mounted.url(path)).send().await.unwrap();
        assert_eq!(answer.headers().contains_key("x-routine"), routine, "{path}");
    }

    // The path may lack its slash, and unknown sessions are refused.
    let bare = mounted.url("/ws/socket.io?EIO=4&transport=polling");
    assert!(client.get(&bare).send().await.unwrap().text().await.unwrap().starts_with("0{"));
    assert_eq!(client.get(mounted.url(POLLING) + "&sid=AAAAAAAAAAAAAAAA").send().await.unwrap().status(), 400);

    let url = format!("ws://{}{SOCKET}&sid={}", mounted.address, open["sid"].as_str().unwrap());
    let mut socket = tokio_tungstenite::client_async(url, mounted.connect().await).await.unwrap().0;
    socket.send(Message::text("2probe")).await.unwrap();
    assert_eq!(text(&mut socket).await, "3probe");
    socket.send(Message::text("5")).await.unwrap();
    echo(&mut socket).await;
    drop(socket);
    mounted.until_open(0).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_carries_rest_then_polling_then_a_websocket() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = mounted.connect().await;
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(response(&mut stream).await.1, "hello");
    stream.write_all(b"GET /ws/socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(response(&mut stream).await.1.starts_with("0{"));
    stream.write_all(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345").await.unwrap();
    assert_eq!(response(&mut stream).await.1, "5");
    let url = format!("ws://{}{SOCKET}", mounted.address);
    let mut socket = tokio_tungstenite::client_async(url, stream).await.unwrap().0;
    join(&mut socket).await;
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_upgrade_carries_headers_of_the_client() {
    let mounted = Mounted::start(Origins::Any);
    let mut request = format!("ws://{}{SOCKET}", mounted.address).into_client_request().unwrap();
    request.headers_mut().insert("auth", "token".parse().unwrap());
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    mounted.io.ns("/headers", async move |socket: SocketRef| {
        *keep.lock().unwrap() = socket.req_parts().headers.get("auth").cloned();
        socket.emit("seen", &()).unwrap();
    });
    let mut socket = tokio_tungstenite::client_async(request, mounted.connect().await).await.unwrap().0;
    text(&mut socket).await;
    socket.send(Message::text("40/headers,")).await.unwrap();
    text(&mut socket).await;
    text(&mut socket).await;
    assert_eq!(seen.lock().unwrap().as_ref().unwrap(), "token");
}

/// RFC 6455, section 10.2: a page of an origin that is not listed gets no socket, by neither door, nor may it speak over one that is
/// open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pages_of_listed_origins_pass_either_door() {
    let mounted = Mounted::start(Origins::Only(vec!["https://app.example".to_owned()]));
    let client = reqwest::Client::new();
    let session = mounted.session(&mounted.poll(&client).await);
    let own = format!("http://{}", mounted.address);
    for (origin, allowed) in [
        ("https://app.example", true),
        (own.as_str(), true),
        ("https://evil.example", false),
        ("https://app.example.evil.example", false),
        ("null", false),
    ] {
        let mut request = format!("ws://{}{SOCKET}", mounted.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let upgraded = tokio_tungstenite::client_async(request, mounted.connect().await).await;
        assert_eq!(upgraded.is_ok(), allowed, "{origin}");

        let open = client.get(mounted.url(POLLING)).header("origin", origin).send().await.unwrap();
        assert_eq!(open.status(), if allowed { 200 } else { 403 }, "{origin}");
        let body = open.text().await.unwrap();
        assert!(allowed || body.contains("urn:mango:problem:forbidden"), "{origin}: {body}");
        if !allowed {
            let post = client.post(&session).header("origin", origin).body("40");
            assert_eq!(post.send().await.unwrap().status(), 403, "{origin}");
            assert_eq!(client.get(&session).header("origin", origin).send().await.unwrap().status(), 403, "{origin}");
        }
    }
}

/// The same host in the clear is another origin where a proxy does TLS, and the trusted proxy says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_the_clear_passes_neither_door_where_a_proxy_does_tls() {
    let mounted = Mounted::start(Origins::Only(Vec::new()));
    let client = reqwest::Client::new();
    for (scheme, told, allowed) in
        [("http", "https", false), ("https", "https", true), ("http", "http", true), ("https", "http", false)]
    {
        let origin = format!("{scheme}://{}", mounted.address);
        let mut request = format!("ws://{}{SOCKET}", mounted.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request.headers_mut().insert("x-forwarded-proto", told.parse().unwrap());
        let upgraded = tokio_tungstenite::client_async(request, mounted.connect().await).await;
        assert_eq!(upgraded.is_ok(), allowed, "{origin} over {told}");

        let open = client.get(mounted.url(POLLING)).header("origin", &origin).header("x-forwarded-proto", told);
        assert_eq!(open.send().await.unwrap().status(), if allowed { 200 } else { 403 }, "{origin} over {told}");
    }
}
