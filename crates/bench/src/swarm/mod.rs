//! Many Socket.IO clients on one thread: connections without a task or a thread each, so that the generator leaves the cores to the
//! servers that are measured.

mod ask;
mod frames;
mod packets;
mod pipe;
pub mod requests;
mod tally;

pub mod chat;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mio::{Events, Poll, Token, Waker};

use self::frames::Frame;
use self::packets::{Packet, Reader};
use self::pipe::{Input, Pipe};

pub use self::packets::Stamp;

/// What is read in one go.
const SCRATCH: usize = 256 * 1024;
/// How many connections may be on their way at once: what a listener surely has room for.
const CONNECTING: usize = 256;
/// How long to wait before looking at the clock again.
const TICK: Duration = Duration::from_millis(20);
/// How long all connections together may take.
const PATIENCE: Duration = Duration::from_secs(120);

const WAKE: Token = Token(usize::MAX);

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Opening,
    Connected,
}

/// A client.
struct Client {
    pipe: Pipe,
    stage: Stage,
    token: Arc<str>,
}

/// Clients that are connected to one server.
pub struct Swarm {
    poll: Poll,
    waker: Arc<Waker>,
    clients: Vec<Client>,
    scratch: Vec<u8>,
    reader: Reader,
    began: Instant,
}

/// What to do about what happens.
trait Conduct {
    /// A client got a packet. What is written to the outbox is sent.
    fn packet(&mut self, client: usize, packet: Packet<'_>, now: u64, outbox: &mut Outbox<'_>) -> Result<()>;

    /// Some time has passed, or somebody has asked for this. What has outboxes written to is to be named.
    fn tick(&mut self, now: u64, outboxes: &mut Outboxes<'_>) -> Result<()>;

    /// Whether it is over.
    fn is_over(&self, now: u64) -> bool;
}

/// Where a client's events are written.
struct Outbox<'a>(&'a mut Pipe);

impl Outbox<'_> {
    fn text(&mut self, payload: &[u8]) {
        frames::write_text(self.0.outbox(), payload);
    }
}

/// Where the events of all clients are written.
struct Outboxes<'a>(&'a mut [Client]);

impl Outboxes<'_> {
    /// Sends a text of a client.
    fn send(&mut self, client: usize, payload: &[u8]) -> Result<()> {
        let client = self.0.get_mut(client).context("a client that there is not")?;
        frames::write_text(client.pipe.outbox(), payload);
        client.pipe.flush()
    }
}

