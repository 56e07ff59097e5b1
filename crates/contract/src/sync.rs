//! Catching up: what a client knows, and what it is told.

use std::collections::BTreeMap;
use std::fmt;

use mango_domain::Error;
use mango_domain::model::{Chat, ChatChanges, ChatId, Epoch, ProfileVersion, SyncPage, SyncRequest, UserId, Version};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::chat::ChatReply;
use crate::message::MessageReply;
use crate::user::UserBriefReply;

/// What `sync` takes.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"chats": {"1": 4, "2": 17}, "epoch": "5f0c5d4b8f6e4c1f9f0e3a5d7b9c1e2f", "users_since": 3, "limit": 200}))]
pub struct SyncPayload {
    /// For each chat that the client knows, by its id, the version up to which it knows everything. What is not named is told
    /// from its beginning. At most 10,000: a client that knows more asks part by part, with `chats_after` and `chats_until`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<i64, i64>)]
    pub chats: BTreeMap<ChatKey, i64>,
    /// Ask only about chats with an id above this one, to be told of in the order of their ids. A client that goes on behind the last chat of
    /// the answer comes to all of its chats, however often others change meanwhile.
    #[serde(default)]
    pub chats_after: Option<i64>,
    /// Ask only about chats with an id up to this one. Chats that are not asked about are neither told nor `gone`, and cannot be named.
    #[serde(default)]
    pub chats_until: Option<i64>,
    /// The epoch that these versions are of.
    #[serde(default)]
    pub epoch: Option<String>,
    /// The `users_since` of the last answer: users whose name or photo changed since then are told. Without it none are.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub users_since: Option<i64>,
    /// How many messages to tell at the most: 1 to 1000, 200 if not given. Fewer come where they have more than 1 MiB of content or 2,000 likes.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000, default = 200)]
    pub limit: Option<i64>,
}

/// The id of a chat where JSON takes nothing but text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct ChatKey(i64);

impl<'de> Deserialize<'de> for ChatKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = ChatKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a chat")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<ChatKey, E> {
                // A second spelling of an id would be a second version of the same chat.
                let id = key.parse().ok().filter(|id: &i64| id.to_string() == key);
                id.map(ChatKey).ok_or_else(|| E::custom("is no id of a chat"))
            }
        }

        deserializer.deserialize_str(Digits)
    }
}

impl SyncPayload {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `chats`, on one of them, on `limit` or on `users_since`.
    pub fn into_domain(self) -> Result<SyncRequest, Error> {
        let known = self.chats.into_iter().map(|(ChatKey(chat), version)| (ChatId::new(chat), Version::new(version)));
        let request = SyncRequest::parse(known.collect(), self.epoch.map(Epoch::new), self.limit)?;
        let request = request.with_part(self.chats_after.map(ChatId::new), self.chats_until.map(ChatId::new))?;
        Ok(request.with_users_since(self.users_since.map(ProfileVersion::new))?)
    }
}

/// What changed since then, as it is now; applying it twice does no harm.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "epoch": "5f0c5d4b8f6e4c1f9f0e3a5d7b9c1e2f", "reset": false,
    "chats": [{
        "id": 1, "version": 5, "more": false, "chat": null,
        "messages": [{
            "id": 7, "chat_id": 1, "seq": 3, "user_id": 2, "message_type": "text", "content": "Hello!",
            "likes_array": [{"id": 1, "name": "Ada", "photo": null, "version": 0}], "created_at": "2026-01-31T09:30:00.000000Z", "version": 5
        }]
    }],
    "gone": [2], "pinned": [1], "users": [{"id": 2, "name": "Grace", "photo": null, "version": 4}], "users_since": 4,
    "more": false
}))]
pub struct SyncReply {
    /// The name of the database.
    pub epoch: String,
    /// Whether the client has to forget all chats and messages that it has kept before it applies this: it comes from another
    /// database, or from a future that this one has lost.
    pub reset: bool,
    /// The chats that changed, most recently active first, or in order of id if `chats_after` was given: at most 200, with at most 10,000
    /// members together.
    pub chats: Vec<ChatChangesReply>,
    /// The ids of chats that the client named and in which the user is not, or not any more: forget them.
    pub gone: Vec<i64>,
    /// The ids of all chats that the user has pinned.
    pub pinned: Vec<i64>,
    /// Those of the users who share a chat with the user, and the user, whose name or photo changed after the `users_since` that was given: at
    /// most 200, in order of `version`.
    pub users: Vec<UserBriefReply>,
    /// What to give as `users_since` the next time.
    pub users_since: i64,
    /// Whether there is more: ask again with the versions and the `users_since` of this answer.
    pub more: bool,
}

/// What changed in a chat.
#[derive(Serialize, ToSchema)]
pub struct ChatChangesReply {
    /// The chat's id.
    pub id: i64,
    /// The version up to which the client knows everything with this.
    pub version: i64,
    /// Whether the chat has changes beyond that version.
    pub more: bool,
    /// The chat itself, when it is new to the client; else null.
    pub chat: Option<ChatReply>,
    /// The messages that were sent, liked or not liked any more, in order of their versions.
    pub messages: Vec<MessageReply>,
}

impl SyncReply {
    /// What a user is told.
    #[must_use]
    pub fn seen_by(reader: UserId, page: &SyncPage<Chat>) -> Self {
        let changes = |ChatChanges { id, version, more, chat, messages }: &ChatChanges<Chat>| ChatChangesReply {
            id: id.get(),
            version: version.get(),
            more: *more,
            chat: chat.as_ref().map(|chat| ChatReply::seen_by(reader, chat)),
            messages: messages.iter().map(|posted| MessageReply::seen_by(reader, posted)).collect(),
        };
        let ids = |chats: &[ChatId]| chats.iter().map(|chat| chat.get()).collect();
        Self {
            epoch: page.epoch.as_str().to_owned(),
            reset: page.reset,
            chats: page.chats.iter().map(changes).collect(),
            gone: ids(&page.gone),
            pinned: ids(&page.pinned),
            users: page.users.iter().map(UserBriefReply::from).collect(),
            users_since: page.users_since.get(),
            more: page.more,
        }
    }
}
