//! A server under attack, frames in bytes, and what the process holds afterwards.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{SOON, Socket, User};
use crate::support::Server;

/// How much more memory the process may hold after an attack than before: what an allocator keeps for next time, and nothing that grows
/// with the attack.
pub const MARGIN: u64 = 64 << 20;

pub const POLLING: &str = "/ws/socket.io/?EIO=4&transport=polling";
pub const SOCKET: &str = "/ws/socket.io/?EIO=4&transport=websocket";

/// The opcodes of RFC 6455, section 5.2.
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// A server under attack, and somebody who uses it as one should.
pub struct Target {
    pub server: Server,
    pub user: User,
    address: SocketAddr,
    sockets: usize,
    pub memory: u64,
}

impl Target {
    pub async fn new() -> Self {
        let server = Server::start(&[]);
        let user = User::sign_up(server.url(), "+31612345601", None).await;
        let address = server.url().strip_prefix("http://").unwrap().parse().unwrap();
        let mut target = Self { server, user, address, sockets: 0, memory: 0 };
        // What a server needs once it has served somebody is no trace of an attack.
        target.serve().await;
        (target.sockets, target.memory) = (target.sockets(), target.memory());
        target
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A WebSocket that was agreed upon, and that speaks in bytes from here on.
    pub async fn upgraded(&self, target: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(handshake(target).as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        stream
    }

    /// A WebSocket whose client has been let in.
    pub async fn let_in(&self) -> TcpStream {
        let mut stream = self.upgraded(SOCKET).await;
        let connect = format!("40{}", json!({"token": self.user.access}));
        stream.write_all(&frame(true, TEXT, true, connect.as_bytes())).await.unwrap();
        read_until(&mut stream, b"ready").await;
        stream
    }

    /// Somebody who comes as one should is served, over both transports.
    pub async fn serve(&self) {
        let mut socket = Socket::connect(self.server.url(), &self.user).await;
        assert_eq!(socket.call("sync", json!({"chats": {}})).await["ok"], true);
        assert_eq!(self.user.get(self.server.url(), "/user/me").await["id"], self.user.id);
        let http = reqwest::Client::new();
        let open = http.get(format!("{}{POLLING}", self.server.url())).send().await.unwrap();
        assert_eq!(open.status(), 200);
        let open: Value = serde_json::from_str(&open.text().await.unwrap()[1..]).unwrap();
        let session = format!("{}{POLLING}&sid={}", self.server.url(), open["sid"].as_str().unwrap());
        assert_eq!(http.post(session).body("1").send().await.unwrap().status(), 200);
    }

    /// The server goes on as before, and holds no more than before.
    pub async fn assert_unharmed(&self) {
        self.serve().await;
        let deadline = Instant::now() + SOON;
        // Connections are closed some time after their clients are gone, and nothing tells when.
        while self.sockets() > self.sockets + 4 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (sockets, memory) = (self.sockets(), self.memory());
        assert!(sockets <= self.sockets + 4, "{sockets} sockets, {} before", self.sockets);
        assert!(memory <= self.memory + MARGIN, "{} MiB, {} before", memory >> 20, self.memory >> 20);
        let log = self.server.log();
        assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
    }

    /// How many sockets the process has open. The other files that it holds are the database's, which grow to the size of its pool.
    fn sockets(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.server.id())).unwrap();
        let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Bytes of memory that the process has.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

pub fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: mango.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame of RFC 6455, section 5.2. The mask is all zeros, which leaves the payload as it is.
pub fn frame(last: bool, opcode: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if last { 0x80 | opcode } else { opcode }];
    let mask = if masked { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => bytes.push(mask | length),
        (_, Ok(length)) => {
            bytes.push(mask | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend(if masked { &[0_u8; 4][..] } else { &[] });
    bytes.extend(payload);
    bytes
}

pub async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub async fn read_until(stream: &mut TcpStream, wanted: &[u8]) {
    let mut read = Vec::new();
    while !read.windows(wanted.len()).any(|window| window == wanted) {
        let byte = timeout(SOON, stream.read_u8()).await.unwrap();
        read.push(byte.unwrap_or_else(|_| panic!("it ended with {:?}", String::from_utf8_lossy(&read))));
    }
}

/// Waits until the server has closed the connection, whatever it says before, and gives that.
pub async fn closed(stream: &mut TcpStream, what: &str) -> Vec<u8> {
    let mut said = Vec::new();
    // Being reset is being closed as well.
    let _ = timeout(SOON, stream.read_to_end(&mut said)).await.unwrap_or_else(|_| panic!("{what} is left open"));
    said
}

/// Sends something on a WebSocket that was let in, for which the server has to close it.
pub async fn check_closes(target: &Target, what: &str, bytes: &[u8]) {
    let mut stream = target.let_in().await;
    // It may be closed before all of it was sent.
    let _ = stream.write_all(bytes).await;
    closed(&mut stream, what).await;
}
