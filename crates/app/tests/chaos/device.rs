//! A device that keeps the client's part of the promise: it gives its messages names, sends them until they are acknowledged,
//! counts versions, and catches up when it is back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::people::User;

/// How many messages a device has on their way at a time.
const IN_FLIGHT: usize = 4;
/// How long a server may be silent before the device tries another connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all devices have in common.
pub struct Shared {
    /// Where the server is.
    pub url: String,
    /// Cleared when no more messages are to be begun.
    pub sending: AtomicBool,
    /// How many messages were acknowledged.
    pub acknowledged: AtomicU64,
    /// How many messages were refused as coming at a bad time.
    pub refused: AtomicU64,
}

/// A message that was acknowledged, as the acknowledgement had it.
pub type Acknowledged = HashMap<String, Value>;

pub struct Device {
    pub user: User,
    shared: Arc<Shared>,
    chats: Vec<i64>,
    next: u64,
    /// Messages that are not acknowledged, in order: their client ids, chats and contents.
    open: VecDeque<(String, i64, String)>,
    pub acknowledged: Acknowledged,
    /// What the device knows: the versions of chats, and the messages by their ids.
    pub versions: BTreeMap<i64, i64>,
    pub messages: BTreeMap<i64, Value>,
    epoch: Value,
    /// How often it had to catch up because it had missed something while it was connected.
    pub jumps: u64,
}

/// Why a connection is given up.
enum End {
    Lost,
    Finished,
}

struct Line {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// What the acknowledgements that are to come are of.
    waiting: HashMap<u64, Asked>,
}

enum Asked {
    Send(String),
    Sync,
}

impl Device {
    pub fn new(user: User, shared: &Arc<Shared>) -> Self {
        Self {
            user,
            shared: Arc::clone(shared),
            chats: Vec::new(),
            next: 0,
            open: VecDeque::new(),
            acknowledged: HashMap::new(),
            versions: BTreeMap::new(),
            messages: BTreeMap::new(),
            epoch: Value::Null,
            jumps: 0,
        }
    }

