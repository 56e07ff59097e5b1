//! How large an answer would be, looked at before it is read.

use std::collections::HashMap;
use std::iter::repeat_n;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;
use mango_domain::model::{ChatId, SyncPlan, SyncRange, SyncRequest, Version, Weights};
use mango_domain::ports::ChatPage;

use super::super::Conn;
use super::super::schema::{chats, likes, members, messages};

define_sql_function! {
    /// How many bytes a text has, which both databases know without reading it.
    fn octet_length(text: Text) -> Integer;
}

/// A message that is not read yet.
struct Unread {
    id: i64,
    chat: ChatId,
    version: Version,
    bytes: usize,
}

impl From<(i64, i64, i64, i32)> for Unread {
    fn from((id, chat, version, bytes): (i64, i64, i64, i32)) -> Self {
        Self { id, chat: ChatId::new(chat), version: Version::new(version), bytes: size(bytes) }
    }
}

/// The messages of an answer before they are read: those in its ranges, and the last ones of the chats that it tells whole.
struct Messages {
    /// In order of chat and version: of each range all, or one more than an answer holds.
    changed: Vec<Unread>,
    last: Vec<Unread>,
}

impl Messages {
    fn weights(&self, weight: impl Fn(&Unread) -> usize) -> Weights {
        let mut weights = Weights::default();
        for message in &self.changed {
            weights.messages.entry(message.chat).or_default().push((message.version, weight(message)));
        }
        weights.last.extend(self.last.iter().map(|message| (message.chat, weight(message))));
        weights
    }

    /// Their ids in the order in which the plan tells them. A last message is told with its chat, and again as a change.
    fn told(&self, plan: &SyncPlan) -> Vec<i64> {
        let last: HashMap<ChatId, i64> = self.last.iter().map(|message| (message.chat, message.id)).collect();
        let mut changed: HashMap<ChatId, Vec<&Unread>> = HashMap::new();
        for message in &self.changed {
            changed.entry(message.chat).or_default().push(message);
        }
        let of_range = |range: &SyncRange| {
            let messages = changed.remove(&range.chat).unwrap_or_default().into_iter();
            let inside = messages.take_while(|message| message.version <= range.reached).map(|message| message.id);
            last.get(&range.chat).copied().into_iter().chain(inside).collect::<Vec<_>>()
        };
        plan.ranges.iter().flat_map(of_range).collect()
    }
}

/// Keeps the plan to the size of an answer, and gives the ids of the messages that it still has.
pub(super) async fn fit(conn: &mut Conn, plan: &mut SyncPlan) -> QueryResult<Vec<i64>> {
    let mut whole = ids(plan.whole());
    while whole.len() > 1 && have_more_members(conn, &whole, SyncRequest::MAX_MEMBERS).await? {
        plan.halve();
        whole = ids(plan.whole());
    }
    let messages = Messages { changed: changed(conn, plan).await?, last: last_messages(conn, whole).await? };
    // The last message of a chat that comes with the chat itself does not count.
    let ones = messages.weights(|_| 1);
    plan.keep_to_limit(&Weights { messages: ones.messages, ..Weights::default() });
    plan.keep_to_bytes(&messages.weights(|message| message.bytes));
    let likes = likes(conn, messages.told(plan)).await?;
    plan.keep_to_likes(&messages.weights(|message| likes.get(&message.id).copied().unwrap_or(usize::MAX)));
    let reached: HashMap<ChatId, Version> = plan.ranges.iter().map(|range| (range.chat, range.reached)).collect();
    let told = messages.changed.into_iter();
    let told = told.filter(|message| reached.get(&message.chat).is_some_and(|reached| message.version <= *reached));
    Ok(told.map(|message| message.id).collect())
}

/// How many likes the messages have, in their order and for as many of them as have no more together than an answer takes, but of the
/// first one at least. The database stops counting there, so that it looks at no more likes than that however many there are; then
/// only half of the messages are looked at.
async fn likes(conn: &mut Conn, mut messages: Vec<i64>) -> QueryResult<HashMap<i64, usize>> {
    let most = i64::try_from(SyncRequest::MAX_LIKES).unwrap_or(i64::MAX);
    while !messages.is_empty() {
        let found = likes::table.filter(likes::message_id.eq_any(messages.clone())).limit(most + 1);
        let found: Vec<i64> = found.select(likes::message_id).load(conn).await?;
        if messages.len() == 1 || found.len() <= SyncRequest::MAX_LIKES {
            let mut counts: HashMap<i64, usize> = messages.into_iter().map(|message| (message, 0)).collect();
            for message in found {
                *counts.entry(message).or_default() += 1;
            }
            return Ok(counts);
        }
        messages.truncate(messages.len() / 2);
    }
    Ok(HashMap::new())
}

