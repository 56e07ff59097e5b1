//! The store of messages.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::dsl::{case_when, exists};
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
use super::sizes::{octet_length, size};
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
    // A message with more than its part of a page is read without its content, which may be of no use: no page of ordinary messages
    // has one. One more than the page takes tells whether there are more.
    let part = PageRequest::MAX_BYTES / usize::try_from(page.limit()).unwrap_or(usize::MAX).max(1);
    let part = i32::try_from(part).unwrap_or(i32::MAX);
    let content = case_when(octet_length(messages::content).le(part), messages::content).otherwise("");
    let row = (
        messages::id,
        messages::chat_id,
        messages::seq,
        messages::version,
        messages::sender_id,
        messages::client_id,
        messages::message_type,
        content,
        messages::created_at,
    );
    let mut query = messages::table
        .filter(messages::chat_id.eq(chat.get()).and(exists(membership)))
        .select((row, octet_length(messages::content)))
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
    let mut rows: Vec<(MessageRow, i32)> = query.load(conn).await?;
    if rows.is_empty() && !is_member(conn, chat, reader).await? {
        return Ok(None);
    }
    let there = rows.len();
    rows.truncate(page.fitting(rows.iter().map(|(_, bytes)| size(*bytes))));
    let likes = fitting_likes(conn, &mut rows).await?;
    let mut rows = with_contents(conn, rows).await?;
    let more = rows.len() < there;
    if forward {
        rows.reverse();
    }
    Ok(Some(MessagePage { messages: liked_by(rows, likes)?, more }))
}

/// Who likes these messages. Where that are too many, only as many messages are kept as fit, from the first on.
async fn fitting_likes(conn: &mut Conn, rows: &mut Vec<(MessageRow, i32)>) -> QueryResult<Vec<(i64, BriefRow)>> {
    let most = i64::try_from(PageRequest::MAX_LIKES).unwrap_or(i64::MAX);
    loop {
        let ids: Vec<i64> = rows.iter().map(|(row, _)| row.id).collect();
        let is_one = ids.len() <= 1;
        let found = likes_of(conn, ids, (!is_one).then_some(most + 1)).await?;
        if is_one || found.len() <= PageRequest::MAX_LIKES {
            return Ok(found);
        }
        rows.truncate(rows.len() / 2);
    }
}

/// The messages whole, of which some were read without their contents.
async fn with_contents(conn: &mut Conn, rows: Vec<(MessageRow, i32)>) -> QueryResult<Vec<MessageRow>> {
    let is_missing = |(row, bytes): &&(MessageRow, i32)| row.content.len() < size(*bytes);
    let missing: Vec<i64> = rows.iter().filter(is_missing).map(|(row, _)| row.id).collect();
    let mut rows: Vec<MessageRow> = rows.into_iter().map(|(row, _)| row).collect();
    if !missing.is_empty() {
        let contents = messages::table.filter(messages::id.eq_any(missing)).select((messages::id, messages::content));
        let mut contents: HashMap<i64, String> = contents.load::<(i64, String)>(conn).await?.into_iter().collect();
        for row in &mut rows {
            if let Some(content) = contents.remove(&row.id) {
                row.content = content;
            }
        }
    }
    Ok(rows)
}

/// Adds to messages who likes them, in one query.
pub(in super::super) async fn with_likes(conn: &mut Conn, rows: Vec<MessageRow>) -> QueryResult<Vec<PostedMessage>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let likes = for_ids(conn, &ids, |conn, ids| likes_of(conn, ids, None).boxed()).await?;
    liked_by(rows, likes)
}

/// Who likes these messages, in order of message and user.
async fn likes_of(conn: &mut Conn, messages: Vec<i64>, most: Option<i64>) -> QueryResult<Vec<(i64, BriefRow)>> {
    let mut query = likes::table
        .inner_join(users::table)
        .filter(likes::message_id.eq_any(messages))
        .order((likes::message_id, likes::user_id))
        .select((likes::message_id, BriefRow::as_select()))
        .into_boxed();
    if let Some(most) = most {
        query = query.limit(most);
    }
    query.load(conn).await
}

fn liked_by(rows: Vec<MessageRow>, found: Vec<(i64, BriefRow)>) -> QueryResult<Vec<PostedMessage>> {
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
