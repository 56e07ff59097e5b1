//! The events port: what happened, told to the sockets that it concerns.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mango_contract::ack::{LikeAck, MessageAck};
use mango_contract::event::{ChatChanged, ChatCreated, ChatPinned, HangUpReason, MessageLiked, NewMessage};
use mango_contract::user::UserBriefReply;
use mango_contract::{Ack, catalogue};
use mango_domain::model::{ConnectionId, Event, Message, Origin, SessionId};
use mango_domain::ports::Events;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::extract::SocketRef;
use socketioxide::operators::BroadcastOperators;
use socketioxide::{BroadcastError, SendError, SocketError};
use tokio::time::Instant;

use crate::connection::Mailbox;
use crate::hub::Hub;
use crate::on::Done;
use crate::outlet::{event_size, is_counted};
use crate::rooms;

/// How long after a buffer was full every buffer is looked at before anything is sent.
const UNDER_PRESSURE: Duration = Duration::from_secs(10);

/// How many times to tell of an event that somebody has lost.
const RETELLINGS: u32 = 3;

/// Whom an event is for.
struct Audience {
    /// Whoever is in one of these rooms.
    rooms: Vec<String>,
    /// But not this socket.
    except: Option<SocketRef>,
    /// And nobody in this room.
    without: Option<String>,
}

impl Audience {
    fn all(room: String) -> Self {
        Self { rooms: vec![room], except: None, without: None }
    }
}

/// Tells sockets what happened. An event is encoded once for a room, however many are in it.
pub struct Publisher {
    hub: Hub,
    pressed_until: Mutex<Option<Instant>>,
}

impl Publisher {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, pressed_until: Mutex::new(None) }
    }
}

#[async_trait]
impl Events for Publisher {
    async fn publish(&self, event: Event) {
        match event {
            Event::ChatCreated { chat, name, kind, members, version, only } => {
                let payload = ChatCreated::new(chat, name.as_ref(), kind, &members, version);
                let changed = ChatChanged::new(chat, version);
                match only {
                    Some(connection) => self.tell_one(&connection, catalogue::CHAT_CREATED, &payload),
                    None => {
                        let room = rooms::chat(chat);
                        if let Some(sockets) = self.hub.sockets() {
                            // One operation for all, whose error type has no values.
                            let members: Vec<String> = members.iter().copied().map(rooms::user).collect();
                            let Ok(()) = sockets.within(members).join(room.clone()).await;
                        }
                        self.tell(&Audience::all(room), catalogue::CHAT_CREATED, &payload, Some(&changed)).await;
                    }
                }
            }
            Event::MessageSent { message, origin } => self.tell_message(&message, origin.as_ref()).await,
            Event::LikeToggled { like, origin } => {
                let asking = self.answer(origin.as_ref(), || Done::Like(LikeAck::from(&like)));
                let audience = Audience { except: asking, ..Audience::all(rooms::chat(like.chat)) };
                let changed = ChatChanged::new(like.chat, like.version);
                self.tell(&audience, catalogue::MESSAGE_LIKED, &MessageLiked::from(&like), Some(&changed)).await;
            }
            Event::PinToggled { pin } => {
                let name = if pin.pinned { catalogue::CHAT_PINNED } else { catalogue::CHAT_UNPINNED };
                self.tell(&Audience::all(rooms::user(pin.user)), name, &ChatPinned::from(&pin), None).await;
            }
            Event::ChatChanged { chat, version } => {
                let payload = ChatChanged::new(chat, version);
                self.tell(&Audience::all(rooms::chat(chat)), catalogue::CHAT_CHANGED, &payload, None).await;
            }
            Event::UserChanged { user, chats } => {
                // Who is in several of the rooms is told once.
                let rooms = chats.into_iter().map(rooms::chat).chain([rooms::user(user.id)]).collect();
                let audience = Audience { rooms, except: None, without: None };
                self.tell(&audience, catalogue::USER_CHANGED, &UserBriefReply::from(&user), None).await;
            }
            Event::SessionsEnded { sessions } => self.end(&sessions),
        }
    }
}

