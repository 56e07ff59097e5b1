//! Readers that read nothing: in a busy room, and while they ask and ask.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::people::{SOON, Socket, User};
use crate::support::Server;

/// How many messages are measured at a time, and their size.
const MESSAGES: usize = 200;
const SIZE: usize = 16 * 1024;

/// How many readers read nothing.
const READERS: usize = 10;

/// A busy room on a server: one who sends, one who is sent to, and a third member.
struct Room {
    sender: Socket,
    receiver: Socket,
    third: User,
    chat: i64,
}

impl Room {
    async fn new(server: &Server) -> Self {
        let mut users = Vec::new();
        for n in 0..3 {
            users.push(User::sign_up(server.url(), &format!("+3161234567{n}"), None).await);
        }
        let ids: Vec<i64> = users.iter().map(|user| user.id).collect();
        let mut sender = Socket::connect(server.url(), &users[0]).await;
        let receiver = Socket::connect(server.url(), &users[1]).await;
        let chat = json!({ "name": "Busy", "is_group": true, "members_array": ids });
        let chat = sender.call("create_chat", json!({ "chat": chat })).await["chat"]["id"].as_i64().unwrap();
        Self { sender, receiver, third: users.remove(2), chat }
    }

    /// The time from sending a message until another member has it.
    async fn say(&mut self) -> Duration {
        let content = "x".repeat(SIZE);
        let message = json!({ "chat_id": self.chat, "content": content, "message_type": "text" });
        let start = Instant::now();
        let ack = self.sender.call("send_message", json!({ "message": message })).await;
        assert_eq!(ack["ok"], true, "{ack}");
        while !self.receiver.packet().await.expect("a packet").contains("new_message") {}
        start.elapsed()
    }
}

/// The 99th percentiles of that in two rooms, which are measured in turns, so that what else the machine does harms both.
async fn p99s(one: &mut Room, other: &mut Room) -> (Duration, Duration) {
    let (mut times, mut others) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        times.push(one.say().await);
        others.push(other.say().await);
    }
    let p99 = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[MESSAGES * 99 / 100]
    };
    (p99(times), p99(others))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A socket that is let in and then reads nothing.
async fn sleeper(url: &str, user: &User) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!("{}/ws/socket.io/?EIO=4&transport=websocket", url.replacen("http", "ws", 1));
    let (mut stream, _) = connect_async(url).await.unwrap();
    stream.send(Message::text(format!("40{}", json!({ "token": user.access })))).await.unwrap();
    stream
}

