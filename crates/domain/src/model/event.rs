//! What has happened, as told to those whom it concerns.

use std::sync::Arc;

use crate::model::{ChatId, ChatKind, ChatName, LikeToggle, Message, PinToggle, SessionId, UserBrief, UserId, Version};

/// Names a live connection of a client, so that news of a change is not sent back to the connection that made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub String);

/// Where a change was asked for: news of it is not sent back there, and the answer takes the place of the news.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The connection.
    pub connection: ConnectionId,
    /// Which of the connection's requests it was.
    pub request: u64,
}

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
        /// Its version: 1, or that of the chat that was there already.
        version: Version,
        /// The only connection to tell, when the chat was there already.
        only: Option<ConnectionId>,
    },
    /// A message was sent. It goes to every connection of every member but `origin`.
    MessageSent {
        /// The message.
        message: Arc<Message>,
        /// Who asked for it, to be answered in its place.
        origin: Option<Origin>,
    },
    /// A like was given or taken back. It goes to every connection of every member but `origin`.
    LikeToggled {
        /// What came of it.
        like: LikeToggle,
        /// Who asked for it, to be answered in its place.
        origin: Option<Origin>,
    },
    /// A user pinned a chat or took the pin away. It goes to every connection of that user.
    PinToggled {
        /// What came of it.
        pin: PinToggle,
    },
    /// Changes of a chat may have been committed that nobody could be told of, since the database did not say. It goes to every
    /// connection of every member, for them to catch up.
    ChatChanged {
        /// The chat.
        chat: ChatId,
        /// The version it has by now.
        version: Version,
    },
    /// A user has another name or photo. It goes to every connection of everybody who shares a chat with them, and to their own.
    UserChanged {
        /// The user as they are now, which may be newer than the change that is told of.
        user: UserBrief,
        /// The chats that the user is in.
        chats: Vec<ChatId>,
    },
    /// Sessions have ended. Their connections are closed.
    SessionsEnded {
        /// Which.
        sessions: Vec<SessionId>,
    },
}
