//! Many devices that chat with each other, and the accounts that are settled afterwards.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::device::{Device, Shared};
use crate::knowledge::{Knowledge, number};
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

/// How long it can take until all is told of which the database did not say at once whether it was committed.
const DOUBTS: Duration = Duration::from_secs(3);

/// The devices, chatting.
pub struct Party {
    pub shared: Arc<Shared>,
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
        for n in 0..groups {
            let chat = json!({ "name": format!("Group {n}"), "is_group": true, "members_array": ids });
            assert_eq!(host.call("create_chat", json!({ "chat": chat })).await["ok"], true);
        }
        drop(host);
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            sending: AtomicBool::new(true),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            others: AtomicU64::new(0),
        });
        let mut devices = JoinSet::new();
        for user in users {
            devices.spawn(Device::new(user, &shared).chat());
        }
        Self { shared, devices }
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

    /// Ends the party and settles accounts: what was acknowledged is there, once, at the place that was acknowledged; seqs have no
    /// holes; and what each device knows is what the server has: chats and messages, with their likes, pins and names.
    pub async fn settle(mut self) -> u64 {
        let start = Instant::now();
        while start.elapsed() < DOUBTS {
            self.progress(50).await;
        }
        self.shared.sending.store(false, Ordering::Relaxed);
        let mut devices = Vec::new();
        while let Some(device) = self.devices.join_next().await {
            devices.push(device.expect("a device fails"));
        }
        let mut acknowledged: HashSet<String> = HashSet::new();
        let mut there = Knowledge::default();
        for device in &mut devices {
            // Each device is its user's only one, so it knows of its pins what it has been told, and nothing else can have changed them.
            let pinned = device.known.pinned.clone();
            device.catch_up().await;
            assert_eq!(pinned, device.known.pinned, "a device was not told of a pin");
            there = self.everything(&device.user).await;
            for (id, message) in &device.acknowledged {
                let stored = there.messages.get(&number(message, "id"));
                assert_eq!(stored.map(lasting), Some(lasting(message)), "an acknowledged message is not there: {id}");
                assert!(acknowledged.insert(id.clone()));
            }
            let own = there.messages.values().filter(|message| message["user_id"] == device.user.id);
            assert_eq!(own.count(), device.acknowledged.len(), "a message is there twice");
            assert_eq!(device.known, there, "a device knows something else than the server");
        }
        let total = there.messages.len();
        assert_eq!(acknowledged.len(), total);
        let others = self.shared.others.load(Ordering::Relaxed);
        assert!(others > 0, "there was nothing but messages");
        println!(
            "{total} messages and {} other changes of {} devices in {} chats, {} refused, {} jumps",
            others,
            devices.len(),
            there.chats.len(),
            self.shared.refused.load(Ordering::Relaxed),
            devices.iter().map(|device| device.jumps).sum::<u64>()
        );
        u64::try_from(total).unwrap()
    }

    /// All that the server has for a user.
    async fn everything(&self, user: &User) -> Knowledge {
        let mut there = Knowledge::default();
        for chat in user.get(&self.shared.url, "/chat").await.as_array().unwrap() {
            let (id, version) = (number(chat, "id"), number(chat, "version"));
            there.show(chat);
            there.versions.insert(id, version);
            there.pinned.extend((chat["pinned"] == true).then_some(id));
            let (mut seq, mut versions) = (0, HashSet::new());
            loop {
                let path = format!("/message/{id}?limit=200&after={seq}");
                let page = user.get(&self.shared.url, &path).await;
                let page = page.as_array().unwrap();
                for message in page.iter().rev() {
                    seq += 1;
                    assert_eq!(message["seq"], seq, "a hole in the chat");
                    let changed = number(message, "version");
                    assert!(seq < changed && changed <= version && versions.insert(changed), "{message}");
                    there.put(message.clone());
                }
                if page.len() < 200 {
                    break;
                }
            }
        }
        there
    }
}

/// A message without what a like changes.
fn lasting(message: &Value) -> Value {
    let mut message = message.clone();
    let fields = message.as_object_mut().unwrap();
    fields.remove("version");
    fields.remove("likes_array");
    message
}