impl Swarm {
    /// Connects a client for each token, all as fast as it goes, and returns when all of them are in the namespace.
    ///
    /// # Errors
    /// When one is refused, or all together take two minutes.
    pub fn connect(address: SocketAddr, tokens: &[Arc<str>]) -> Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut swarm = Self {
            poll,
            waker,
            clients: Vec::with_capacity(tokens.len()),
            scratch: vec![0; SCRATCH],
            reader: Reader::default(),
            began: Instant::now(),
        };
        let mut arrivals = Arrivals { connected: 0, of: tokens.len() };
        let mut waiting = tokens.iter();
        let mut events = Events::with_capacity(1024);
        while arrivals.connected < arrivals.of {
            while swarm.clients.len() - arrivals.connected < CONNECTING
                && let Some(token) = waiting.next()
            {
                let mut pipe = Pipe::open(address, swarm.poll.registry(), Token(swarm.clients.len()))?;
                pipe.outbox().extend_from_slice(upgrade(address).as_bytes());
                swarm.clients.push(Client { pipe, stage: Stage::Upgrading, token: Arc::clone(token) });
            }
            swarm.turn(&mut events, &mut arrivals)?;
            if swarm.began.elapsed() > PATIENCE {
                bail!("only {} of {} clients were let in within {PATIENCE:?}", arrivals.connected, arrivals.of);
            }
        }
        Ok(swarm)
    }

    /// How long it has been since the first client began to connect.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Keeps all connections open for a while and answers pings.
    ///
    /// # Errors
    /// When a connection ends.
    pub fn idle(&mut self, time: Duration) -> Result<()> {
        struct Idle(u64);
        impl Conduct for Idle {
            fn packet(&mut self, _: usize, packet: Packet<'_>, _: u64, _: &mut Outbox<'_>) -> Result<()> {
                refuse(&packet)
            }
            fn tick(&mut self, _: u64, _: &mut Outboxes<'_>) -> Result<()> {
                Ok(())
            }
            fn is_over(&self, now: u64) -> bool {
                now >= self.0
            }
        }
        let end = self.now() + micros(time);
        self.run(&mut Idle(end))
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    fn run(&mut self, conduct: &mut impl Conduct) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        while !conduct.is_over(self.now()) {
            self.turn(&mut events, conduct)?;
        }
        Ok(())
    }

    /// Waits until something happens, and does what is to be done about it.
    fn turn(&mut self, events: &mut Events, conduct: &mut impl Conduct) -> Result<()> {
        match self.poll.poll(events, Some(TICK)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let Token(number) = event.token();
            let Some(client) = self.clients.get_mut(number) else { continue };
            client.pipe.flush()?;
            if event.is_readable() || event.is_read_closed() {
                Self::read(client, number, &mut self.scratch, &self.reader, self.began, conduct)
                    .with_context(|| format!("client {number}"))?;
            }
        }
        let now = self.now();
        conduct.tick(now, &mut Outboxes(&mut self.clients))
    }

    fn read(
        client: &mut Client,
        number: usize,
        scratch: &mut [u8],
        reader: &Reader,
        began: Instant,
        conduct: &mut impl Conduct,
    ) -> Result<()> {
        loop {
            let (mut bytes, more) = match client.pipe.read(scratch)? {
                Input::Bytes(bytes, more) => (bytes, more),
                Input::Nothing => break,
                Input::End => bail!("the server closed the connection at stage {:?}", client.stage),
            };
            let now = micros(began.elapsed());
            if client.stage == Stage::Upgrading {
                let Some(rest) = upgraded(bytes)? else {
                    client.pipe.keep(bytes);
                    continue;
                };
                bytes = rest;
                client.stage = Stage::Opening;
            }
            while let Some((frame, length)) = frames::parse(bytes)? {
                let text = match frame {
                    Frame::Text(text) => text,
                    Frame::Close(said) => bail!("the server closed the socket: {}", String::from_utf8_lossy(said)),
                    Frame::Other => b"",
                };
                match reader.read(text) {
                    Packet::Open => {
                        let hello = format!("40{}", serde_json::json!({ "token": &*client.token }));
                        Outbox(&mut client.pipe).text(hello.as_bytes());
                    }
                    Packet::Ping => Outbox(&mut client.pipe).text(b"3"),
                    packet => {
                        if packet == Packet::Connected {
                            client.stage = Stage::Connected;
                        }
                        conduct.packet(number, packet, now, &mut Outbox(&mut client.pipe))?;
                    }
                }
                bytes = bytes.get(length..).unwrap_or_default();
            }
            client.pipe.keep(bytes);
            if !more {
                break;
            }
        }
        client.pipe.flush()
    }
}

/// Counts who is let in.
struct Arrivals {
    connected: usize,
    of: usize,
}

impl Conduct for Arrivals {
    fn packet(&mut self, _: usize, packet: Packet<'_>, _: u64, _: &mut Outbox<'_>) -> Result<()> {
        if packet == Packet::Connected {
            self.connected += 1;
        }
        refuse(&packet)
    }

    fn tick(&mut self, _: u64, _: &mut Outboxes<'_>) -> Result<()> {
        Ok(())
    }

    fn is_over(&self, _: u64) -> bool {
        self.connected == self.of
    }
}

fn refuse(packet: &Packet<'_>) -> Result<()> {
    match packet {
        Packet::Refused(said) => bail!("the server refused: {}", String::from_utf8_lossy(said)),
        _ => Ok(()),
    }
}

/// The request that becomes a WebSocket. The key is the one of RFC 6455, section 1.3.
fn upgrade(address: SocketAddr) -> String {
    format!(
        "GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// What comes behind the answer to the upgrade, when that has come whole.
fn upgraded(bytes: &[u8]) -> Result<Option<&[u8]>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) if response.code == Some(101) => Ok(bytes.get(length..)),
        httparse::Status::Complete(_) => bail!("no upgrade: {}", String::from_utf8_lossy(bytes)),
    }
}

/// Whole microseconds.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