/// How many of these chats, from the first on, fit in a [`ChatPage`].
pub(super) async fn fitting(conn: &mut Conn, mut chats: Vec<i64>) -> QueryResult<usize> {
    if chats.len() < 2 {
        return Ok(chats.len());
    }
    while chats.len() > 1 && have_more_members(conn, &chats, ChatPage::MAX_MEMBERS).await? {
        chats.truncate(chats.len() / 2);
    }
    let last = last_messages(conn, chats.clone()).await?;
    let sizes: HashMap<i64, usize> = last.into_iter().map(|message| (message.chat.get(), message.bytes)).collect();
    let sizes = chats.iter().map(|chat| sizes.get(chat).copied().unwrap_or_default());
    let sums = sizes.scan(0, |sum, bytes| {
        *sum += bytes;
        Some(*sum)
    });
    Ok(sums.take_while(|sum| *sum <= ChatPage::MAX_BYTES).count().max(1))
}

/// Whether the chats have more than `max` members together. The database stops counting there.
async fn have_more_members(conn: &mut Conn, chats: &[i64], max: usize) -> QueryResult<bool> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let beyond = members::table.filter(members::chat_id.eq_any(chats.to_vec())).offset(max).limit(1);
    Ok(beyond.select(members::user_id).get_result::<i64>(conn).await.optional()?.is_some())
}

/// The messages in the ranges, in order of chat and version: of each range all, or the first ones and one more than an answer holds.
async fn changed(conn: &mut Conn, SyncPlan { ranges, limit, .. }: &SyncPlan) -> QueryResult<Vec<Unread>> {
    let limit = i64::from(*limit);
    // Of the long ones, which may have more messages than an answer holds, a plan has few.
    let (long, short): (Vec<_>, Vec<_>) =
        ranges.iter().partition(|range| range.reached.get() - range.after.get() > limit);
    let mut messages = changed_in(conn, &short, None).await?;
    messages.extend(changed_in(conn, &long, Some(limit)).await?);
    messages.sort_unstable_by_key(|message| (message.chat, message.version));
    Ok(messages)
}

/// The messages in the ranges, or the first ones of each: one more than the limit.
async fn changed_in(conn: &mut Conn, ranges: &[&SyncRange], limit: Option<i64>) -> QueryResult<Vec<Unread>> {
    let Some(last) = ranges.last() else {
        return Ok(Vec::new());
    };
    let mut query = messages::table
        .select((messages::id, messages::chat_id, messages::version, octet_length(messages::content)))
        .into_boxed();
    // Each number of ranges is a statement of its own, which every connection keeps prepared: the last range is said again and
    // again up to a power of two, so that there are nine of them and not two hundred.
    let padding = repeat_n(last, ranges.len().next_power_of_two() - ranges.len());
    for SyncRange { chat, after, reached, .. } in ranges.iter().chain(padding) {
        let (chat, after, reached) = (chat.get(), after.get(), reached.get());
        let inside = messages::chat_id.eq(chat).and(messages::version.gt(after));
        let Some(limit) = limit else {
            query = query.or_filter(inside.and(messages::version.le(reached)));
            continue;
        };
        // How many messages there are is not known before they are counted, and the index counts no more of them than that.
        let up_to_beyond = sql::<Bool>("messages.version <= COALESCE((SELECT beyond.version FROM messages AS beyond")
            .sql(" WHERE beyond.chat_id = ")
            .bind::<BigInt, _>(chat)
            .sql(" AND beyond.version > ")
            .bind::<BigInt, _>(after)
            .sql(" ORDER BY beyond.version LIMIT 1 OFFSET ")
            .bind::<BigInt, _>(limit)
            .sql("), ")
            .bind::<BigInt, _>(reached)
            .sql(")");
        query = query.or_filter(inside.and(up_to_beyond));
    }
    let rows: Vec<(i64, i64, i64, i32)> = query.load(conn).await?;
    Ok(rows.into_iter().map(Unread::from).collect())
}

/// The newest messages of those of the chats that have any.
async fn last_messages(conn: &mut Conn, ids: Vec<i64>) -> QueryResult<Vec<Unread>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let last = messages::chat_id.eq(chats::id).and(messages::seq.eq(chats::last_seq));
    let chats = chats::table.inner_join(messages::table.on(last)).filter(chats::id.eq_any(ids));
    let columns = (messages::id, messages::chat_id, messages::version, octet_length(messages::content));
    let rows: Vec<(i64, i64, i64, i32)> = chats.select(columns).load(conn).await?;
    Ok(rows.into_iter().map(Unread::from).collect())
}

fn ids(chats: Vec<ChatId>) -> Vec<i64> {
    chats.into_iter().map(ChatId::get).collect()
}

pub(super) fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}
