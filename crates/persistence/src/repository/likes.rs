//! The store of likes.

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{ChatId, LikeToggle, MessageId, Timestamp, UserId, Version};
use mango_domain::ports::{Announcer, Likes};

use super::super::Conn;
use super::super::schema::{chats, likes, members, messages};
use super::Repository;
use crate::writers::NewLike;

#[async_trait]
impl Likes for Repository {
    async fn toggle(
        &self,
        message: MessageId,
        user: UserId,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<LikeToggle>, Failure> {
        // A message stays in its chat, so this can be known before the chat's turn comes.
        let chat = self.read(move |conn| chat_of(conn, message, user).boxed()).await;
        match chat.map_err(|fault| fault.during("toggle like"))? {
            Some(chat) => self.writers.like(NewLike { chat, message, user, now }, announcer).await,
            None => Ok(None),
        }
    }
}

/// The chat that a message is in, for a member of it.
async fn chat_of(conn: &mut Conn, message: MessageId, user: UserId) -> QueryResult<Option<ChatId>> {
    let member = members::table.filter(members::chat_id.eq(messages::chat_id)).filter(members::user_id.eq(user.get()));
    let visible = messages::table.find(message.get()).filter(exists(member)).select(messages::chat_id);
    Ok(visible.get_result(conn).await.optional()?.map(ChatId::new))
}

/// Toggles a like and takes the chat's next version for it, for those who are members still.
pub(super) async fn toggle(conn: &mut Conn, like: NewLike) -> QueryResult<Option<LikeToggle>> {
    let NewLike { chat, message, user, now } = like;
    let member = members::table.find((chat.get(), user.get()));
    // This locks the chat too, so that toggles of one message wait for each other and the count is right.
    let version: Option<i64> = diesel::update(chats::table.find(chat.get()).filter(exists(member)))
        .set(chats::version.eq(chats::version + 1))
        .returning(chats::version)
        .get_result(conn)
        .await
        .optional()?;
    let Some(version) = version else {
        return Ok(None);
    };
    diesel::update(messages::table.find(message.get())).set(messages::version.eq(version)).execute(conn).await?;
    let taken_back = diesel::delete(likes::table.find((message.get(), user.get()))).execute(conn).await?;
    if taken_back == 0 {
        diesel::insert_into(likes::table)
            .values((likes::message_id.eq(message.get()), likes::user_id.eq(user.get()), likes::created_at.eq(now)))
            .execute(conn)
            .await?;
    }
    let likes: i64 = likes::table.filter(likes::message_id.eq(message.get())).count().get_result(conn).await?;
    let (likes, version) = (likes.unsigned_abs(), Version::new(version));
    Ok(Some(LikeToggle { chat, message, user, liked: taken_back == 0, likes, version }))
}
