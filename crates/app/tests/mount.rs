//! The one port, with a small application and a small namespace behind it: what goes where, and what survives what.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails should fail its test")]

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use mango::server::{Options, Origins, Running, Sockets, Stopped, listen, mount};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;

const MAX_PAYLOAD: usize = 64 * 1024;
const SOON: Duration = Duration::from_secs(10);

struct Mounted {
    address: SocketAddr,
    running: Running,
    sockets: Sockets,
    io: SocketIo,
}

impl Mounted {
    fn start(origins: Origins) -> Self {
        let builder = SocketIo::builder().req_path("/ws/socket.io").max_payload(u64::try_from(MAX_PAYLOAD).unwrap());
        let (service, io) = builder.build_svc();
        io.ns("/", async |socket: SocketRef| {
            socket.on("echo", async |ack: AckSender, Data::<serde_json::Value>(data)| ack.send(&data).unwrap());
            socket.on("panic", async || panic!("a handler panics"));
            // The news that the handlers are in place, so it comes last.
            let client = socket.req_parts().extensions.get::<SocketAddr>().map(SocketAddr::to_string);
            socket.emit("client", &client).unwrap();
        });
        let sockets = Sockets::new(service, origins, MAX_PAYLOAD);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options { workers: 2, shutdown_timeout: Duration::from_secs(5) };
        let app = {
            let sockets = sockets.clone();
            move || {
                App::new()
                    .configure(|config| mount(config, &sockets))
                    .route("/hello", web::get().to(async || "hello"))
                    .route("/slow", web::get().to(slow))
                    .route("/panic", web::get().to(panicking))
                    .route("/length", web::post().to(async |body: Bytes| body.len().to_string()))
            }
        };
        let running = listen(listener, app, &sockets, options).unwrap();
        Self { address, running, sockets, io }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn websocket(&self) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/ws/socket.io/?EIO=4&transport=websocket", self.address);
        tokio_tungstenite::client_async(url, stream).await.unwrap().0
    }

    async fn stop(self) -> Stopped {
        let io = self.io;
        self.running.stop(async move { io.close().await }).await
    }

    /// Waits until as many upgraded connections are open.
    async fn until_open(&self, count: usize) {
        let reached = async {
            while self.sockets.open() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, reached).await.unwrap();
    }
}

async fn slow() -> HttpResponse {
    tokio::time::sleep(Duration::from_millis(700)).await;
    HttpResponse::Ok().body("at last")
}

async fn panicking() -> HttpResponse {
    panic!("a route panics")
}

/// The next packet that is no ping.
async fn text<S>(socket: &mut WebSocketStream<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let message = timeout(SOON, socket.next()).await.unwrap().unwrap().unwrap();
        let text = message.into_text().unwrap();
        // Pings come whenever they like.
        if text.as_str() != "2" {
            return text.to_string();
        }
    }
}

/// Connects the namespace on an open WebSocket and returns the address that the server sees.
async fn join<S>(socket: &mut WebSocketStream<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    assert!(text(socket).await.starts_with("0{"), "the open packet comes first");
    socket.send(Message::text("40")).await.unwrap();
    let packets = [text(socket).await, text(socket).await];
    assert!(packets.iter().any(|packet| packet.starts_with("40{")), "{packets:?}");
    packets.into_iter().find(|packet| packet.starts_with("42[\"client\"")).unwrap()
}

