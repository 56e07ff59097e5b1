//! A device that keeps the client's part of the promise: it gives its messages names, sends them until they are acknowledged,
//! counts versions, and catches up when it is back. Now and then it likes, pins, opens a chat and takes another name, once each: what came of
//! that it learns like anything else.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::knowledge::{Knowledge, number};
use crate::line::{Error, Line, PATIENCE};
use crate::people::User;

/// How many messages a device has on their way at a time.
const IN_FLIGHT: usize = 4;

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
    /// How many likes, pins, chats and names were acknowledged.
    pub others: AtomicU64,
}

/// A message that was acknowledged, as the acknowledgement had it.
pub type Acknowledged = HashMap<String, Value>;

pub struct Device {
    pub user: User,
    shared: Arc<Shared>,
    next: u64,
    /// Messages that are not acknowledged, in order: their client ids, chats and contents.
    open: VecDeque<(String, i64, String)>,
    pub acknowledged: Acknowledged,
    pub known: Knowledge,
    users_since: Value,
    epoch: Value,
    /// Whether an answer is under way, and whether it may be older than what was heard meanwhile.
    syncing: bool,
    again: bool,
    /// How often it has tried to connect.
    tries: i64,
    /// How often it had to catch up because it had missed something while it was connected.
    pub jumps: u64,
}

/// Why a connection is given up.
enum End {
    Lost,
    Finished,
}

enum Asked {
    Send(String),
    Sync,
    Like,
    /// A pin or a chat.
    Other,
}

impl Device {
    pub fn new(user: User, shared: &Arc<Shared>) -> Self {
        Self {
            user,
            shared: Arc::clone(shared),
            next: 0,
            open: VecDeque::new(),
            acknowledged: HashMap::new(),
            known: Knowledge::default(),
            users_since: Value::Null,
            epoch: Value::Null,
            syncing: false,
            again: false,
            tries: 0,
            jumps: 0,
        }
    }

