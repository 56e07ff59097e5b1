//! Many devices that chat with each other, and the accounts that are settled afterwards.

use std::collections::{BTreeMap, HashSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::device::{Device, Shared};
use crate::people::{Socket, User};

/// How long to go on beyond what is needed, for `cargo xtask chaos`.
pub fn minutes() -> Option<Duration> {
    let minutes: u64 = std::env::var("MANGO_CHAOS_MINUTES").ok()?.parse().expect("a number of minutes");
    Some(Duration::from_secs(minutes * 60))
}

/// A port that nobody has at the moment, for a server that is started again and again.
pub fn spare_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The devices, chatting.
pub struct Party {
    pub shared: Arc<Shared>,
    chats: Vec<i64>,
    devices: JoinSet<Device>,
}

impl Party {
    /// Signs people up on a running server, puts them into groups, and has them chat.
    pub async fn begin(url: &str, people: usize, groups: usize) -> Self {
        let mut users = Vec::new();
        for n in 0..people {
            users.push(User::sign_up(url, &format!("+316{:08}", 20_000_000 + n), None).await);
        }
        let ids: Vec<i64> = users.iter().map(|user| user.id).collect();
        let mut host = Socket::connect(url, &users[0]).await;
        let mut chats = Vec::new();
        for n in 0..groups {
            let chat = json!({ "name": format!("Group {n}"), "is_group": true, "members_array": ids });
            let made = host.call("create_chat", json!({ "chat": chat })).await;
            chats.push(made["chat"]["id"].as_i64().unwrap());
        }
        drop(host);
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            sending: AtomicBool::new(true),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let mut devices = JoinSet::new();
        for user in users {
            devices.spawn(Device::new(user, &shared).chat(chats.clone()));
        }
        Self { shared, chats, devices }
    }

    /// How many messages were acknowledged until now.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many messages more were acknowledged, and gives how long that took.
    pub async fn progress(&mut self, messages: u64) -> Duration {
        let (start, goal) = (Instant::now(), self.acknowledged() + messages);
        while self.acknowledged() < goal {
            assert!(start.elapsed() < Duration::from_secs(60), "{} of {goal} acknowledged", self.acknowledged());
            if let Some(ended) = self.devices.try_join_next() {
                ended.expect("a device fails");
                panic!("a device stops by itself");
            }
            // There is no event to wait for: the devices count.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }

    /// Ends the party and settles accounts: what was acknowledged is there, once, at the place that was acknowledged; seqs and
    /// versions have no holes; and what each device knows is what the server has.
    pub async fn settle(mut self) -> u64 {
        self.shared.sending.store(false, Ordering::Relaxed);
        let mut devices = Vec::new();
        while let Some(device) = self.devices.join_next().await {
            devices.push(device.expect("a device fails"));
        }
        let mut known: HashSet<String> = HashSet::new();
        let mut total = 0;
        for device in &mut devices {
            device.catch_up().await;
            let history = self.history(&device.user).await;
            total = history.len();
            for (id, message) in &device.acknowledged {
                let key = message["id"].as_i64().unwrap();
                assert_eq!(history.get(&key), Some(message), "an acknowledged message is not there: {id}");
                assert!(known.insert(id.clone()));
            }
            let own = history.values().filter(|message| message["user_id"] == device.user.id);
            assert_eq!(own.count(), device.acknowledged.len(), "a message is there twice");
            assert_eq!(device.messages, history, "a device knows something else than the server");
        }
        assert_eq!(known.len(), total);
        println!(
            "{total} messages of {} devices, {} refused, {} jumps",
            devices.len(),
            self.shared.refused.load(Ordering::Relaxed),
            devices.iter().map(|device| device.jumps).sum::<u64>()
        );
        u64::try_from(total).unwrap()
    }

    /// All messages of all chats as the server has them, by their ids.
    async fn history(&self, user: &User) -> BTreeMap<i64, Value> {
        let mut history = BTreeMap::new();
        for chat in &self.chats {
            let mut seq = 0;
            loop {
                let path = format!("/message/{chat}?limit=200&after={seq}");
                let page = user.get(&self.shared.url, &path).await;
                let page = page.as_array().unwrap();
                for message in page.iter().rev() {
                    seq += 1;
                    assert_eq!(message["seq"], seq, "a hole in the chat");
                    assert_eq!(message["version"], seq + 1, "a hole in the versions");
                    history.insert(message["id"].as_i64().unwrap(), message.clone());
                }
                if page.len() < 200 {
                    break;
                }
            }
            let shown = user.get(&self.shared.url, &format!("/chat/{chat}")).await;
            assert_eq!(shown["version"], seq + 1);
        }
        history
    }
}
