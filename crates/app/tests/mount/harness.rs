//! A server on a port of its own, and clients that speak to it in bytes, packets and frames.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpMessage as _, HttpResponse, web};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryFutureExt};
use mango::server::{Doors, Options, Origins, Running, Sockets, Stopped, listen, mount};
use mango_domain::model::Room;
use mango_http::{Bodies, BodyLimits, Routine, TrustedProxies};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

pub const MAX_PAYLOAD: usize = 64 * 1024;
pub const SOON: Duration = Duration::from_secs(10);
pub const OPTIONS: Options = Options::new(2, Duration::from_secs(5));
/// Who is believed when it says who the client is; the tests come from there.
pub const TRUSTED: &str = "127.0.0.1";
/// The target of a WebSocket.
pub const SOCKET: &str = "/ws/socket.io/?EIO=4&transport=websocket";
/// The target of a new session of long-polling.
pub const POLLING: &str = "/ws/socket.io/?EIO=4&transport=polling";

/// A session that there is not, as far as the doors know. Of all others they take it that there are.
pub const UNKNOWN: &str = "BBBBBBBBBBBBBBBB";

pub struct Mounted {
    pub address: SocketAddr,
    pub sockets: Sockets,
    pub io: SocketIo,
    running: Running,
    /// A permit lets one request for `/slow` be answered.
    pub slow: Arc<Semaphore>,
}

impl Mounted {
    pub fn start(origins: Origins) -> Self {
        Self::with(origins, BodyLimits::up_to(MAX_PAYLOAD), OPTIONS)
    }

    pub fn with(origins: Origins, bodies: BodyLimits, options: Options) -> Self {
        Self::behind(TRUSTED, Room::new(usize::MAX), origins, bodies, options)
    }

    /// With no place for a connection of anybody but the trusted proxy.
    pub fn with_no_places(origins: Origins) -> Self {
        Self::behind(TRUSTED, Room::new(usize::MAX).at_most(0), origins, BodyLimits::up_to(MAX_PAYLOAD), OPTIONS)
    }

    /// For so many connections of an address, of which nobody is a trusted proxy.
    pub fn with_connections(most: usize, options: Options) -> Self {
        Self::behind("", Room::new(usize::MAX).at_most(most), Origins::Any, BodyLimits::up_to(MAX_PAYLOAD), options)
    }

    fn behind(proxies: &str, connections: Room, origins: Origins, bodies: BodyLimits, options: Options) -> Self {
        let builder = SocketIo::builder().req_path("/ws/socket.io").max_payload(u64::try_from(MAX_PAYLOAD).unwrap());
        let (service, io) = builder.build_svc();
        io.ns("/", async |socket: SocketRef| {
            socket.on("echo", async |ack: AckSender, Data::<serde_json::Value>(data)| ack.send(&data).unwrap());
            socket
                .on("flood", async |socket: SocketRef| while socket.emit("drop", &"x".repeat(MAX_PAYLOAD)).is_ok() {});
            socket.on("panic", async || panic!("a handler panics"));
            // The news that the handlers are in place, so it comes last.
            let client = socket.req_parts().extensions.get::<IpAddr>().map(IpAddr::to_string);
            socket.emit("client", &client).unwrap();
        });
        let proxies = TrustedProxies::parse(proxies).unwrap();
        let sockets = Sockets::new(
            service,
            Doors {
                origins,
                bodies: Bodies::new(bodies),
                proxies,
                polls: Box::new(|session| session != UNKNOWN),
                admit: Box::new(|_| None),
                places: Room::new(usize::MAX),
                connections,
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let slow = Arc::new(Semaphore::new(0));
        let app = {
            let (sockets, slow) = (sockets.clone(), slow.clone());
            move || {
                App::new()
                    .app_data(web::Data::from(slow.clone()))
                    .configure(|config| mount(config, &sockets))
                    .wrap_fn(|request, service| service.call(request).map_ok(show_routine))
                    .route("/hello", web::get().to(async || "hello"))
                    .route("/slow", web::get().to(when_let))
                    .route("/panic", web::get().to(panicking))
                    .route("/length", web::post().to(async |body: Bytes| body.len().to_string()))
            }
        };
        let running = listen(listener, app, &sockets, options).unwrap();
        Self { address, running, sockets, io, slow }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn websocket(&self) -> WebSocketStream<TcpStream> {
        let url = format!("ws://{}{SOCKET}", self.address);
        tokio_tungstenite::client_async(url, self.connect().await).await.unwrap().0
    }

    /// Opens a session of long-polling, and tells what the server says of it.
    pub async fn poll(&self, client: &reqwest::Client) -> serde_json::Value {
        let open = client.get(self.url(POLLING)).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap()
    }

    /// The URL of a session of long-polling.
    pub fn session(&self, open: &serde_json::Value) -> String {
        format!("{}&sid={}", self.url(POLLING), open["sid"].as_str().unwrap())
    }

    pub async fn stop(self) -> Stopped {
        self.running.stop(std::future::ready(())).await
    }

    /// Waits until as many upgraded connections are open.
    pub async fn until_open(&self, count: usize) {
        let reached = async {
            while self.sockets.open() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, reached).await.unwrap();
    }
}

/// Tells in a header whether the request is left out of the log.
fn show_routine<B>(mut response: ServiceResponse<B>) -> ServiceResponse<B> {
    if response.request().extensions().contains::<Routine>() {
        response.headers_mut().insert(HeaderName::from_static("x-routine"), HeaderValue::from_static("yes"));
    }
    response
}

async fn when_let(slow: web::Data<Semaphore>) -> HttpResponse {
    slow.acquire().await.unwrap().forget();
    HttpResponse::Ok().body("at last")
}

async fn panicking() -> HttpResponse {
    panic!("a route panics")
}

/// The next packet that is no ping.
pub async fn text<S>(socket: &mut WebSocketStream<S>) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
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
pub async fn join<S>(socket: &mut WebSocketStream<S>) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    assert!(text(socket).await.starts_with("0{"), "the open packet comes first");
    socket.send(Message::text("40")).await.unwrap();
    let packets = [text(socket).await, text(socket).await];
    assert!(packets.iter().any(|packet| packet.starts_with("40{")), "{packets:?}");
    packets.into_iter().find(|packet| packet.starts_with("42[\"client\"")).unwrap()
}

/// Connects the namespace in a session of long-polling, and returns what the server says then.
pub async fn join_polling(client: &reqwest::Client, session: &str) -> String {
    let sent = client.post(session).body("40").send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), "ok");
    let mut received = String::new();
    while !received.contains("42[\"client\"") {
        received += &client.get(session).send().await.unwrap().text().await.unwrap();
    }
    received
}

pub async fn echo<S>(socket: &mut WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.send(Message::text(r#"4217["echo",{"a":1}]"#)).await.unwrap();
    assert_eq!(text(socket).await, r#"4317[{"a":1}]"#);
}

/// Sends bytes on a connection of their own and reads all that comes back.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one response with a `content-length` from a connection that stays open.
pub async fn response(stream: &mut TcpStream) -> (String, String) {
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

pub fn handshake(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: mango.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Reads the server's agreement to [`handshake`] and goes on with frames.
pub async fn agreed(mut stream: TcpStream) -> WebSocketStream<TcpStream> {
    let (head, _) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("connection: upgrade"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}
