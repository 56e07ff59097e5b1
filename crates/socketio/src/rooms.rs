//! The names of rooms. A socket is in the room of its user, of its session, and of each chat of its user.

use mango_domain::model::{ChatId, SessionId, UserId};

/// Where what concerns a chat is told.
pub(crate) fn chat(id: ChatId) -> String {
    format!("chat:{id}")
}

/// Where what concerns a user alone is told, and where their sockets are found.
pub(crate) fn user(id: UserId) -> String {
    format!("user:{id}")
}

/// Where the sockets of a session are found.
pub(crate) fn session(id: SessionId) -> String {
    format!("session:{id}")
}
