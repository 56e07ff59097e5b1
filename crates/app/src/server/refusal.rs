//! Answers to what actix does not answer as it should: refused upgrades, and what its parser cannot read as a request.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use actix_http::body::MessageBody as _;
use actix_http::header::HttpDate;
use actix_web::HttpResponse;
use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::sockets::{Sockets, Stand};

/// How long a client may take to read what it is told last.
const LINGER: Duration = Duration::from_secs(2);

/// Answers on the connection, behind what was yet to be written of earlier answers, and closes it. The socket moves from the event
/// loop of its worker to that of the sockets.
pub(super) fn spawn(
    sockets: &Sockets,
    (socket, stand): (TcpStream, Stand),
    mut pending: BytesMut,
    answer: HttpResponse,
) {
    write(&mut pending, answer);
    close(sockets, (socket, stand), pending);
}

/// The same without an answer.
pub(super) fn close(sockets: &Sockets, (socket, stand): (TcpStream, Stand), pending: BytesMut) {
    let socket = match socket.into_std() {
        Ok(socket) => socket,
        Err(error) => return tracing::debug!(%error, "a connection was lost before it was refused"),
    };
    let open = sockets.tracker().token();
    sockets.runtime().spawn(async move {
        let _held = (open, stand);
        if let Err(error) = farewell(socket, &pending).await {
            tracing::debug!(%error, "a connection ended before it was refused");
        }
    });
}

/// Writes an answer as it goes over the wire.
fn write(bytes: &mut BytesMut, answer: HttpResponse) {
    let (head, body) = answer.into_parts();
    // The body of a problem is in memory, so there is nothing that could fail.
    let body = body.try_into_bytes().unwrap_or_default();
    let date = HttpDate::from(SystemTime::now());
    let _ = write!(
        bytes,
        "HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\ndate: {date}\r\n",
        head.status(),
        body.len()
    );
    for (name, value) in head.headers() {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    bytes.put_slice(&body);
}

async fn farewell(socket: std::net::TcpStream, answers: &[u8]) -> io::Result<()> {
    let mut socket = TcpStream::from_std(socket)?;
    timeout(LINGER, socket.write_all(answers)).await.unwrap_or(Ok(()))?;
    linger(socket).await
}

/// Closes a connection once the client has closed it too, or has had its time. Closing with bytes unread would reset it, and the client
/// might never see what it was told last (RFC 9112, section 9.6).
pub(super) async fn linger(mut socket: TcpStream) -> io::Result<()> {
    let lingering = async {
        socket.shutdown().await?;
        let mut rest = [0; 4096];
        while socket.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(LINGER, lingering).await.unwrap_or(Ok(()))
}