impl Publisher {
    /// Answers who sent a message, and tells the others. What the sender calls the message is for the sender's devices alone.
    async fn tell_message(&self, message: &Message, origin: Option<&Origin>) {
        let asking = self.answer(origin, || Done::Message(MessageAck::new(message)));
        let (room, own) = (rooms::chat(message.chat), rooms::user(message.sender));
        let payload = NewMessage::from(message);
        let changed = ChatChanged::new(message.chat, message.version);
        if message.client_id.is_none() {
            let audience = Audience { except: asking, ..Audience::all(room) };
            return self.tell(&audience, catalogue::NEW_MESSAGE, &payload, Some(&changed)).await;
        }
        let others = Audience { rooms: vec![room], except: None, without: Some(own.clone()) };
        self.tell(&others, catalogue::NEW_MESSAGE, &payload, Some(&changed)).await;
        let devices = Audience { except: asking, ..Audience::all(own) };
        self.tell(&devices, catalogue::NEW_MESSAGE, &NewMessage::for_sender(message), Some(&changed)).await;
    }

    /// Answers a request in the place of the event that it led to. Gives the socket that asked.
    fn answer(&self, origin: Option<&Origin>, done: impl FnOnce() -> Done) -> Option<SocketRef> {
        let origin = origin?;
        let (socket, mailbox) = self.hub.find(&origin.connection)?;
        mailbox.connection().answer_request(origin.request, &Ack::Done(done()));
        Some(socket)
    }

    /// Tells those whom it concerns. Where a buffer was full, whoever is still connected is told that there was something: with `changed`, or
    /// by telling them once more what may be told any number of times. For nobody knows whose buffer it was, and its owner may have
    /// read on since.
    async fn tell<T: Serialize>(
        &self,
        audience: &Audience,
        name: &'static str,
        payload: &T,
        changed: Option<&ChatChanged>,
    ) {
        let mut full = self.send(audience, name, payload).await;
        for _ in 0..RETELLINGS {
            if full == 0 {
                return;
            }
            full = match changed {
                Some(changed) => self.send(audience, catalogue::CHAT_CHANGED, changed).await,
                None => self.send(audience, name, payload).await,
            };
        }
        if full > 0 {
            tracing::error!(event = name, full, "sockets that are connected were not told of an event");
        }
    }

    /// Sends an event, and gives how many buffers had no place for it. Those that are still full then are hung up on.
    async fn send<T: Serialize>(&self, audience: &Audience, name: &'static str, payload: &T) -> usize {
        let (Some(told), Some(payload)) = (self.find(audience), written(name, payload)) else {
            return 0;
        };
        let size = event_size(name, &payload);
        if is_counted(size) || self.is_pressed() {
            self.make_room(self.find(audience).map(BroadcastOperators::sockets).unwrap_or_default(), size);
        }
        metrics::counter!("mango_events_published_total", "event" => name).increment(1);
        match told.emit(name, &payload).await {
            Ok(()) => 0,
            Err(BroadcastError::Socket(errors)) => {
                // A closed socket is on its way out and gets nothing more anyway.
                let full = errors.iter().filter(|error| matches!(error, SocketError::InternalChannelFull)).count();
                if full == 0 {
                    return 0;
                }
                self.press();
                let shed = self.shed(self.find(audience).map(BroadcastOperators::sockets).unwrap_or_default());
                failed(full);
                tracing::warn!(event = name, full, shed, "sockets did not keep up");
                full
            }
            Err(error) => {
                failed(1);
                tracing::error!(event = name, %error, "an event could not be sent");
                0
            }
        }
    }