async fn echo<S>(socket: &mut WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    socket.send(Message::text(r#"4217["echo",{"a":1}]"#)).await.unwrap();
    assert_eq!(text(socket).await, r#"4317[{"a":1}]"#);
}

/// Sends bytes on a connection of their own, closes the writing half, and reads all that comes back.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one response with a `content-length` from a connection that stays open.
async fn response(stream: &mut TcpStream) -> (String, String) {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    };
    timeout(SOON, read).await.unwrap()
}

fn handshake(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: mango.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Reads the server's agreement to [`handshake`] and goes on with frames.
async fn agreed(mut stream: TcpStream) -> WebSocketStream<TcpStream> {
    let (head, _) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("connection: upgrade"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

const SOCKET: &str = "/ws/socket.io/?EIO=4&transport=websocket";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_echoes_and_its_client_address_is_known() {
    let mounted = Mounted::start(Origins::Any);
    let mut socket = mounted.websocket().await;
    let local = socket.get_ref().local_addr().unwrap();
    assert_eq!(join(&mut socket).await, format!(r#"42["client","{local}"]"#));
    echo(&mut socket).await;
    assert_eq!(mounted.sockets.open(), 1);
    drop(socket);
    mounted.until_open(0).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_opens_sends_receives_and_upgrades() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let polling = mounted.url("/ws/socket.io/?EIO=4&transport=polling");
    let open = client.get(&polling).send().await.unwrap().text().await.unwrap();
    let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["maxPayload"], MAX_PAYLOAD);
    assert_eq!(open["upgrades"][0], "websocket");
    let sid = open["sid"].as_str().unwrap().to_owned();
    let session = format!("{polling}&sid={sid}");

    let sent = client.post(&session).body("40").send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), "ok");
    let mut received = String::new();
    while !received.contains("42[\"client\"") {
        received += &client.get(&session).send().await.unwrap().text().await.unwrap();
    }
    assert!(received.contains("127.0.0.1:"), "{received}");

    // A poll that waits is answered by what another request brings about.
    let waiting = tokio::spawn(client.get(&session).send());
    client.post(&session).body(r#"4215["echo","waited"]"#).send().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), r#"4315["waited"]"#);

    // The path may lack its slash, and unknown sessions are refused.
    let bare = mounted.url("/ws/socket.io?EIO=4&transport=polling");
    assert!(client.get(&bare).send().await.unwrap().text().await.unwrap().starts_with("0{"));
    assert_eq!(client.get(format!("{polling}&sid=AAAAAAAAAAAAAAAA")).send().await.unwrap().status(), 400);

    let stream = TcpStream::connect(mounted.address).await.unwrap();
    let url = format!("ws://{}{SOCKET}&sid={sid}", mounted.address);
    let mut socket = tokio_tungstenite::client_async(url, stream).await.unwrap().0;
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
    let mut stream = TcpStream::connect(mounted.address).await.unwrap();
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
async fn requests_pipelined_before_an_upgrade_are_answered_first() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = TcpStream::connect(mounted.address).await.unwrap();
    let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(format!("{hello}{slow}{}", handshake(SOCKET, "")).as_bytes()).await.unwrap();
    assert_eq!(response(&mut stream).await.1, "hello");
    assert_eq!(response(&mut stream).await.1, "at last");
    let mut socket = agreed(stream).await;
    join(&mut socket).await;
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_right_behind_the_head_is_not_lost() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = TcpStream::connect(mounted.address).await.unwrap();
    // The masked frame `40` (its mask is zero) comes before the server has agreed to anything.
    let mut bytes = handshake(SOCKET, "").into_bytes();
    bytes.extend_from_slice(b"\x81\x82\0\0\0\x0040");
    stream.write_all(&bytes).await.unwrap();
    let mut socket = agreed(stream).await;
    assert!(text(&mut socket).await.starts_with("0{"));
    let packets = [text(&mut socket).await, text(&mut socket).await];
    assert!(packets.iter().any(|packet| packet.starts_with("40{")), "{packets:?}");
    echo(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_may_arrive_byte_by_byte() {
    let mounted = Mounted::start(Origins::Any);
    let mut stream = TcpStream::connect(mounted.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in handshake(SOCKET, "X-Split: yes\r\n").bytes() {
        stream.write_u8(byte).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(response(&mut stream).await.0.starts_with("HTTP/1.1 101"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_upgrades_and_connect_are_problems() {
    let mounted = Mounted::start(Origins::Only(vec!["https://app.example".to_owned()]));
    let check = async |bytes: String, status: &str| {
        let answer = raw(mounted.address, bytes.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes:?} gave {answer:?}");
        answer
    };
    for target in ["/", "/hello", "/ws", "/ws/socket.io-admin/", "/ws/socket.io/x", "/ws/socket.iox"] {
        let answer = check(handshake(target, ""), "404").await;
        assert!(answer.contains("content-type: application/problem+json"), "{answer:?}");
        assert!(answer.contains("\"type\":\"urn:mango:problem:not-found\""), "{answer:?}");
    }
    check("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n".to_owned(), "404").await;
    check("CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\nbytes that nobody reads".to_owned(), "404").await;
    check(handshake(SOCKET, "").replace("HTTP/1.1", "HTTP/1.0"), "400").await;
    check(handshake(SOCKET, "Origin: https://evil.example\r\n"), "403").await;
    // Hyper serves these and Socket.IO refuses them; the connection is not kept, since nothing else would answer on it.
    for target in
        ["/ws/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA", "/ws/socket.io/?EIO=4", "/ws/socket.io/"]
    {
        let answer = raw(mounted.address, handshake(target, "").as_bytes()).await;
        assert!(!answer.is_empty(), "{target}");
    }
    check(handshake("/ws/socket.io/", ""), "400").await;
    check(handshake(SOCKET, "").replace("Sec-WebSocket-Key", "X-Key"), "400").await;

    for origin in ["Origin: https://app.example\r\n", "Origin: http://mango.test\r\n", ""] {
        let mut stream = TcpStream::connect(mounted.address).await.unwrap();
        stream.write_all(handshake(SOCKET, origin).as_bytes()).await.unwrap();
        assert!(response(&mut stream).await.0.starts_with("HTTP/1.1 101"), "{origin:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_polling_bodies_are_refused() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let url = mounted.url("/ws/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA");
    let answer = client.post(&url).body(vec![b'4'; MAX_PAYLOAD + 1]).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let answer = client.post(&url).body(vec![b'4'; MAX_PAYLOAD]).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_and_half_sent_upgrades_leave_the_server_working() {
    let mounted = Mounted::start(Origins::Any);
    let client = reqwest::Client::new();
    let mut bystander = mounted.websocket().await;
    join(&mut bystander).await;

    for _ in 0..8 {
        assert!(client.get(mounted.url("/panic")).send().await.is_err());
        let mut socket = mounted.websocket().await;
        join(&mut socket).await;
        socket.send(Message::text(r#"42["panic"]"#)).await.unwrap();
        drop(socket);

        // A head that stops in its middle, one whose client is gone when the answer comes, and frames that are none.
        let head = handshake(SOCKET, "");
        let mut half = TcpStream::connect(mounted.address).await.unwrap();
        half.write_all(head.split_at(head.len() / 2).0.as_bytes()).await.unwrap();
        drop(half);
        let mut gone = TcpStream::connect(mounted.address).await.unwrap();
        gone.write_all(head.as_bytes()).await.unwrap();
        drop(gone);
        let mut garbage = TcpStream::connect(mounted.address).await.unwrap();
        garbage.write_all(head.as_bytes()).await.unwrap();
        response(&mut garbage).await;
        garbage.write_all(&[0xff; 64]).await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, garbage.read_to_end(&mut rest)).await.unwrap().ok();

        // A polling session whose upgrade breaks off.
        let polling = mounted.url("/ws/socket.io/?EIO=4&transport=polling");
        let open = client.get(&polling).send().await.unwrap().text().await.unwrap();
        let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let target = format!("{SOCKET}&sid={}", open["sid"].as_str().unwrap());
        let mut probing = TcpStream::connect(mounted.address).await.unwrap();
        probing.write_all(handshake(&target, "").as_bytes()).await.unwrap();
        response(&mut probing).await;
        drop(probing);
    }

    assert_eq!(client.get(mounted.url("/hello")).send().await.unwrap().text().await.unwrap(), "hello");
    echo(&mut bystander).await;
    mounted.until_open(1).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_quick_connections_come_and_go() {
    let mounted = Mounted::start(Origins::Any);
    for _ in 0..10 {
        let connections = (0..100).map(|_| async {
            let mut socket = mounted.websocket().await;
            join(&mut socket).await;
            echo(&mut socket).await;
        });
        join_all(connections).await;
    }
    mounted.until_open(0).await;
    assert_eq!(mounted.stop().await, Stopped::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_was_asked_and_takes_leave_of_sockets() {
    let mounted = Mounted::start(Origins::Any);
    let address = mounted.address;
    let client = reqwest::Client::new();
    let mut socket = mounted.websocket().await;
    join(&mut socket).await;

    let polling = mounted.url("/ws/socket.io/?EIO=4&transport=polling");
    let open = client.get(&polling).send().await.unwrap().text().await.unwrap();
    let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let session = format!("{polling}&sid={}", open["sid"].as_str().unwrap());
    client.post(&session).body("40").send().await.unwrap();
    let mut received = String::new();
    while !received.contains("42[\"client\"") {
        received += &client.get(&session).send().await.unwrap().text().await.unwrap();
    }
    let poll = tokio::spawn(client.get(&session).send());

    // The head of the request is in, its answer takes a while.
    let mut asking = TcpStream::connect(address).await.unwrap();
    asking.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(response(&mut asking).await.1, "hello");
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    response(&mut idle).await;

    let stopping = tokio::spawn(mounted.stop());
    assert_eq!(response(&mut asking).await.1, "at last");
    assert_eq!(timeout(SOON, idle.read(&mut [0; 16])).await.unwrap().unwrap(), 0, "an idle connection is closed");
    assert!(poll.await.unwrap().unwrap().status().is_success(), "a waiting poll is answered");
    let mut last = Vec::new();
    while let Some(Ok(message)) = timeout(SOON, socket.next()).await.unwrap() {
        last.push(message);
    }
    assert!(last.contains(&Message::text("41")) || last.iter().any(Message::is_close), "{last:?}");
    assert_eq!(stopping.await.unwrap(), Stopped::Clean);
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
    TcpListener::bind(address).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_those_who_never_joined() {
    let mounted = Mounted::start(Origins::Any);
    let mut socket = mounted.websocket().await;
    assert!(text(&mut socket).await.starts_with("0{"));
    let client = reqwest::Client::new();
    let polling = mounted.url("/ws/socket.io/?EIO=4&transport=polling");
    let open = client.get(&polling).send().await.unwrap().text().await.unwrap();
    let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let session = format!("{polling}&sid={}", open["sid"].as_str().unwrap());
    // The first poll gets the first ping, the second has nothing to get.
    client.get(&session).send().await.unwrap();
    let poll = tokio::spawn(client.get(&session).send());

    let begun = Instant::now();
    assert_eq!(mounted.stop().await, Stopped::Clean);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    while let Some(Ok(_)) = timeout(SOON, socket.next()).await.unwrap() {}
    // Whether it had arrived when the server stopped is up to the machine.
    let answer = poll.await.unwrap();
    assert!(answer.is_err() || answer.unwrap().status() == 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_upgrade_carries_headers_of_the_client() {
    let mounted = Mounted::start(Origins::Any);
    let mut request = format!("ws://{}{SOCKET}", mounted.address).into_client_request().unwrap();
    request.headers_mut().insert("auth", "token".parse().unwrap());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = seen.clone();
    mounted.io.ns("/headers", async move |socket: SocketRef| {
        *keep.lock().unwrap() = socket.req_parts().headers.get("auth").cloned();
        socket.emit("seen", &()).unwrap();
    });
    let stream = TcpStream::connect(mounted.address).await.unwrap();
    let mut socket = tokio_tungstenite::client_async(request, stream).await.unwrap().0;
    text(&mut socket).await;
    socket.send(Message::text("40/headers,")).await.unwrap();
    text(&mut socket).await;
    text(&mut socket).await;
    assert_eq!(seen.lock().unwrap().as_ref().unwrap(), "token");
}
