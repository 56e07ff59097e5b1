//! The connection of a device: over WebSocket or by long-polling.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a server may be silent before the device tries another connection.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What ends a connection.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A socket, and what the acknowledgements that are to come are of.
pub struct Line<A> {
    transport: Transport,
    asked: u64,
    pub waiting: HashMap<u64, A>,
}

enum Transport {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Polling {
        http: Client,
        url: String,
        /// What the last poll brought and nobody has taken yet.
        there: VecDeque<String>,
    },
}

impl<A> Line<A> {
    /// Connects with a token and is let in.
    pub async fn connect(url: &str, token: &str, polls: bool) -> Result<Self, Error> {
        let url = format!("{url}/ws/socket.io/?EIO=4&transport={}", if polls { "polling" } else { "websocket" });
        let transport = if polls {
            Transport::Polling { http: Client::new(), url, there: VecDeque::new() }
        } else {
            let (stream, _) = timeout(PATIENCE, connect_async(url.replacen("http", "ws", 1))).await??;
            Transport::WebSocket(Box::new(stream))
        };
        let mut line = Self { transport, asked: 0, waiting: HashMap::new() };
        let opened = line.packet().await?.ok_or("the engine does not open")?;
        let opened: Value = serde_json::from_str(opened.strip_prefix('0').ok_or("the engine says something else")?)?;
        if let Transport::Polling { url, .. } = &mut line.transport {
            url.push_str("&sid=");
            url.push_str(opened["sid"].as_str().ok_or("a session without a name")?);
        }
        line.send(format!("40{}", json!({ "token": token }))).await?;
        line.packet().await?.filter(|packet| packet.starts_with("40")).ok_or("not let in")?;
        Ok(line)
    }

    /// Sends an event and asks for an acknowledgement.
    pub async fn ask(&mut self, event: &str, payload: &Value, what: A) -> Result<(), Error> {
        self.asked += 1;
        self.waiting.insert(self.asked, what);
        self.send(format!("42{}{}", self.asked, json!([event, payload]))).await
    }

    async fn send(&mut self, packet: String) -> Result<(), Error> {
        match &mut self.transport {
            Transport::WebSocket(stream) => stream.send(Message::text(packet)).await?,
            Transport::Polling { http, url, .. } => {
                timeout(PATIENCE, http.post(&*url).body(packet).send()).await??.error_for_status()?;
            }
        }
        Ok(())
    }

    /// The next packet that is no ping; `None` when the connection is closed.
    pub async fn packet(&mut self) -> Result<Option<String>, Error> {
        loop {
            let packet = match &mut self.transport {
                Transport::WebSocket(stream) => match timeout(PATIENCE, stream.next()).await? {
                    Some(Ok(Message::Text(text))) => text.to_string(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                    Some(Ok(_)) => continue,
                },
                Transport::Polling { http, url, there } => match there.pop_front() {
                    Some(packet) => packet,
                    None => {
                        let polled = timeout(PATIENCE, http.get(&*url).send()).await??.error_for_status()?;
                        there.extend(polled.text().await?.split('\u{1e}').map(str::to_owned));
                        continue;
                    }
                },
            };
            match packet.as_str() {
                "1" => return Ok(None),
                "2" => self.send("3".to_owned()).await?,
                "6" => {}
                _ => return Ok(Some(packet)),
            }
        }
    }
}