    /// Chats, catching up first and whenever it has to, until it is told to stop and everything that it sent is acknowledged.
    pub async fn chat(mut self, chats: Vec<i64>) -> Self {
        self.chats = chats;
        loop {
            match self.stay_connected().await {
                Ok(End::Finished) => return self,
                Ok(End::Lost) | Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn stay_connected(&mut self) -> Result<End, Box<dyn std::error::Error + Send + Sync>> {
        let mut line = Line::connect(&self.shared.url, &self.user.access).await?;
        self.ask_for_changes(&mut line).await?;
        let mut syncing = true;
        let mut caught_up = false;
        loop {
            if caught_up {
                self.keep_sending(&mut line).await?;
                if line.waiting.is_empty() && self.open.is_empty() && !self.shared.sending.load(Ordering::Relaxed) {
                    return Ok(End::Finished);
                }
            }
            let Some(packet) = line.packet().await? else { return Ok(End::Lost) };
            if let Some(event) = packet.strip_prefix("42") {
                let (name, payload): (String, Value) = serde_json::from_str(event)?;
                if self.hear(&name, payload) && !syncing {
                    self.jumps += 1;
                    syncing = true;
                    self.ask_for_changes(&mut line).await?;
                }
                continue;
            }
            let Some((ack, answer)) = acknowledgement(&packet) else { return Ok(End::Lost) };
            match line.waiting.remove(&ack) {
                Some(Asked::Send(id)) => {
                    if self.settle(&id, answer) && !syncing {
                        self.jumps += 1;
                        syncing = true;
                        self.ask_for_changes(&mut line).await?;
                    }
                }
                Some(Asked::Sync) if answer["ok"] == true => {
                    self.apply(&answer);
                    if answer["more"] == true {
                        self.ask_for_changes(&mut line).await?;
                    } else {
                        (syncing, caught_up) = (false, true);
                    }
                }
                Some(Asked::Sync) => {
                    check_busy(&answer);
                    sleep(Duration::from_millis(100)).await;
                    self.ask_for_changes(&mut line).await?;
                }
                None => panic!("an acknowledgement that nobody asked for: {packet}"),
            }
        }
    }

    async fn ask_for_changes(&self, line: &mut Line) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let known: BTreeMap<String, i64> =
            self.versions.iter().map(|(id, version)| (id.to_string(), *version)).collect();
        line.ask("sync", &json!({ "chats": known, "epoch": self.epoch, "limit": 1000 }), Asked::Sync).await
    }

    /// Has as many messages on their way as it may, the oldest first: after a break those that were on their way before.
    async fn keep_sending(&mut self, line: &mut Line) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        while self.open.len() < IN_FLIGHT && self.shared.sending.load(Ordering::Relaxed) {
            self.next += 1;
            let chat = self.chats[usize::try_from(self.next).unwrap() % self.chats.len()];
            self.open.push_back((format!("{}-{}", self.user.id, self.next), chat, format!("number {}", self.next)));
        }
        let under_way =
            |line: &Line, id: &str| line.waiting.values().any(|asked| matches!(asked, Asked::Send(sent) if sent == id));
        let open: Vec<_> = self.open.iter().filter(|(id, ..)| !under_way(line, id)).cloned().collect();
        for (id, chat, content) in open {
            let message = json!({ "chat_id": chat, "content": content, "message_type": "text", "client_id": id });
            line.ask("send_message", &json!({ "message": message }), Asked::Send(id)).await?;
        }
        Ok(())
    }

    /// Takes the answer to a message; whether it shows that something was missed.
    fn settle(&mut self, id: &str, answer: Value) -> bool {
        if answer["ok"] != true {
            check_busy(&answer);
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let message = answer["message"].clone();
        assert_eq!(message["client_id"], id, "the answer is that of another message");
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.open.retain(|(open, ..)| open != id);
        let before = self.acknowledged.insert(id.to_owned(), message.clone());
        assert!(before.is_none(), "acknowledged twice: {id}");
        self.learn(message)
    }

    /// Takes an event; whether it shows that something was missed.
    fn hear(&mut self, name: &str, payload: Value) -> bool {
        match name {
            "new_message" => {
                let mut message = payload;
                let fields = message.as_object_mut().unwrap();
                let chat = fields.remove("chat").unwrap();
                fields.insert("chat_id".to_owned(), chat);
                fields.insert("likes_array".to_owned(), json!([]));
                self.learn(message)
            }
            "chat_changed" => {
                payload["version"].as_i64() > self.versions.get(&payload["chat"].as_i64().unwrap()).copied()
            }
            "ready" | "hanging_up" => false,
            other => panic!("no such event is expected: {other}"),
        }
    }

    /// Takes a message if it is the next change of its chat; whether there was one before it that it does not know.
    fn learn(&mut self, message: Value) -> bool {
        let (chat, version) = (message["chat_id"].as_i64().unwrap(), message["version"].as_i64().unwrap());
        let known = self.versions.get(&chat).copied().unwrap_or_default();
        if version == known + 1 {
            self.versions.insert(chat, version);
            self.messages.insert(message["id"].as_i64().unwrap(), message);
        }
        version > known + 1
    }

    fn apply(&mut self, page: &Value) {
        assert_eq!(page["reset"], false, "nothing was lost that a client knew");
        assert_eq!(page["gone"], json!([]));
        self.epoch = page["epoch"].clone();
        for chat in page["chats"].as_array().unwrap() {
            let (id, reached) = (chat["id"].as_i64().unwrap(), chat["version"].as_i64().unwrap());
            for message in chat["messages"].as_array().unwrap() {
                let newer = |old: &Value| old["version"].as_i64() >= message["version"].as_i64();
                let key = message["id"].as_i64().unwrap();
                if !self.messages.get(&key).is_some_and(newer) {
                    self.messages.insert(key, message.clone());
                }
            }
            let known = self.versions.entry(id).or_default();
            *known = reached.max(*known);
        }
    }

    /// Connects once more and catches up, so that it knows what there is now.
    pub async fn catch_up(&mut self) {
        let shared = Arc::clone(&self.shared);
        assert!(!shared.sending.load(Ordering::Relaxed));
        let finished = async {
            while !matches!(self.stay_connected().await, Ok(End::Finished)) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, finished).await.expect("catching up");
    }
}

/// Nothing but a bad time is a reason to be refused.
#[track_caller]
fn check_busy(answer: &Value) {
    assert_eq!(answer["error"]["status"], 503, "{answer}");
    assert!(answer["error"]["retry_after_ms"].as_u64().is_some(), "{answer}");
}

fn acknowledgement(packet: &str) -> Option<(u64, Value)> {
    let rest = packet.strip_prefix("43")?;
    let (ack, arguments) = rest.split_at(rest.find('[')?);
    let [answer]: [Value; 1] = serde_json::from_str(arguments).ok()?;
    Some((ack.parse().ok()?, answer))
}

impl Line {
    async fn connect(url: &str, token: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let url = format!("{}/ws/socket.io/?EIO=4&transport=websocket", url.replacen("http", "ws", 1));
        let (stream, _) = timeout(PATIENCE, connect_async(url)).await??;
        let mut line = Self { stream, asked: 0, waiting: HashMap::new() };
        line.packet().await?.filter(|packet| packet.starts_with('0')).ok_or("the engine does not open")?;
        line.stream.send(Message::text(format!("40{}", json!({ "token": token })))).await?;
        line.packet().await?.filter(|packet| packet.starts_with("40")).ok_or("not let in")?;
        Ok(line)
    }

    async fn ask(
        &mut self,
        event: &str,
        payload: &Value,
        what: Asked,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.asked += 1;
        self.waiting.insert(self.asked, what);
        self.stream.send(Message::text(format!("42{}{}", self.asked, json!([event, payload])))).await
    }

    /// The next packet that is no ping; `None` when the connection is closed.
    async fn packet(&mut self) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await? {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.stream.send(Message::text("3")).await?,
                Some(Ok(Message::Text(text))) => return Ok(Some(text.to_string())),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }
}
