//! What has happened, as told to those whom it concerns.

use std::sync::Arc;

use crate::model::{ChatId, ChatKind, ChatName, LikeToggle, Message, SessionId, UserId};

/// Names a live connection of a client, so that news of a change is not sent back to the connection that made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub String);

/// News of a change that the store has committed.
#[derive(Debug, Clone)]
pub enum Event {
    /// A chat was created. It goes to every connection of every member, which from now on get the chat's events. A direct chat that
    /// was there already is told only to the connection that asked for it.
    ChatCreated {
        /// The chat.
        chat: ChatId,
        /// Its name.
        name: Option<ChatName>,
        /// Direct or group.
        kind: ChatKind,
        /// Its members in order of id.
        members: Arc<[UserId]>,
        /// The only connection to tell, when the chat was there already.
        only: Option<ConnectionId>,
    },
    /// A message was sent. It goes to every connection of every member but `origin`.
    MessageSent {
        /// The message.
        message: Arc<Message>,
        /// The connection that sent it.
        origin: Option<ConnectionId>,
    },
    /// A like was given or taken back. It goes to every connection of every member but `origin`.
    LikeToggled {
        /// What came of it.
        like: LikeToggle,
        /// The connection that toggled.
        origin: Option<ConnectionId>,
    },
    /// A user pinned a chat or took the pin away. It goes to every connection of that user.
    PinToggled {
        /// The user.
        user: UserId,
        /// The chat.
        chat: ChatId,
        /// Whether it is pinned now.
        pinned: bool,
    },
    /// Sessions have ended. Their connections are closed.
    SessionsEnded {
        /// Which.
        sessions: Vec<SessionId>,
    },
}
