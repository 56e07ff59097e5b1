//! The hook through which requests to upgrade leave actix.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use actix_http::{HttpMessage, Method, Request, Version, h1};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mango_contract::problem::{Problem, ProblemKind};
use mango_http::{Exchange, UNMATCHED};
use mango_socketio::Outlet;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::probing::probe;
use super::sockets::{Seat, Sockets};
use super::stream::{Held, Upgraded};
use super::{SOCKET_PATH, head, probing, refusal};

/// The only version of WebSocket there is.
const VERSION: actix_http::header::HeaderValue = actix_http::header::HeaderValue::from_static("13");

/// When to try again when the server is about to go, and another one may be about to come.
const COME_BACK: Duration = Duration::from_secs(1);

/// A request that actix will not answer, with the TCP socket that it came on.
///
/// Actix calls the hook for everything with `Upgrade: websocket` and for every CONNECT, wherever it goes.
pub(super) fn take(sockets: &Sockets, request: &Request, framed: Framed<Connection, h1::Codec>) {
    let parts = framed.into_parts();
    let Some((socket, stand)) = parts.io.into_socket() else { return };
    let client = sockets.client(request.peer_addr(), request.headers());
    let seat = match judge(sockets, request, client) {
        Ok(seat) => seat,
        Err(problem) => {
            let id = request.headers().get("x-request-id").map(|id| id.as_bytes());
            let mut answer = Exchange::begin(request.method().as_str(), id, client).refuse(&problem, UNMATCHED);
            if problem.status == ProblemKind::BadRequest.status() {
                // RFC 6455, section 4.4.
                answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
            }
            return refusal::spawn(sockets, (socket, stand), parts.write_buf, answer);
        }
    };
    let head = head::rewrite(request, &[]);
    let session = probing::session(request.uri().query()).map(str::to_owned);
    let header = |name| request.headers().get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()));
    let (key, id) = (header(SEC_WEBSOCKET_KEY.as_str()).unwrap_or_default(), header("x-request-id"));
    // The socket is registered with the worker's event loop and has to move to that of the runtime.
    let socket = match socket.into_std() {
        Ok(socket) => socket,
        Err(error) => return tracing::debug!(%error, "a connection was lost before its upgrade"),
    };
    let open = sockets.tracker().token();
    let moved = sockets.clone();
    sockets.runtime().spawn(async move {
        let upgrading = async {
            let mut socket = TcpStream::from_std(socket)?;
            // What actix had yet to write of earlier answers on the connection.
            socket.write_all(&parts.write_buf).await?;
            let (sent, is_probed) = match session {
                Some(session) => {
                    let exchange = Exchange::begin("GET", id.as_deref(), client);
                    let probed = tokio::select! {
                        probed = probe(&mut socket, moved.probes(), &session, &key, &exchange, &parts.read_buf) => probed,
                        () = moved.hang_up().cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
                    };
                    exchange.end(http::StatusCode::SWITCHING_PROTOCOLS.as_u16(), SOCKET_PATH);
                    (probed?, true)
                }
                None => (parts.read_buf.freeze(), false),
            };
            let mut already_read = BytesMut::from(head);
            already_read.put(sent);
            serve(&moved, socket, already_read.freeze(), is_probed, client, (open, stand, seat)).await
        };
        if let Err(error) = upgrading.await {
            tracing::debug!(%error, "a connection ended before its upgrade");
        }
    });
}

fn judge(sockets: &Sockets, request: &Request, client: Option<IpAddr>) -> Result<Option<Seat>, Problem> {
    let path = request.path();
    if request.method() == Method::CONNECT || path.strip_suffix('/').unwrap_or(path) != SOCKET_PATH {
        return Err(Problem::new(ProblemKind::NotFound, "a WebSocket is served at /ws/socket.io/ alone"));
    }
    if let Some(missing) = missing(request) {
        return Err(Problem::new(ProblemKind::BadRequest, format!("a WebSocket needs {missing}")));
    }
    if !sockets.doors().origins.allow(request.headers()) {
        return Err(Problem::new(ProblemKind::Forbidden, "pages of this origin may not connect"));
    }
    if sockets.closing().is_cancelled() {
        return Err(Problem::unavailable(COME_BACK));
    }
    if probing::session(request.uri().query()).is_some_and(|session| !(sockets.doors().polls)(session)) {
        return Err(Problem::new(ProblemKind::BadRequest, "there is no such session: connect again"));
    }
    sockets.admit(client, request.uri().query())
}

/// What a handshake lacks (RFC 6455, section 4.2.1, and the protocol of Engine.IO).
fn missing(request: &Request) -> Option<&'static str> {
    let headers = request.headers();
    let transport = probing::names_websocket(request.uri().query());
    let requirements = [
        (request.version() == Version::HTTP_11, "HTTP/1.1"),
        (request.method() == Method::GET, "GET"),
        (request.upgrade(), "Connection: Upgrade"),
        (headers.get(SEC_WEBSOCKET_VERSION) == Some(&VERSION), "Sec-WebSocket-Version: 13"),
        (headers.contains_key(SEC_WEBSOCKET_KEY), "Sec-WebSocket-Key"),
        (transport, "transport=websocket in its query"),
    ];
    requirements.into_iter().find(|(met, _)| !met).map(|(_, name)| name)
}

/// Lets hyper serve the one request. Where the client has probed already, it has had the answer to that request and the probe.
async fn serve(
    sockets: &Sockets,
    socket: TcpStream,
    already_read: Bytes,
    is_probed: bool,
    client: Option<IpAddr>,
    held: Held,
) -> io::Result<()> {
    // With a token of its own, a connection can be broken off alone, and when it waits it shares no lock with the others.
    let wire = sockets.hang_up().child_token();
    let outlet = Outlet::new(wire.clone());
    let hang_up = (wire, sockets.hang_up().clone());
    let io = TokioIo::new(outlet.meter(Upgraded::new(already_read, socket, is_probed, hang_up, held)));
    let service = service_fn(|mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(outlet.clone());
        async move {
            let id = request.headers().get("x-request-id").map(HeaderValue::as_bytes);
            let exchange = (!is_probed).then(|| Exchange::begin(request.method().as_str(), id, client));
            let mut answer = sockets.call(with_own_head(request).map(Either::Left), client, None).await;
            if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                // Only Socket.IO answers on this connection from here on, so the client must open another one for anything else.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            if let Some(exchange) = exchange {
                for (name, value) in exchange.headers() {
                    if let Ok(value) = value.try_into() {
                        answer.headers_mut().entry(name).or_insert(value);
                    }
                }
                exchange.end(answer.status().as_u16(), SOCKET_PATH);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new().serve_connection(io, service).with_upgrades();
    connection.await.map_err(io::Error::other)
}

/// The request with a copy of its head. A socket keeps the head as long as it lives, and hyper's is a part of the buffer that it was
/// read into, all 8 KiB of which would be kept with it.
fn with_own_head<B>(mut request: http::Request<B>) -> http::Request<B> {
    for value in request.headers_mut().values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(copy) = request.uri().to_string().parse() {
        *request.uri_mut() = copy;
    }
    request
}