async fn hung_up(server: &Server) -> bool {
    let metrics = reqwest::get(format!("{}/metrics", server.url())).await.unwrap().text().await.unwrap();
    metrics
        .lines()
        .any(|line| line.starts_with(r#"mango_sockets_hung_up_total{reason="slow"}"#) && !line.ends_with(" 0"))
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_harms_nobody_else_and_is_disconnected() {
    // The same room on another server has no slow readers.
    let (server, other) = (Server::start(&[]), Server::start(&[]));
    let (mut room, mut quiet) = (Room::new(&server).await, Room::new(&other).await);
    // The first ones warm up.
    p99s(&mut room, &mut quiet).await;
    let (resident, open) = (resident_kib(&server), connections(&server));

    let mut slow = Vec::new();
    for _ in 0..READERS {
        slow.push(sleeper(server.url(), &room.third).await);
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    // Until what the operating system buffers for them is full, and then what Mango buffers. A machine that needs longer for that than the 45
    // seconds of a heartbeat hangs up on them for the heartbeat, since what they send is not read either while so much waits for them.
    while !hung_up(&server).await && connections(&server) > open + READERS / 2 {
        let (slowed, usual) = p99s(&mut room, &mut quiet).await;
        with.push(slowed);
        without.push(usual);
        assert!(with.len() * MESSAGES < 5_000, "a reader that reads nothing is still connected");
    }
    let sent = with.len() * MESSAGES;
    let (with, without) = (median(with), median(without));
    // Beside other tests one median is up to half as long again as the other; the floor is for machines on which a commit takes no time.
    let limit = without * 2 + Duration::from_millis(5);
    assert!(with <= limit, "p99 is {without:?} without slow readers and {with:?} with them");
    let grown = resident_kib(&server).saturating_sub(resident);
    println!(
        "p99 {without:?} without, {with:?} with ten slow readers, hung up after {sent} messages of 16 KiB, {grown} KiB more"
    );
    // 32 MiB of packets, which all of them share.
    assert!(grown < 200 * 1024, "ten slow sockets took {grown} KiB");
    // Their connections are broken off, although nothing can be written to them that would say so.
    let start = Instant::now();
    while connections(&server) > open {
        assert!(start.elapsed() < SOON, "sockets that were hung up on still take memory of the system");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many TCP connections of a server take memory of the system: those that somebody is connected to, and those that are closed but
/// have yet to be sent what waits for them.
fn connections(server: &Server) -> usize {
    let port = server.url().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let local = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_server = rows.filter(|row| row.get(1).is_some_and(|address| address.ends_with(&local)));
    // The state 01 is ESTABLISHED, 04 is FIN-WAIT-1.
    of_server.filter(|row| matches!(row.get(3), Some(&("01" | "04")))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_ask_and_do_not_read_the_answers_take_little_memory() {
    const SLEEPERS: usize = 6;
    const QUESTIONS: usize = 300;
    let server = Server::start(&[]);
    let user = User::sign_up(server.url(), "+31612345670", None).await;
    let mut socket = Socket::connect(server.url(), &user).await;
    let chat = json!({ "name": "Long", "is_group": true, "members_array": [] });
    let chat = socket.call("create_chat", json!({ "chat": chat })).await["chat"]["id"].as_i64().unwrap();
    for _ in 0..16 {
        let message = json!({ "chat_id": chat, "content": "x".repeat(60 * 1024), "message_type": "text" });
        assert_eq!(socket.call("send_message", json!({ "message": message })).await["ok"], true);
    }
    let resident = resident_kib(&server);
    let mut sleepers = Vec::new();
    for _ in 0..SLEEPERS {
        sleepers.push(asking(&server, &user, QUESTIONS).await);
    }
    // Until nothing is answered any more.
    let (mut answered, mut peak) = (u64::MAX, 0);
    while answered != handled(&server).await {
        answered = handled(&server).await;
        for _ in 0..20 {
            peak = peak.max(resident_kib(&server));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let grown = peak.saturating_sub(resident);
    println!("{answered} answers of 1 MiB for {SLEEPERS} sockets that do not read them, {grown} KiB more");
    // Each has 8 MiB that wait and an answer that is being made.
    assert!(grown < 128 * 1024, "{SLEEPERS} slow sockets took {grown} KiB");
    assert!(!hung_up(&server).await);

    // Who reads on gets all of it. It is another one, since on a busy machine the others may have missed a heartbeat by now.
    let mut reader = asking(&server, &user, QUESTIONS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut next = 0;
    while next < QUESTIONS {
        let Message::Text(text) = reader.next().await.unwrap().unwrap() else { continue };
        if text.as_str() == "2" {
            reader.send(Message::text("3")).await.unwrap();
        } else if text.starts_with("43") {
            assert!(
                text.starts_with(&format!("43{next}[{{\"epoch\""))
                    || text.starts_with(&format!("43{next}[{{\"ok\":true"))
            );
            next += 1;
        }
    }
}

/// A socket that has asked for all there is so many times, and has read nothing since it was let in.
async fn asking(server: &Server, user: &User, questions: usize) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let mut sleeper = sleeper(server.url(), user).await;
    // What is sent before one is let in closes the connection.
    while !sleeper.next().await.unwrap().unwrap().to_text().unwrap().starts_with("40") {}
    for n in 0..questions {
        sleeper.send(Message::text(format!("42{n}[\"sync\",{{}}]"))).await.unwrap();
    }
    sleeper
}

/// How many times a server has answered `sync`.
async fn handled(server: &Server) -> u64 {
    let metrics = reqwest::get(format!("{}/metrics", server.url())).await.unwrap().text().await.unwrap();
    let prefix = r#"mango_socket_events_total{event="sync",outcome="ok"} "#;
    metrics.lines().find_map(|line| line.strip_prefix(prefix)).unwrap().parse().unwrap()
}
