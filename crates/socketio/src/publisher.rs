//! The events port: what happened, told to the sockets that it concerns.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use mango_contract::catalogue;
use mango_contract::event::{ChatCreated, ChatPinned, MessageLiked, NewMessage};
use mango_domain::model::{ConnectionId, Event, SessionId};
use mango_domain::ports::Events;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use socketioxide::{BroadcastError, SendError, SocketError};
use tokio::time::Instant;

use crate::hub::Hub;
use crate::rooms;

/// How long after a buffer was full every buffer is looked at before anything is sent.
const UNDER_PRESSURE: Duration = Duration::from_secs(10);

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
            Event::ChatCreated { chat, name, kind, members, only } => {
                let payload = ChatCreated::new(chat, name.as_ref(), kind, &members);
                match only {
                    Some(connection) => self.tell_one(&connection, catalogue::CHAT_CREATED, &payload),
                    None => {
                        let room = rooms::chat(chat);
                        if let Some(sockets) = self.hub.sockets() {
                            // One operation for all, whose error type has no values.
                            let members: Vec<String> = members.iter().copied().map(rooms::user).collect();
                            let Ok(()) = sockets.within(members).join(room.clone()).await;
                        }
                        self.tell(room, None, catalogue::CHAT_CREATED, &payload).await;
                    }
                }
            }
            Event::MessageSent { message, origin } => {
                let payload = NewMessage::from(&*message);
                self.tell(rooms::chat(message.chat), origin.as_ref(), catalogue::NEW_MESSAGE, &payload).await;
            }
            Event::LikeToggled { like, origin } => {
                let payload = MessageLiked::from(&like);
                self.tell(rooms::chat(like.chat), origin.as_ref(), catalogue::MESSAGE_LIKED, &payload).await;
            }
            Event::PinToggled { user, chat, pinned } => {
                let name = if pinned { catalogue::CHAT_PINNED } else { catalogue::CHAT_UNPINNED };
                self.tell(rooms::user(user), None, name, &ChatPinned { chat: chat.get() }).await;
            }
            Event::SessionsEnded { sessions } => self.end(&sessions),
        }
    }
}

impl Publisher {
    /// Tells a room, but not the connection `except`.
    async fn tell<T: Serialize>(&self, room: String, except: Option<&ConnectionId>, name: &'static str, payload: &T) {
        let Some(sockets) = self.hub.sockets() else {
            return;
        };
        if self.is_pressed() {
            self.shed(&room);
        }
        let told = match except.and_then(|connection| self.find(connection)) {
            Some(sender) => sender.to(room.clone()),
            None => sockets.within(room.clone()),
        };
        metrics::counter!("mango_events_published_total", "event" => name).increment(1);
        match told.emit(name, payload).await {
            Ok(()) => {}
            Err(BroadcastError::Socket(errors)) => {
                // A closed socket is on its way out and gets nothing more anyway.
                let full = errors.iter().filter(|error| matches!(error, SocketError::InternalChannelFull)).count();
                if full > 0 {
                    self.press();
                    let shed = self.shed(&room);
                    failed(full);
                    tracing::warn!(event = name, full, shed, "sockets did not keep up");
                }
            }
            Err(error) => {
                failed(1);
                tracing::error!(event = name, %error, "an event could not be sent");
            }
        }
    }

    /// Tells one connection.
    fn tell_one<T: Serialize>(&self, connection: &ConnectionId, name: &'static str, payload: &T) {
        let Some(socket) = self.find(connection) else {
            return;
        };
        metrics::counter!("mango_events_published_total", "event" => name).increment(1);
        match socket.emit(name, payload) {
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
        for session in sessions {
            self.hub.note_end(*session);
        }
        let rooms: Vec<String> = sessions.iter().copied().map(rooms::session).collect();
        // No rooms would mean all sockets.
        let Some(sockets) = self.hub.sockets().filter(|_| !rooms.is_empty()) else {
            return;
        };
        for socket in sockets.within(rooms).sockets() {
            metrics::counter!("mango_sockets_hung_up_total", "reason" => "session ended").increment(1);
            self.hub.hang_up(socket);
        }
    }

    /// Hangs up on the sockets of a room whose buffers are full; how many there were.
    ///
    /// A broadcast tells how many buffers were full, not whose, and by the time one looks a socket may have read on. So for a
    /// while after a full buffer was seen, those that are full are hung up on *before* something is sent to the others.
    fn shed(&self, room: &str) -> usize {
        let sockets = self.hub.sockets().map(|sockets| sockets.within(room.to_owned()).sockets()).unwrap_or_default();
        let full = sockets.into_iter().filter(is_full);
        full.map(|socket| self.drop_slow(socket)).count()
    }

    fn drop_slow(&self, socket: SocketRef) {
        metrics::counter!("mango_sockets_hung_up_total", "reason" => "slow").increment(1);
        self.hub.hang_up(socket);
    }

    fn find(&self, connection: &ConnectionId) -> Option<SocketRef> {
        let (sid, _) = connection.0.split_once('.')?;
        self.hub.socket(sid.parse::<Sid>().ok()?)
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
