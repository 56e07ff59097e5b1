//! The hook through which requests to upgrade leave actix.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::header::{
    CONTENT_LENGTH, HOST, HeaderMap, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
};
use actix_http::{HttpMessage, Method, Request, Version, h1};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mango_contract::problem::{Problem, ProblemKind};
use mango_domain::model::Standing;
use mango_http::{Exchange, UNMATCHED};
use mango_socketio::Outlet;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::probing::probe;
use super::sockets::Sockets;
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
    let is_over = !parts.io.last().allows(request);
    let Some((socket, stand)) = parts.io.into_socket() else { return };
    if is_over {
        return refusal::close(sockets, (socket, stand), parts.write_buf);
    }
    let client = sockets.client(request.peer_addr(), request.headers());
    let (admitted, standing) = match judge(sockets, request) {
        Ok(()) => sockets.admit(client, request.uri().query()),
        Err(problem) => (Err(problem), None),
    };
    let seat = match admitted {
        Ok(seat) => seat,
        Err(problem) => {
            let id = request.headers().get("x-request-id").map(|id| id.as_bytes());
            let exchange = Exchange::begin(request.method().as_str(), id, client).counted(standing);
            let mut answer = exchange.refuse(&problem, UNMATCHED);
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
            serve(&moved, socket, already_read.freeze(), is_probed, (client, standing), (open, stand, seat)).await
        };
        if let Err(error) = upgrading.await {
            tracing::debug!(%error, "a connection ended before its upgrade");
        }
    });
}

fn judge(sockets: &Sockets, request: &Request) -> Result<(), Problem> {
    let path = request.path();
    if request.method() == Method::CONNECT || path.strip_suffix('/').unwrap_or(path) != SOCKET_PATH {
        return Err(Problem::new(ProblemKind::NotFound, "a WebSocket is served at /ws/socket.io/ alone"));
    }
    if let Some(missing) = missing(request) {
        return Err(Problem::new(ProblemKind::BadRequest, format!("a WebSocket needs {missing}")));
    }
    if !sockets.is_welcome(request.peer_addr(), request.headers()) {
        return Err(Problem::new(ProblemKind::Forbidden, "pages of this origin may not connect"));
    }
    if sockets.closing().is_cancelled() {
        return Err(Problem::unavailable(COME_BACK));
    }
    if probing::session(request.uri().query()).is_some_and(|session| !(sockets.doors().polls)(session)) {
        return Err(Problem::new(ProblemKind::BadRequest, "there is no such session: connect again"));
    }
    Ok(())
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
        (
            headers.get(SEC_WEBSOCKET_KEY).is_some_and(|key| is_key(key.as_bytes())),
            "a Sec-WebSocket-Key of 16 bytes in base64",
        ),
        (headers.get(HOST).is_some_and(|host| is_host(host.as_bytes())), "a valid Host"),
        (!has_body(headers), "a request without a body"),
        (transport, "transport=websocket in its query"),
    ];
    requirements.into_iter().find(|(met, _)| !met).map(|(_, name)| name)
}

/// Whether this is a nonce as clients make them: 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    let is_sign = |sign: &u8| sign.is_ascii_alphanumeric() || matches!(sign, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|signs| signs.len() == 22 && signs.iter().all(is_sign))
}

/// Whether this is a host, with or without a port.
fn is_host(host: &[u8]) -> bool {
    Authority::try_from(host).is_ok_and(|authority| !authority.host().is_empty() && !host.contains(&b'@'))
}

/// Whether a body comes with the request. Its bytes would be taken for frames.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Lets hyper serve the one request. Where the client has probed already, it has had the answer to that request and the probe.
async fn serve(
    sockets: &Sockets,
    socket: TcpStream,
    already_read: Bytes,
    is_probed: bool,
    (client, standing): (Option<IpAddr>, Option<Standing>),
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
            let exchange =
                (!is_probed).then(|| Exchange::begin(request.method().as_str(), id, client).counted(standing));
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