    /// The sockets that an event is for.
    fn find(&self, audience: &Audience) -> Option<BroadcastOperators> {
        let sockets = self.hub.sockets()?;
        let Audience { rooms, except, without } = audience;
        let told = match except {
            Some(socket) => socket.to(rooms.clone()),
            None => sockets.within(rooms.clone()),
        };
        Some(match without {
            Some(without) => told.except(without.clone()),
            None => told,
        })
    }

    /// Tells one connection.
    fn tell_one<T: Serialize>(&self, connection: &ConnectionId, name: &'static str, payload: &T) {
        let (Some((socket, mailbox)), Some(payload)) = (self.hub.find(connection), written(name, payload)) else {
            return;
        };
        metrics::counter!("mango_events_published_total", "event" => name).increment(1);
        if !mailbox.connection().admit(event_size(name, &payload)) {
            failed(1);
            return self.drop_slow(socket);
        }
        match socket.emit(name, &payload) {
            Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                failed(1);
                self.drop_slow(socket);
            }
            Err(SendError::Serialize(error)) => {
                failed(1);
                tracing::error!(event = name, %error, "an event could not be sent");
            }
        }
    }

    /// Hangs up on the sockets of sessions that have ended.
    fn end(&self, sessions: &[SessionId]) {
        self.hub.note_ends(sessions);
        let rooms: Vec<String> = sessions.iter().copied().map(rooms::session).collect();
        // No rooms would mean all sockets.
        let Some(sockets) = self.hub.sockets().filter(|_| !rooms.is_empty()) else {
            return;
        };
        for socket in sockets.within(rooms).sockets() {
            self.hub.hang_up(socket, HangUpReason::SessionEnded);
        }
    }

    /// Hangs up on those who have no place for a packet, before it is sent.
    fn make_room(&self, sockets: Vec<SocketRef>, size: usize) {
        let (pressed, count) = (self.is_pressed(), sockets.len());
        for socket in sockets {
            if !admits(&socket, size, count) || (pressed && is_full(&socket)) {
                failed(1);
                self.drop_slow(socket);
            }
        }
    }

    /// Hangs up on those whose buffers are full; how many there were.
    ///
    /// A broadcast tells how many buffers were full, not whose, and by the time one looks a socket may have read on. So for a
    /// while after a full buffer was seen, those that are full are hung up on *before* something is sent to the others.
    fn shed(&self, sockets: Vec<SocketRef>) -> usize {
        sockets.into_iter().filter(is_full).map(|socket| self.drop_slow(socket)).count()
    }

    fn drop_slow(&self, socket: SocketRef) {
        self.hub.hang_up(socket, HangUpReason::Slow);
    }

    fn press(&self) {
        *self.pressed_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + UNDER_PRESSURE);
    }

    fn is_pressed(&self) -> bool {
        let mut until = self.pressed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = until.filter(|until| *until > Instant::now());
        until.is_some()
    }
}

fn failed(deliveries: usize) {
    metrics::counter!("mango_publish_failures_total").increment(u64::try_from(deliveries).unwrap_or(u64::MAX));
}

/// What an event tells, encoded once for all who get it.
fn written<T: Serialize>(name: &str, payload: &T) -> Option<Box<RawValue>> {
    to_raw_value(payload)
        .inspect_err(|error| {
            failed(1);
            tracing::error!(event = name, %error, "an event could not be written");
        })
        .ok()
}

/// Makes room for a packet to a socket, which is one of so many that get it; says no when too much waits for it.
fn admits(socket: &SocketRef, size: usize, sockets: usize) -> bool {
    let mailbox = socket.extensions.get::<Arc<Mailbox>>();
    mailbox.is_none_or(|mailbox| mailbox.connection().admit_shared(size, sockets))
}

/// Whether there is no place in a socket's buffer. A place is taken before the payload is written, so a payload that cannot be
/// written tells whether there was one, and sends nothing.
fn is_full(socket: &SocketRef) -> bool {
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("only looking"))
        }
    }
    matches!(socket.emit("", &Unwritable), Err(SendError::Socket(SocketError::InternalChannelFull)))
}