    /// Chats, catching up first and whenever it has to, until it is told to stop and everything that it sent is acknowledged.
    pub async fn chat(mut self) -> Self {
        loop {
            match self.stay_connected().await {
                Ok(End::Finished) => return self,
                Ok(End::Lost) | Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn stay_connected(&mut self) -> Result<End, Error> {
        self.tries += 1;
        // One in three polls, and the next time another one.
        let polls = (self.user.id + self.tries) % 3 == 0;
        let mut line = Line::connect(&self.shared.url, &self.user.access, polls).await?;
        self.ask_for_changes(&mut line).await?;
        let mut caught_up = false;
        loop {
            if caught_up {
                self.keep_sending(&mut line).await?;
                if line.waiting.is_empty() && self.open.is_empty() && !self.shared.sending.load(Ordering::Relaxed) {
                    return Ok(End::Finished);
                }
            }
            let Some(packet) = line.packet().await? else { return Ok(End::Lost) };
            let missed = if let Some(event) = packet.strip_prefix("42") {
                let (name, payload): (String, Value) = serde_json::from_str(event)?;
                self.hear(&name, payload)
            } else {
                let Some((ack, answer)) = acknowledgement(&packet) else { return Ok(End::Lost) };
                match line.waiting.remove(&ack) {
                    Some(Asked::Sync) if answer["ok"] == true => {
                        self.apply(&answer);
                        (self.syncing, caught_up) = (false, caught_up || answer["more"] == false);
                        answer["more"] == true || self.again
                    }
                    Some(Asked::Sync) => {
                        check_busy(&answer);
                        sleep(Duration::from_millis(100)).await;
                        self.syncing = false;
                        true
                    }
                    Some(asked) => self.answered(asked, answer),
                    None => panic!("an acknowledgement that nobody asked for: {packet}"),
                }
            };
            if missed && self.syncing {
                self.again = true;
            } else if missed {
                self.jumps += u64::from(caught_up);
                self.ask_for_changes(&mut line).await?;
            }
        }
    }

    async fn ask_for_changes(&mut self, line: &mut Line<Asked>) -> Result<(), Error> {
        (self.syncing, self.again) = (true, false);
        let known: BTreeMap<String, i64> =
            self.known.versions.iter().map(|(id, version)| (id.to_string(), *version)).collect();
        let payload = json!({ "chats": known, "epoch": self.epoch, "users_since": self.users_since, "limit": 1000 });
        line.ask("sync", &payload, Asked::Sync).await
    }

    /// Has as many messages on their way as it may, the oldest first: after a break those that were on their way before.
    async fn keep_sending(&mut self, line: &mut Line<Asked>) -> Result<(), Error> {
        let chats: Vec<i64> = self.known.chats.keys().copied().collect();
        while self.open.len() < IN_FLIGHT && self.shared.sending.load(Ordering::Relaxed) {
            self.next += 1;
            let chat = chats[usize::try_from(self.next).unwrap() % chats.len()];
            self.open.push_back((format!("{}-{}", self.user.id, self.next), chat, format!("number {}", self.next)));
            self.do_something_else(line, chat).await?;
        }
        let under_way = |line: &Line<Asked>, id: &str| {
            line.waiting.values().any(|asked| matches!(asked, Asked::Send(sent) if sent == id))
        };
        let open: Vec<_> = self.open.iter().filter(|(id, ..)| !under_way(line, id)).cloned().collect();
        for (id, chat, content) in open {
            let message = json!({ "chat_id": chat, "content": content, "message_type": "text", "client_id": id });
            line.ask("send_message", &json!({ "message": message }), Asked::Send(id)).await?;
        }
        Ok(())
    }

    /// Likes, pins, opens a chat or takes another name, beside some of the messages.
    async fn do_something_else(&mut self, line: &mut Line<Asked>, chat: i64) -> Result<(), Error> {
        match self.next % 20 {
            3 | 10 => {
                if let Some(id) = self.known.messages.keys().next_back() {
                    line.ask("toggle_like_message", &json!({ "message": { "id": id } }), Asked::Like).await?;
                }
            }
            6 => line.ask("toggle_chat_pin", &json!({ "chat": { "id": chat } }), Asked::Other).await?,
            13 => {
                let url = format!("{}/user/{}", self.shared.url, self.user.id);
                let name = json!({ "name": format!("Number {}", self.next) });
                let asked = self.user.http.patch(url).bearer_auth(&self.user.access).json(&name);
                let status = asked.send().await?.status();
                assert!(status == 202 || status == 503, "{status}");
                self.shared.others.fetch_add(u64::from(status == 202), Ordering::Relaxed);
            }
            16 if self.user.id % 10 == 0 => {
                let members: Vec<i64> = self.known.users.keys().copied().collect();
                let name = format!("Of {} at {}", self.user.id, self.next);
                let chat = json!({ "name": name, "is_group": true, "members_array": members });
                line.ask("create_chat", &json!({ "chat": chat }), Asked::Other).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the answer to what it asked; whether it shows that something was missed.
    fn answered(&mut self, asked: Asked, answer: Value) -> bool {
        if answer["ok"] != true {
            check_busy(&answer);
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        match asked {
            Asked::Send(id) => self.settle(&id, answer["message"].clone()),
            Asked::Like => {
                let chat = number(&self.known.messages[&number(&answer, "message_id")], "chat_id");
                self.shared.others.fetch_add(1, Ordering::Relaxed);
                let user = self.user.id;
                self.known.learn(chat, number(&answer, "version"), |known| known.like(&answer, user))
            }
            Asked::Other => {
                self.shared.others.fetch_add(1, Ordering::Relaxed);
                false
            }
            Asked::Sync => panic!("an answer of its own kind"),
        }
    }

    /// Takes the acknowledgement of a message; whether it shows that something was missed.
    fn settle(&mut self, id: &str, message: Value) -> bool {
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
            "message_liked" => {
                let (chat, version) = (number(&payload, "chat"), number(&payload, "version"));
                self.known.learn(chat, version, |known| known.like(&payload, number(&payload, "user_id")))
            }
            "chat_created" | "chat_changed" => {
                payload["version"].as_i64() > self.known.versions.get(&number(&payload, "chat")).copied()
            }
            "user_changed" => {
                self.known.meet(&payload);
                false
            }
            "chat_pinned" | "chat_unpinned" => {
                let chat = number(&payload, "chat");
                match name {
                    "chat_pinned" => self.known.pinned.insert(chat),
                    _ => self.known.pinned.remove(&chat),
                };
                // An answer that is under way may be older.
                self.again |= self.syncing;
                false
            }
            "ready" | "hanging_up" => false,
            other => panic!("no such event is expected: {other}"),
        }
    }

    /// Takes a message if it is the next change of its chat; whether there was one before it that it does not know.
    fn learn(&mut self, message: Value) -> bool {
        let (chat, version) = (number(&message, "chat_id"), number(&message, "version"));
        self.known.learn(chat, version, |known| known.put(message))
    }

    fn apply(&mut self, page: &Value) {
        self.known.apply(page);
        (self.epoch, self.users_since) = (page["epoch"].clone(), page["users_since"].clone());
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
