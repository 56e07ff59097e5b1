//! The store of likes.

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{ChatId, LikeToggle, MessageId, Timestamp, UserId};
use mango_domain::ports::Likes;

use super::super::Conn;
use super::super::schema::{likes, members, messages};
use super::Repository;

#[async_trait]
impl Likes for Repository {
    async fn toggle(&self, message: MessageId, user: UserId, now: Timestamp) -> Result<Option<LikeToggle>, Failure> {
        self.transact(move |conn| toggle(conn, message, user, now).boxed())
            .await
            .map_err(|fault| fault.during("toggle like"))
    }
}

async fn toggle(conn: &mut Conn, message: MessageId, user: UserId, now: Timestamp) -> QueryResult<Option<LikeToggle>> {
    let member = members::table.filter(members::chat_id.eq(messages::chat_id)).filter(members::user_id.eq(user.get()));
    // The lock makes toggles of one message wait for each other, so that the count is right.
    let visible = messages::table.find(message.get()).filter(exists(member)).select(messages::chat_id);
    let Some(chat) = locking!(visible).get_result(conn).await.optional()? else {
        return Ok(None);
    };
    let taken_back = diesel::delete(likes::table.find((message.get(), user.get()))).execute(conn).await?;
    if taken_back == 0 {
        diesel::insert_into(likes::table)
            .values((likes::message_id.eq(message.get()), likes::user_id.eq(user.get()), likes::created_at.eq(now)))
            .execute(conn)
            .await?;
    }
    let likes: i64 = likes::table.filter(likes::message_id.eq(message.get())).count().get_result(conn).await?;
    let (chat, likes) = (ChatId::new(chat), likes.unsigned_abs());
    Ok(Some(LikeToggle { chat, message, user, liked: taken_back == 0, likes }))
}
