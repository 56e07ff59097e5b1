//! Chats: how they are asked for and shown.

use mango_domain::Error;
use mango_domain::model::{Chat, ChatId, ChatKind, ChatMember, ChatName, Origin, UserId};
use mango_domain::usecases::create_chat::ChatRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::object;
use crate::message::MessageReply;
use crate::time::WireTime;
use crate::user::UserBriefReply;

/// What `create_chat` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"chat": {"name": "Book club", "is_group": true, "members_array": [2, 3]}}))]
pub struct CreateChatPayload {
    /// The chat that is asked for.
    #[serde(deserialize_with = "object")]
    pub chat: NewChatPayload,
}

/// The chat that is asked for.
#[derive(Deserialize, ToSchema)]
pub struct NewChatPayload {
    /// 1 to 255 characters. A direct chat may go without.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// False for a direct chat between two users.
    pub is_group: bool,
    /// Ids of users. The creator is always a member, named or not.
    pub members_array: Vec<i64>,
}

impl CreateChatPayload {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `chat.name`.
    pub fn into_domain(self, origin: Origin) -> Result<ChatRequest, Error> {
        let NewChatPayload { name, is_group, members_array } = self.chat;
        let kind = if is_group { ChatKind::Group } else { ChatKind::Direct };
        // The clients of direct chats that have nothing to call them by send an empty name.
        let given = name.filter(|name| is_group || !name.trim().is_empty());
        let name = given.as_deref().map(ChatName::parse).transpose()?;
        let members = members_array.into_iter().map(UserId::new).collect();
        Ok(ChatRequest { name, kind, members, origin: Some(origin) })
    }
}

/// What `toggle_chat_pin` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"chat": {"id": 1}}))]
pub struct TogglePinPayload {
    /// The chat.
    #[serde(deserialize_with = "object")]
    pub chat: ChatRef,
}

/// A chat by its id.
#[derive(Deserialize, ToSchema)]
pub struct ChatRef {
    /// The id.
    pub id: i64,
}

impl TogglePinPayload {
    /// The chat.
    #[must_use]
    pub fn into_domain(self) -> ChatId {
        ChatId::new(self.chat.id)
    }
}

/// A chat as one of its members sees it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": 1, "name": "Book club", "is_group": true,
    "members_array": [
        {"id": 1, "name": "Ada", "photo": null, "version": 0, "online": true}, {"id": 2, "name": "Grace", "photo": null, "version": 0, "online": false}
    ],
    "created_at": "2026-01-31T09:00:00.000000Z",
    "last_message": {
        "id": 7, "chat_id": 1, "seq": 3, "user_id": 2, "message_type": "text", "content": "Hello!", "likes_array": [],
        "created_at": "2026-01-31T09:30:00.000000Z", "version": 4
    },
    "pinned": false, "version": 4
}))]
pub struct ChatReply {
    /// Its id.
    pub id: i64,
    /// Its name; null for a direct chat without one.
    pub name: Option<String>,
    /// False for a direct chat between two users.
    pub is_group: bool,
    /// Its members in order of their ids.
    pub members_array: Vec<MemberReply>,
    /// When it was created.
    pub created_at: WireTime,
    /// The newest message, or null.
    pub last_message: Option<MessageReply>,
    /// Whether the member who is looking has pinned it.
    pub pinned: bool,
    /// The last change that it has seen: what to give to `sync` to learn what came after.
    pub version: i64,
}

/// A member of a chat.
#[derive(Serialize, ToSchema)]
pub struct MemberReply {
    /// Who.
    #[serde(flatten)]
    pub user: UserBriefReply,
    /// True while any of their sockets is connected.
    pub online: bool,
}

impl ChatReply {
    /// A chat as a member sees it.
    #[must_use]
    pub fn seen_by(reader: UserId, chat: &Chat) -> Self {
        let record = &chat.record;
        Self {
            id: record.id.get(),
            name: record.name.as_ref().map(|name| name.as_str().to_owned()),
            is_group: record.kind == ChatKind::Group,
            members_array: chat.members.iter().map(MemberReply::from).collect(),
            created_at: WireTime(record.created_at),
            last_message: chat.last_message.as_ref().map(|last| MessageReply::seen_by(reader, last)),
            pinned: chat.pinned,
            version: record.version.get(),
        }
    }
}

impl From<&ChatMember> for MemberReply {
    fn from(member: &ChatMember) -> Self {
        Self { user: UserBriefReply::from(&member.user), online: member.online }
    }
}
