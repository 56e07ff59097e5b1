//! A client that speaks Engine.IO 4 and Socket.IO 5 over WebSocket by hand, so that it can also say what no library would.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::PATIENCE;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// An event that the server emitted.
pub type Event = (String, Value);

/// A client that is about to connect.
pub struct Connecting {
    request: Request<()>,
    auth: Option<String>,
}

impl Connecting {
    pub fn to(address: SocketAddr) -> Self {
        Self::at(address, "/ws/socket.io/?EIO=4&transport=websocket")
    }

    pub fn at(address: SocketAddr, target: &str) -> Self {
        Self { request: format!("ws://{address}{target}").into_client_request().unwrap(), auth: None }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.request.headers_mut().insert(HeaderName::from_static(name), value);
        self
    }

    /// The token in the auth payload.
    pub fn payload(self, token: &str) -> Self {
        self.auth(&json!({ "token": token }).to_string())
    }

    /// Any text as the auth payload.
    pub fn auth(mut self, text: &str) -> Self {
        self.auth = Some(text.to_owned());
        self
    }

    /// Connects, and waits until the socket is ready; the message of `connect_error` when that is refused.
    pub async fn connect(self) -> Result<Client, String> {
        let mut client = self.open().await;
        match client.packet().await.unwrap().split_at(2) {
            ("40", _) => {
                let (event, ready) = client.event().await;
                assert_eq!(event, "ready");
                client.ready = ready;
                Ok(client)
            }
            ("44", reason) => {
                let reason: Value = serde_json::from_str(reason).unwrap();
                Err(reason["message"].as_str().unwrap().to_owned())
            }
            other => panic!("neither connected nor refused: {other:?}"),
        }
    }

    /// Goes on over this connection with a session that began with long-polling.
    pub async fn upgrade(self) -> Client {
        let (socket, _) = connect_async(self.request).await.unwrap();
        let mut client = Client { ready: Value::Null, socket, next_ack: 0, events: VecDeque::new() };
        client.send("2probe").await;
        assert_eq!(client.packet().await.as_deref(), Some("3probe"));
        client.send("5").await;
        client
    }

    /// Asks to be connected, and does not wait for the answer.
    pub async fn open(self) -> Client {
        let (socket, _) = connect_async(self.request).await.unwrap();
        let mut client = Client { ready: Value::Null, socket, next_ack: 0, events: VecDeque::new() };
        assert_eq!(client.packet().await.unwrap().get(..1), Some("0"), "the engine opens");
        client.send(format!("40{}", self.auth.unwrap_or_default())).await;
        client
    }
}

/// A client.
pub struct Client {
    /// What it was told once it was connected.
    pub ready: Value,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_ack: u64,
    events: VecDeque<Event>,
}

impl Client {
    /// Sends one text frame.
    pub async fn send(&mut self, frame: impl Into<String>) {
        self.socket.send(Message::text(frame.into())).await.unwrap();
    }

    /// Sends text frames in one go.
    pub async fn send_together(&mut self, frames: impl Iterator<Item = String>) {
        for frame in frames {
            self.socket.feed(Message::text(frame)).await.unwrap();
        }
        self.socket.flush().await.unwrap();
    }

