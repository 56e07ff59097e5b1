//! A user with a telephone: signs up, logs in, and talks over a socket.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails should fail its test")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take, on a machine with other things to do.
pub const SOON: Duration = Duration::from_secs(30);

const PASSWORD: &str = "correct horse battery staple";

/// A grey PNG of two by two pixels, in base64.
pub const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNomMCwYAMABrYCYTBGkIoAAAAASUVORK5CYII=";

/// A user who is logged in.
pub struct User {
    pub http: Client,
    pub id: i64,
    pub access: String,
    pub refresh: String,
}

impl User {
    /// Signs up and logs in; `photo` is a picture in base64.
    pub async fn sign_up(url: &str, phone: &str, photo: Option<&str>) -> Self {
        let body = json!({"phone": phone, "password": PASSWORD, "name": phone, "photo": photo});
        let reply = Client::new().post(format!("{url}/user/create")).json(&body).send().await.unwrap();
        let (status, created) = (reply.status(), reply.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{created}");
        Self::log_in(url, created["id"].as_i64().unwrap(), phone).await
    }

    /// Logs a user in, once more.
    pub async fn log_in(url: &str, id: i64, phone: &str) -> Self {
        let http = Client::new();
        let form = [("username", phone), ("password", PASSWORD)];
        let reply = http.post(format!("{url}/auth/login")).form(&form).send().await.unwrap();
        let (status, tokens) = (reply.status(), reply.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{tokens}");
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Self { http, id, access: text("access_token"), refresh: text("refresh_token") }
    }

    /// What a path answers to this user.
    pub async fn get(&self, url: &str, path: &str) -> Value {
        let reply = self.http.get(format!("{url}{path}")).bearer_auth(&self.access).send().await.unwrap();
        let (status, body) = (reply.status(), reply.json().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

/// A socket of a user.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u32,
}

impl Socket {
    /// Connects and is let in.
    pub async fn connect(url: &str, user: &User) -> Self {
        let url = format!("{}/ws/socket.io/?EIO=4&transport=websocket", url.replacen("http", "ws", 1));
        let mut socket = Self { stream: connect_async(url).await.unwrap().0, calls: 0 };
        assert!(socket.packet().await.unwrap().starts_with('0'));
        socket.send(format!("40{}", json!({"token": user.access}))).await;
        let answer = socket.packet().await.unwrap();
        assert!(answer.starts_with("40"), "not let in: {answer}");
        socket
    }

    /// Sends an event and waits for its acknowledgement, past the events that come meanwhile.
    pub async fn call(&mut self, event: &str, payload: Value) -> Value {
        self.call_text(&json!([event, payload]).to_string()).await
    }

    /// The same for an event with its arguments as a text of any kind.
    pub async fn call_text(&mut self, array: &str) -> Value {
        self.calls += 1;
        let prefix = format!("43{}[", self.calls);
        self.send(format!("42{}{array}", self.calls)).await;
        loop {
            let packet = self.packet().await.unwrap();
            if let Some(arguments) = packet.strip_prefix(&prefix) {
                let arguments: Vec<Value> = serde_json::from_str(&format!("[{arguments}")).unwrap();
                return arguments.into_iter().next().unwrap();
            }
        }
    }

    /// The next packet that is no ping; `None` when the connection is closed.
    pub async fn packet(&mut self) -> Option<String> {
        loop {
            match timeout(SOON, self.stream.next()).await.unwrap()? {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send("3".to_owned()).await,
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    async fn send(&mut self, packet: String) {
        self.stream.send(Message::text(packet)).await.unwrap();
    }
}
