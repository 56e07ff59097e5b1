//! Events that the server emits, and the events that clients send which have no home beside a resource.

use mango_domain::model::{ChatId, ChatKind, ChatName, LikeToggle, Message, UserId};
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
#[schema(example = json!({"chat": 1, "name": "Book club", "is_group": true, "members_array": [1, 2, 3]}))]
pub struct ChatCreated<'a> {
    /// The chat's id.
    pub chat: i64,
    /// Its name; null for a direct chat without one.
    pub name: Option<&'a str>,
    /// False for a direct chat between two users.
    pub is_group: bool,
    /// The ids of its members in order.
    pub members_array: Vec<i64>,
}

impl<'a> ChatCreated<'a> {
    /// Tells of a chat.
    #[must_use]
    pub fn new(chat: ChatId, name: Option<&'a ChatName>, kind: ChatKind, members: &[UserId]) -> Self {
        Self {
            chat: chat.get(),
            name: name.map(ChatName::as_str),
            is_group: kind == ChatKind::Group,
            members_array: members.iter().map(|member| member.get()).collect(),
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
}

impl From<&LikeToggle> for MessageLiked {
    fn from(like: &LikeToggle) -> Self {
        Self {
            message_id: like.message.get(),
            chat: like.chat.get(),
            user_id: like.user.get(),
            liked: like.liked,
            likes: like.likes,
        }
    }
}

/// `chat_pinned` and `chat_unpinned`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatPinned {
    /// The chat's id.
    pub chat: i64,
}
