//! The hook through which requests to upgrade leave actix.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_codec::Framed;
use actix_http::{HttpMessage, Method, Request, Version, h1};
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mango_contract::problem::{Problem, ProblemKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::sockets::Sockets;
use super::stream::Upgraded;
use super::{PROBLEM_JSON, SOCKET_PATH, head, problem_body};

/// How long a connection that was refused may take to read why.
const LINGER: Duration = Duration::from_secs(2);

/// A request that actix will not answer, with the TCP socket that it came on.
///
/// Actix calls the hook for everything with `Upgrade: websocket` and for every CONNECT, wherever it goes.
pub(super) fn take(sockets: &Sockets, request: &Request, framed: Framed<TcpStream, h1::Codec>) {
    let parts = framed.into_parts();
    let verdict = judge(sockets, request);
    let already_read = match verdict {
        Ok(()) => head::rewrite(request, &parts.read_buf),
        Err(_) => Bytes::new(),
    };
    let client = request.peer_addr();
    // The socket is registered with the worker's event loop and has to move to that of the runtime.
    let socket = match parts.io.into_std() {
        Ok(socket) => socket,
        Err(error) => return tracing::debug!(%error, "a connection was lost before its upgrade"),
    };
    let open = sockets.tracker().token();
    let moved = sockets.clone();
    sockets.runtime().spawn(async move {
        let served = match verdict {
            Ok(()) => serve(&moved, socket, &parts.write_buf, already_read, client, open).await,
            Err(problem) => refuse(socket, parts.write_buf, &problem).await,
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended before its upgrade");
        }
    });
}

fn judge(sockets: &Sockets, request: &Request) -> Result<(), Problem> {
    let path = request.path();
    if request.method() == Method::CONNECT || path.strip_suffix('/').unwrap_or(path) != SOCKET_PATH {
        return Err(Problem::new(ProblemKind::NotFound, "no WebSocket is served here"));
    }
    if request.version() != Version::HTTP_11 {
        return Err(Problem::new(ProblemKind::BadRequest, "a WebSocket needs HTTP/1.1"));
    }
    if !sockets.origins().allow(request.headers()) {
        return Err(Problem::new(ProblemKind::Forbidden, "pages of this origin may not connect"));
    }
    if sockets.closing().is_cancelled() {
        return Err(Problem::unavailable(Duration::from_secs(1)));
    }
    Ok(())
}

/// Lets hyper serve the one request. `pending` is what actix had yet to write of earlier answers on the connection.
async fn serve(
    sockets: &Sockets,
    socket: std::net::TcpStream,
    pending: &[u8],
    already_read: Bytes,
    client: Option<SocketAddr>,
    open: TaskTrackerToken,
) -> io::Result<()> {
    let mut socket = TcpStream::from_std(socket)?;
    socket.write_all(pending).await?;
    let io = TokioIo::new(Upgraded::new(already_read, socket, sockets.hang_up(), open));
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        let start = Instant::now();
        let mut answer = sockets.call(request.map(Either::Left), client).await;
        if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            // Only Socket.IO answers on this connection from here on, so the client must open another one for anything else.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        report(answer.status().as_u16(), SOCKET_PATH, start);
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new().serve_connection(io, service).with_upgrades();
    connection.await.map_err(io::Error::other)
}

/// Logs and counts a request as those that stay with actix are logged and counted.
fn report(status: u16, route: &'static str, start: Instant) {
    let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    let labels = [("method", "GET".to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("mango_http_requests_total", &labels).increment(1);
    tracing::info!(method = "GET", route, status, elapsed_ms, upgrade = "websocket", "request");
}

/// Says why and closes.
async fn refuse(socket: std::net::TcpStream, mut answers: BytesMut, problem: &Problem) -> io::Result<()> {
    let mut socket = TcpStream::from_std(socket)?;
    let body = problem_body(problem);
    let reason = http::StatusCode::from_u16(problem.status).ok().and_then(|status| status.canonical_reason());
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        problem.status,
        reason.unwrap_or_default(),
        body.len(),
    );
    answers.extend_from_slice(head.as_bytes());
    answers.extend_from_slice(&body);
    report(problem.status, "unmatched", Instant::now());
    let farewell = async {
        socket.write_all(&answers).await?;
        socket.shutdown().await?;
        // Closing with bytes unread would reset the connection, and the client might never see the answer.
        let mut rest = [0; 4096];
        while socket.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(LINGER, farewell).await.unwrap_or(Ok(()))
}
