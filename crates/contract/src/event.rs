//! Events that the server emits, and the events that clients send which have no home beside a resource.

use mango_domain::model::{
    ChatId, ChatKind, ChatName, ClientId, Epoch, LikeToggle, Message, PinToggle, Principal, UserId, Version,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::WireTime;

/// What `authenticate` takes.
#[derive(Deserialize, ToSchema)]
pub struct AuthenticatePayload {
    /// A fresh access token of the same user.
    pub token: String,
}

/// `chat_created`: a chat that the receiver is a member of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"chat": 1, "name": "Book club", "is_group": true, "members_array": [1, 2, 3], "version": 1}))]
pub struct ChatCreated<'a> {
    /// The chat's id.
    pub chat: i64,
    /// Its name; null for a direct chat without one.
    pub name: Option<&'a str>,
    /// False for a direct chat between two users.
    pub is_group: bool,
    /// The ids of its members in order.
    pub members_array: Vec<i64>,
    /// The chat's version: 1 when it is new.
    pub version: i64,
}

impl<'a> ChatCreated<'a> {
    /// Tells of a chat.
    #[must_use]
    pub fn new(chat: ChatId, name: Option<&'a ChatName>, kind: ChatKind, members: &[UserId], version: Version) -> Self {
        Self {
            chat: chat.get(),
            name: name.map(ChatName::as_str),
            is_group: kind == ChatKind::Group,
            members_array: members.iter().map(|member| member.get()).collect(),
            version: version.get(),
        }
    }
}

/// `new_message`: a message in a chat of the receiver.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewMessage<'a> {
    /// The chat's id.
    pub chat: i64,
    /// Text, or base64 when the type is binary.
    pub content: &'a str,
    /// One of the 25 types.
    #[schema(example = "text")]
    pub message_type: &'static str,
    /// The message's id.
    pub id: i64,
    /// Its place in the chat.
    pub seq: i64,
    /// Who sent it.
    pub user_id: i64,
    /// When the server took it.
    pub created_at: WireTime,
    /// The chat's version that this is.
    pub version: i64,
    /// What the sender calls it. Only the sender's own devices get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
}

impl<'a> NewMessage<'a> {
    /// The event as the other devices of the sender get it.
    #[must_use]
    pub fn for_sender(message: &'a Message) -> Self {
        Self { client_id: message.client_id.as_ref().map(ClientId::as_str), ..Self::from(message) }
    }
}

impl<'a> From<&'a Message> for NewMessage<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            chat: message.chat.get(),
            content: message.body.content(),
            message_type: message.body.message_type().name(),
            id: message.id.get(),
            seq: message.seq.get(),
            user_id: message.sender.get(),
            created_at: WireTime(message.created_at),
            version: message.version.get(),
            client_id: None,
        }
    }
}

/// `message_liked`: a like was given or taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageLiked {
    /// The message's id.
    pub message_id: i64,
    /// The id of the chat it is in.
    pub chat: i64,
    /// Who toggled.
    pub user_id: i64,
    /// Whether that user likes it now.
    pub liked: bool,
    /// How many like it now.
    pub likes: u64,
    /// The chat's version that this is.
    pub version: i64,
}

impl From<&LikeToggle> for MessageLiked {
    fn from(like: &LikeToggle) -> Self {
        Self {
            message_id: like.message.get(),
            chat: like.chat.get(),
            user_id: like.user.get(),
            liked: like.liked,
            likes: like.likes,
            version: like.version.get(),
        }
    }
}

/// `chat_pinned` and `chat_unpinned`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatPinned {
    /// The chat's id.
    pub chat: i64,
    /// The chat's version at that time; a pin is no change of the chat and takes none.
    pub version: i64,
}

impl From<&PinToggle> for ChatPinned {
    fn from(pin: &PinToggle) -> Self {
        Self { chat: pin.chat.get(), version: pin.version.get() }
    }
}

/// `chat_changed`: there may be changes that were not told one by one.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatChanged {
    /// The chat's id.
    pub chat: i64,
    /// The version it has by now.
    pub version: i64,
}

impl ChatChanged {
    /// Tells where a chat is.
    #[must_use]
    pub fn new(chat: ChatId, version: Version) -> Self {
        Self { chat: chat.get(), version: version.get() }
    }
}

/// Why the server disconnects a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HangUpReason {
    /// It does not read what it is sent.
    Slow,
    /// It sends more than can be handled, and asks for no acknowledgement that could say so.
    Flood,
    /// Its session has ended.
    SessionEnded,
    /// Its token has expired.
    TokenExpired,
    /// The server is about to stop.
    ShuttingDown,
}

impl HangUpReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Slow, Self::Flood, Self::SessionEnded, Self::TokenExpired, Self::ShuttingDown];

    /// The reason as it is on the wire and in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Flood => "flood",
            Self::SessionEnded => "session_ended",
            Self::TokenExpired => "token_expired",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// `hanging_up`: the server is about to disconnect the socket, or to break all connections off.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct HangingUp {
    /// Why.
    pub reason: HangUpReason,
}

/// `ready`: the socket is in its rooms.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Ready {
    /// Who the socket belongs to.
    pub user_id: i64,
    /// The session of its token.
    pub session_id: i64,
    /// The name of the database. When it is another one than last time, what the client has kept is worth nothing.
    pub epoch: String,
    /// When the token stops being good, and the socket with it.
    pub expires_at: WireTime,
}

impl Ready {
    /// Welcomes a socket.
    #[must_use]
    pub fn new(principal: &Principal, epoch: &Epoch) -> Self {
        Self {
            user_id: principal.user.get(),
            session_id: principal.session.get(),
            epoch: epoch.as_str().to_owned(),
            expires_at: WireTime(principal.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_reasons_are_those_on_the_wire() {
        for reason in HangUpReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
        }
    }
}
