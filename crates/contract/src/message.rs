//! Messages: how they are sent and shown.

use mango_domain::Error;
use mango_domain::model::{ChatId, ConnectionId, Message, MessageId, MessageType, PageRequest, PostedMessage, Seq};
use mango_domain::usecases::send_message::Outgoing;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::decode::object;
use crate::time::WireTime;
use crate::user::UserBriefReply;

/// What `send_message` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"message": {"chat_id": 1, "content": "Hello!", "message_type": "text"}}))]
pub struct SendMessagePayload {
    /// The message.
    #[serde(deserialize_with = "object")]
    pub message: NewMessagePayload,
}

/// The message that is sent.
#[derive(Deserialize, ToSchema)]
pub struct NewMessagePayload {
    /// The chat it goes to.
    pub chat_id: i64,
    /// Text, or base64 when the type is binary; not empty, at most 64 KiB unless the server is set otherwise.
    pub content: String,
    /// One of the 25 types, such as `text` or `image`.
    #[schema(example = "text")]
    pub message_type: String,
}

impl SendMessagePayload {
    /// Checks the type; whether the content fits it is for the use case to see.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `message.message_type`.
    pub fn into_domain(self, origin: Option<ConnectionId>) -> Result<Outgoing, Error> {
        let NewMessagePayload { chat_id, content, message_type } = self.message;
        let message_type = MessageType::parse(&message_type)?;
        Ok(Outgoing { chat: ChatId::new(chat_id), message_type, content, origin })
    }
}

/// What `toggle_like_message` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"message": {"id": 1}}))]
pub struct ToggleLikePayload {
    /// The message.
    #[serde(deserialize_with = "object")]
    pub message: MessageRef,
}

/// A message by its id.
#[derive(Deserialize, ToSchema)]
pub struct MessageRef {
    /// The id.
    pub id: i64,
}

impl ToggleLikePayload {
    /// The message.
    #[must_use]
    pub fn into_domain(self) -> MessageId {
        MessageId::new(self.message.id)
    }
}

/// Which page of a history is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// How many messages at the most: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// Only messages with a lower `seq` than this.
    pub before: Option<i64>,
    /// Only messages with a higher `seq` than this. Alone, it gives the messages that come next after it.
    pub after: Option<i64>,
}

impl HistoryQuery {
    /// Checks the limit.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `limit`.
    pub fn into_domain(self) -> Result<PageRequest, Error> {
        Ok(PageRequest::parse(self.limit, self.before.map(Seq::new), self.after.map(Seq::new))?)
    }
}

/// A message.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": 7, "chat_id": 1, "seq": 3, "user_id": 2, "message_type": "text", "content": "Hello!",
    "likes_array": [{"id": 1, "name": "Ada", "photo": null}], "created_at": "2026-01-31T09:30:00.000000Z"
}))]
pub struct MessageReply {
    /// Its id among all messages.
    pub id: i64,
    /// The chat it is in.
    pub chat_id: i64,
    /// Its place in the chat: 1, 2, 3, … without holes.
    pub seq: i64,
    /// Who sent it.
    pub user_id: i64,
    /// One of the 25 types.
    #[schema(example = "text")]
    pub message_type: &'static str,
    /// Text, or base64 when the type is binary.
    pub content: String,
    /// Who likes it, in order of their ids.
    pub likes_array: Vec<UserBriefReply>,
    /// When the server took it.
    pub created_at: WireTime,
}

impl From<&PostedMessage> for MessageReply {
    fn from(posted: &PostedMessage) -> Self {
        Self { likes_array: posted.likes.iter().map(UserBriefReply::from).collect(), ..Self::from(&posted.message) }
    }
}

/// A message that nobody can have liked yet.
impl From<&Message> for MessageReply {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id.get(),
            chat_id: message.chat.get(),
            seq: message.seq.get(),
            user_id: message.sender.get(),
            message_type: message.body.message_type().name(),
            content: message.body.content().to_owned(),
            likes_array: Vec::new(),
            created_at: WireTime(message.created_at),
        }
    }
}
