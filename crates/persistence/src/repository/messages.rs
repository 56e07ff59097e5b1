//! The store of messages.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{ChatId, MessagePage, NewMessage, PageRequest, PostedMessage, UserBrief, UserId};
use mango_domain::ports::{Announcer, Appended, Messages};

use super::super::Conn;
use super::super::schema::{likes, members, messages, users};
use super::members::is_member;
use super::rows::{BriefRow, MessageRow};
use super::{Repository, for_ids};

#[async_trait]
impl Messages for Repository {
    async fn append(&self, message: NewMessage, announcer: Announcer) -> Result<Option<Appended>, Failure> {
        self.writers.append(message, announcer).await
    }

    async fn page(&self, chat: ChatId, reader: UserId, page: PageRequest) -> Result<Option<MessagePage>, Failure> {
        self.read(move |conn| history(conn, chat, reader, page).boxed())
            .await
            .map_err(|fault| fault.during("read history"))
    }
}

async fn history(conn: &mut Conn, chat: ChatId, reader: UserId, page: PageRequest) -> QueryResult<Option<MessagePage>> {
    // A page with anything in it tells that its reader is a member.
    let membership = members::table.find((chat.get(), reader.get()));
    // One more than the page takes tells whether there are more.
    let mut query = messages::table
        .filter(messages::chat_id.eq(chat.get()).and(exists(membership)))
        .select(MessageRow::as_select())
        .limit(i64::from(page.limit()) + 1)
        .into_boxed();
    if let Some(before) = page.before {
        query = query.filter(messages::seq.lt(before.get()));
    }
    if let Some(after) = page.after {
        query = query.filter(messages::seq.gt(after.get()));
    }
    let forward = page.before.is_none() && page.after.is_some();
    query = if forward { query.order(messages::seq.asc()) } else { query.order(messages::seq.desc()) };
    let mut rows: Vec<MessageRow> = query.load(conn).await?;
    if rows.is_empty() && !is_member(conn, chat, reader).await? {
        return Ok(None);
    }
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    if forward {
        rows.reverse();
    }
    Ok(Some(MessagePage { messages: with_likes(conn, rows).await?, more }))
}

/// Adds to messages who likes them, in one query.
pub(in super::super) async fn with_likes(conn: &mut Conn, rows: Vec<MessageRow>) -> QueryResult<Vec<PostedMessage>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let found: Vec<(i64, BriefRow)> = for_ids(conn, &ids, |conn, ids| {
        likes::table
            .inner_join(users::table)
            .filter(likes::message_id.eq_any(ids))
            .order((likes::message_id, likes::user_id))
            .select((likes::message_id, BriefRow::as_select()))
            .load(conn)
            .boxed()
    })
    .await?;
    let mut likes: HashMap<i64, Vec<UserBrief>> = HashMap::new();
    for (message, row) in found {
        likes.entry(message).or_default().push(row.into_brief()?);
    }
    rows.into_iter()
        .map(|row| {
            let likes = likes.remove(&row.id).unwrap_or_default();
            Ok(PostedMessage { message: row.into_message()?, likes })
        })
        .collect()
}