    /// Sends one binary frame, an attachment.
    pub async fn send_binary(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::Binary(Bytes::from_static(bytes))).await.unwrap();
    }

    /// Sends a part of a text frame, unless the connection is closed already.
    pub async fn send_part(&mut self, text: String, first: bool, last: bool) {
        let code = OpCode::Data(if first { Data::Text } else { Data::Continue });
        let part = Message::Frame(Frame::message(text, code, last));
        // Whoever is cut off is told so by what they read.
        let _ = self.socket.send(part).await;
    }

    /// Emits an event without asking for an acknowledgement.
    pub async fn emit(&mut self, event: &str, payload: &Value) {
        self.send(format!("42{}", json!([event, payload]))).await;
    }

    /// Emits an event, and does not wait for the acknowledgement, whose number it gives.
    pub async fn ask(&mut self, event: &str, payload: &Value) -> u64 {
        self.ask_raw(&json!([event, payload]).to_string()).await
    }

    /// Like [`ask`](Self::ask), for anything.
    pub async fn ask_raw(&mut self, array: &str) -> u64 {
        let ack = self.next_ack();
        self.send(format!("42{ack}{array}")).await;
        ack
    }

    pub fn next_ack(&mut self) -> u64 {
        self.next_ack += 1;
        self.next_ack
    }

    /// Emits an event and gives its acknowledgement.
    pub async fn call(&mut self, event: &str, payload: Value) -> Value {
        let ack = self.ask(event, &payload).await;
        self.answer(ack).await
    }

    /// The acknowledgement with this number. Events that come before it are kept.
    pub async fn answer(&mut self, wanted: u64) -> Value {
        let (ack, answer) = self.next_answer().await;
        assert_eq!(ack, wanted, "acknowledgements come in order");
        answer
    }

    /// The next acknowledgement, with its number. Events that come before it are kept.
    pub async fn next_answer(&mut self) -> (u64, Value) {
        loop {
            let packet = self.packet().await.expect("an acknowledgement");
            if let Some(answer) = acknowledgement(&packet) {
                return answer;
            }
            self.keep(&packet);
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Event {
        while self.events.is_empty() {
            let packet = self.packet().await.expect("an event");
            self.keep(&packet);
        }
        self.events.pop_front().unwrap()
    }

    /// All events until now: an answer of the server comes after everything that it sent before.
    pub async fn events(&mut self) -> Vec<Event> {
        let answer = self.call("what is this?", json!({})).await;
        assert_eq!(answer["error"]["status"], 404, "an unknown event is refused");
        self.events.drain(..).collect()
    }

    /// Waits until the server says why it disconnects the socket, and does, and nothing else comes.
    pub async fn disconnected(&mut self, reason: &str) {
        assert_eq!(self.event().await, ("hanging_up".to_owned(), json!({ "reason": reason })));
        assert_eq!(self.packet().await.as_deref(), Some("41"));
    }

    /// Waits until the server has hung up. A packet that is still on its way then closes the connection as well, which can
    /// overtake the word of it.
    pub async fn hung_up(&mut self) {
        while self.packet().await.is_some_and(|packet| packet != "41") {}
    }

    /// Nothing has come that was not taken, and the connection is open: a pong comes after whatever was sent before.
    pub async fn left_alone(&mut self) {
        self.socket.send(Message::Ping(Bytes::new())).await.unwrap();
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a pong") {
                Some(Ok(Message::Pong(_))) => return,
                Some(Ok(Message::Text(text))) if text == "2" => {}
                other => panic!("nothing was to come: {other:?}"),
            }
        }
    }

    /// Waits until the connection is closed, whatever comes before.
    pub async fn closed(&mut self) {
        while self.packet().await.is_some() {}
    }

    /// Leaves as clients do.
    pub async fn leave(mut self) {
        self.send("41").await;
        self.socket.close(None).await.unwrap();
    }

    /// The next packet that is not a ping; `None` when the connection is closed.
    pub async fn packet(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) if text == "2" => self.send("3").await,
                Some(Ok(Message::Text(text))) if text == "1" => return None,
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return None,
            }
        }
    }

    fn keep(&mut self, packet: &str) {
        let event = packet.strip_prefix("42").unwrap_or_else(|| panic!("not an event: {packet}"));
        let (name, payload): (String, Value) = serde_json::from_str(event).unwrap();
        self.events.push_back((name, payload));
    }
}

/// The number and the answer in a packet that is an acknowledgement.
pub fn acknowledgement(packet: &str) -> Option<(u64, Value)> {
    let (ack, answer) = packet.strip_prefix("43")?.split_once('[')?;
    let [answer]: [Value; 1] = serde_json::from_str(&format!("[{answer}")).unwrap();
    Some((ack.parse().unwrap(), answer))
}
