//! A server over the ports in memory, users of it, and clients.

mod client;
mod poller;
mod ports;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use mango_domain::model::{ChatId, MessageId, MessageType, Principal, SessionId, UserId};
use mango_domain::ports::{AccessClaims, Clock as _, Departure, Tokens as _};
use mango_domain::usecases::send_message::Outgoing;
use mango_domain::usecases::{Ports, UseCases};
use mango_socketio::{Hub, MemoryPresence, Options, Outlet, Service, build};
use mango_testkit::{Memory, build as make};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use client::{Client, Connecting, acknowledgement};
pub use poller::Poller;
pub use ports::{Gate, HeldChats, PanickingLikes};
use ports::{HeldMessages, WatchedPresence};
use wire::Wire;

/// How long anything that must come may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The limits that a server has by itself.
pub const fn limits() -> Options {
    Options::new(Memory::POLICY.max_content)
}

/// What a client sends to have a text stored.
pub fn text_message(chat: impl Serialize, content: &str) -> Value {
    json!({ "message": { "chat_id": chat, "content": content, "message_type": "text" } })
}

/// A running server.
pub struct World {
    pub memory: Memory,
    pub hub: Hub,
    pub use_cases: Arc<UseCases>,
    pub address: SocketAddr,
    departures: Mutex<mpsc::UnboundedReceiver<(UserId, Departure)>>,
    _server: AbortOnDropHandle<()>,
}

/// A user with a session and its token.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub session: SessionId,
    pub token: String,
}

impl Person {
    pub fn principal(&self, world: &World) -> Principal {
        Principal { user: self.id, session: self.session, expires_at: world.memory.clock.now() + TimeDelta::hours(1) }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(limits(), |ports| ports).await
    }

    /// With other limits, and with ports replaced.
    pub async fn with(options: Options, replace: impl FnOnce(Ports) -> Ports) -> Self {
        let memory = Memory::new();
        let (hub, service) = build(&options);
        let events = Arc::new(hub.publisher());
        let (presence, departures) = WatchedPresence::new(MemoryPresence::default());
        let ports = Ports { events, presence: Arc::new(presence), ..memory.ports() };
        let use_cases = Arc::new(UseCases::new(replace(ports), Memory::POLICY));
        hub.attach(Arc::clone(&use_cases), memory.clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, service)));
        Self { memory, hub, use_cases, address, departures: Mutex::new(departures), _server: server }
    }

    /// With messages that wait at a gate before they are stored.
    pub async fn held(options: Options) -> (Self, Gate) {
        let gate = Gate::closed();
        let messages = |ports: &Ports| Arc::new(HeldMessages(Arc::clone(&ports.messages), gate.clone()));
        let world = Self::with(options, |ports| Ports { messages: messages(&ports), ..ports }).await;
        (world, gate)
    }

    /// Waits until a connection has gone offline; whose, and whether it was the last.
    pub async fn departure(&self) -> (UserId, Departure) {
        timeout(PATIENCE, async { self.departures.lock().await.recv().await }).await.unwrap().unwrap()
    }

    /// The `n`th user, with a session.
    pub async fn person(&self, n: u32) -> Person {
        let stores = self.memory.stores();
        let id = make::user(n).name(&format!("User {n}")).add(&stores).await.id;
        self.session(id, n).await
    }

    /// Another session of a user, whose `n` is not used yet.
    pub async fn session(&self, user: UserId, n: u32) -> Person {
        let session = make::session(&self.memory.stores(), user, n).await;
        Person { id: user, session, token: self.token(user, session, 3600) }
    }

    /// A token that is good for so many seconds.
    pub fn token(&self, user: UserId, session: SessionId, seconds: i64) -> String {
        let issued_at = self.memory.clock.now();
        let expires_at = issued_at + TimeDelta::seconds(seconds);
        self.memory.tokens.sign(&AccessClaims { user, session, issued_at, expires_at }).unwrap()
    }

    /// A group of these people.
    pub async fn group(&self, people: &[&Person]) -> ChatId {
        let ids: Vec<UserId> = people.iter().map(|person| person.id).collect();
        make::group(ids[0], &ids).add(&self.memory.stores()).await
    }

    /// A message of a member, which nobody was told of.
    pub async fn message(&self, chat: ChatId, sender: &Person) -> MessageId {
        make::message(chat, sender.id).add(&self.memory.stores()).await.id
    }

    /// How to connect.
    pub fn client(&self) -> Connecting {
        Connecting::to(self.address)
    }

    /// A connected socket of a person.
    pub async fn connect(&self, person: &Person) -> Client {
        self.client().payload(&person.token).connect().await.unwrap()
    }

    /// Sends a message to a chat from no socket at all.
    pub async fn say(&self, person: &Person, chat: ChatId, content: &str) {
        let outgoing = Outgoing {
            chat,
            message_type: MessageType::Text,
            content: content.to_owned(),
            client_id: None,
            origin: None,
        };
        self.use_cases.send_message.run(&person.principal(self), outgoing).await.unwrap();
    }

    pub async fn is_online(&self, person: &Person) -> bool {
        let caller = person.principal(self);
        self.use_cases.get_user.run(&caller, person.id).await.unwrap().online
    }
}

async fn serve(listener: TcpListener, service: Service) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        tokio::spawn(serve_connection(socket, service.clone()));
    }
}

/// Serves a connection as `app` does: one that is to carry a WebSocket has an outlet, one for polling has none.
async fn serve_connection(socket: TcpStream, service: Service) {
    let mut start = [0; 256];
    let Ok(length) = socket.peek(&mut start).await else { return };
    let is_websocket = String::from_utf8_lossy(&start[..length]).contains("transport=websocket");
    let http = http1::Builder::new();
    // Clients that go away without a word are part of the tests.
    let _ = if is_websocket {
        let wire = CancellationToken::new();
        let outlet = Outlet::new(wire.clone());
        let io = TokioIo::new(outlet.meter(Wire::new(socket, wire)));
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(outlet.clone());
            service.call(request)
        });
        http.serve_connection(io, answer).with_upgrades().await
    } else {
        let answer = service_fn(move |request: Request<Incoming>| service.call(request));
        http.serve_connection(TokioIo::new(socket), answer).with_upgrades().await
    };
}
