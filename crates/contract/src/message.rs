//! Messages: how they are sent and shown.

use mango_domain::model::{
    ChatId, ClientId, Message, MessageId, MessageType, Origin, PageRequest, PostedMessage, Seq, UserBrief, UserId,
};
use mango_domain::usecases::send_message::{Outgoing, Sent};
use mango_domain::{Error, FieldError};
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
    /// A name of the client's own for the message, 1 to 64 visible ASCII characters such as a UUID. Sending it again in the same
    /// chat gives the same message again and stores nothing.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub client_id: Option<String>,
}

impl SendMessagePayload {
    /// Checks type and client id; whether the content fits its type is for the use case to see.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `message.message_type` or `message.client_id`.
    pub fn into_domain(self, origin: Origin) -> Result<Outgoing, Error> {
        let NewMessagePayload { chat_id, content, message_type, client_id } = self.message;
        let message_type = MessageType::parse(&message_type)?;
        let client_id = client_id.map(|id| ClientId::parse("message.client_id", &id)).transpose()?;
        Ok(Outgoing { chat: ChatId::new(chat_id), message_type, content, client_id, origin: Some(origin) })
    }
}

/// What `POST /message/{chat_id}` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"content": "Hello!", "message_type": "text", "client_id": "0b7f6a2e-3c1d"}))]
pub struct PostMessageBody {
    /// Text, or base64 when the type is binary; not empty, at most 64 KiB unless the server is set otherwise.
    pub content: String,
    /// One of the 25 types, such as `text` or `image`.
    #[schema(example = "text")]
    pub message_type: String,
    /// A name of the client's own for the message, as in `send_message`. The header `Idempotency-Key` stands for it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub client_id: Option<String>,
}

impl PostMessageBody {
    /// Checks type and client id; `key` is that of the header. The draft of its standard has it in double quotes
    /// (draft-ietf-httpapi-idempotency-key-header), which most clients leave out, so they are no part of the key.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `message.message_type`, on `client_id`, or on `Idempotency-Key`, also when both are given and differ.
    pub fn into_domain<'k>(self, chat: ChatId, key: Option<&'k str>) -> Result<Outgoing, Error> {
        let message_type = MessageType::parse(&self.message_type)?;
        let named = self.client_id.as_deref().map(|id| ClientId::parse("client_id", id)).transpose()?;
        let bare = |key: &'k str| key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
        let key = key.map(|key| ClientId::parse(IDEMPOTENCY_KEY, bare(key))).transpose()?;
        if let (Some(named), Some(key)) = (&named, &key)
            && named != key
        {
            return Err(FieldError::new(IDEMPOTENCY_KEY, "must be the same as client_id, or left out").into());
        }
        Ok(Outgoing { chat, message_type, content: self.content, client_id: named.or(key), origin: None })
    }
}

/// The header that stands for `client_id`.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

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
    /// How many messages at the most: 1 to 200, 50 if not given. Fewer come where they have more than 1 MiB of content or 2,000 likes.
    #[param(minimum = 1, maximum = 200, default = 50, example = 20)]
    pub limit: Option<i64>,
    /// Only messages with a lower `seq` than this.
    #[param(example = 120)]
    pub before: Option<i64>,
    /// Only messages with a higher `seq` than this. Alone, it gives the messages that come next after it.
    #[param(example = 100)]
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
    "likes_array": [{"id": 1, "name": "Ada", "photo": null}], "created_at": "2026-01-31T09:30:00.000000Z", "version": 5
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
    /// The chat's version at the last change of the message: that it was sent, or that a like was given or taken back.
    pub version: i64,
    /// What its sender calls it, shown to the sender alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

impl MessageReply {
    /// A message as a member sees it.
    #[must_use]
    pub fn seen_by(reader: UserId, posted: &PostedMessage) -> Self {
        let PostedMessage { message, likes } = posted;
        let own = Self::liked(message, likes);
        if message.sender == reader { own } else { Self { client_id: None, ..own } }
    }

    fn liked(message: &Message, likes: &[UserBrief]) -> Self {
        Self { likes_array: likes.iter().map(UserBriefReply::from).collect(), ..Self::as_sent(message) }
    }

    /// A new message as its sender is answered: nobody can like it yet.
    #[must_use]
    pub fn as_sent(message: &Message) -> Self {
        Self {
            id: message.id.get(),
            chat_id: message.chat.get(),
            seq: message.seq.get(),
            user_id: message.sender.get(),
            message_type: message.body.message_type().name(),
            content: message.body.content().to_owned(),
            likes_array: Vec::new(),
            created_at: WireTime(message.created_at),
            version: message.version.get(),
            client_id: message.client_id.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

impl From<&Sent> for MessageReply {
    /// A message as its sender is answered, also when it was sent before.
    fn from(sent: &Sent) -> Self {
        Self::liked(&sent.message, &sent.likes)
    }
}
