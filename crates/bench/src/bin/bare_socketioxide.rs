//! socketioxide with nothing around it: no database, no tokens, no users. What a socket gives as its token is the list of its rooms, and what
//! is sent to a room goes to the others in it. It is the limit that a server built upon socketioxide can come near to.
//!
//! It listens on the `PORT` of 127.0.0.1.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

/// As many packets may wait for a socket as with Mango.
const BUFFER: usize = 4096;

#[derive(Deserialize)]
struct Rooms {
    token: String,
}

#[derive(Deserialize)]
struct Send {
    message: Outgoing,
}

#[derive(Deserialize)]
struct Outgoing {
    chat_id: i64,
    content: String,
    message_type: String,
}

/// The event, with the keys that Mango's has.
#[derive(Serialize)]
struct NewMessage<'a> {
    chat: i64,
    content: &'a str,
    message_type: &'a str,
    id: i64,
    seq: i64,
    user_id: i64,
    created_at: &'static str,
    version: i64,
}

/// The acknowledgement, with the keys that Mango's has.
#[derive(Serialize)]
struct Ack<'a> {
    ok: bool,
    message: Sent<'a>,
    duplicate: bool,
}

#[derive(Serialize)]
struct Sent<'a> {
    id: i64,
    chat_id: i64,
    seq: i64,
    user_id: i64,
    message_type: &'a str,
    content: &'a str,
    likes_array: [(); 0],
    created_at: &'static str,
    version: i64,
}

const NOW: &str = "2026-01-01T00:00:00.000000Z";

async fn send(socket: SocketRef, message: Outgoing, ack: AckSender, id: i64) {
    let Outgoing { chat_id, content, message_type } = message;
    let (content, message_type) = (content.as_str(), message_type.as_str());
    let new =
        NewMessage { chat: chat_id, content, message_type, id, seq: id, user_id: 1, created_at: NOW, version: id };
    let sent =
        Sent { id, chat_id, seq: id, user_id: 1, message_type, content, likes_array: [], created_at: NOW, version: id };
    // A socket that is gone needs neither.
    let _told = socket.to(chat_id.to_string()).emit("new_message", &new).await;
    let _answered = ack.send(&Ack { ok: true, message: sent, duplicate: false });
}

#[tokio::main]
async fn main() -> Result<()> {
    let port: u16 = std::env::var("PORT").context("PORT is not set")?.parse()?;
    let (service, io) = SocketIo::builder().req_path("/ws/socket.io").max_buffer_size(BUFFER).build_svc();
    let ids = Arc::new(AtomicI64::new(0));
    io.ns("/", move |socket: SocketRef, Data(Rooms { token }): Data<Rooms>| {
        socket.join(token.split(',').map(str::to_owned).collect::<Vec<_>>());
        socket.on("send_message", move |socket: SocketRef, Data(Send { message }): Data<Send>, ack: AckSender| {
            let id = ids.fetch_add(1, Ordering::Relaxed);
            send(socket, message, ack, id)
        });
        std::future::ready(())
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // A connection that breaks concerns its client alone.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}
