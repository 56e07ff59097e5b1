//! How large an answer would be, looked at before it is read.

use std::collections::HashMap;
use std::iter::repeat_n;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use mango_domain::model::{ChatId, SyncPlan, SyncRange, SyncRequest, Version, Weights};
use mango_domain::ports::ChatPage;

use super::super::Conn;
use super::super::schema::{chats, members, messages};

define_sql_function! {
    /// How many bytes a text has, which both databases know without reading it.
    fn octet_length(text: Text) -> Integer;
}

/// Keeps the plan to the size of an answer, and gives the ids of the messages that it still has.
pub(super) async fn fit(conn: &mut Conn, plan: &mut SyncPlan) -> QueryResult<Vec<i64>> {
    let mut whole = ids(plan.whole());
    while whole.len() > 1 && have_more_members(conn, &whole, SyncRequest::MAX_MEMBERS).await? {
        plan.halve();
        whole = ids(plan.whole());
    }
    let found = changed(conn, &plan.ranges).await?;
    let mut weights = Weights::default();
    for (_, chat, version, bytes) in &found {
        weights.messages.entry(ChatId::new(*chat)).or_default().push((Version::new(*version), size(*bytes)));
    }
    for (chat, bytes) in last_messages(conn, whole).await? {
        weights.last.insert(ChatId::new(chat), size(bytes));
    }
    plan.keep_to_bytes(&weights);
    let reached =
        |chat: i64| plan.ranges.iter().find(|range| range.chat.get() == chat).map(|range| range.reached.get());
    let told =
        found.into_iter().filter(|(_, chat, version, _)| reached(*chat).is_some_and(|reached| *version <= reached));
    Ok(told.map(|(id, ..)| id).collect())
}

/// How many of these chats, from the first on, fit in a [`ChatPage`].
pub(super) async fn fitting(conn: &mut Conn, mut chats: Vec<i64>) -> QueryResult<usize> {
    if chats.len() < 2 {
        return Ok(chats.len());
    }
    while chats.len() > 1 && have_more_members(conn, &chats, ChatPage::MAX_MEMBERS).await? {
        chats.truncate(chats.len() / 2);
    }
    let sizes: HashMap<i64, i32> = last_messages(conn, chats.clone()).await?.into_iter().collect();
    let sizes = chats.iter().map(|chat| sizes.get(chat).copied().map_or(0, size));
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

/// Id, chat, version and size of the messages in the ranges, in order of chat and version.
async fn changed(conn: &mut Conn, ranges: &[SyncRange]) -> QueryResult<Vec<(i64, i64, i64, i32)>> {
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
        let inside = messages::version.gt(after.get()).and(messages::version.le(reached.get()));
        query = query.or_filter(messages::chat_id.eq(chat.get()).and(inside));
    }
    let mut rows: Vec<(i64, i64, i64, i32)> = query.load(conn).await?;
    rows.sort_unstable_by_key(|(_, chat, version, _)| (*chat, *version));
    Ok(rows)
}

/// The sizes of the newest messages of those of the chats that have any.
async fn last_messages(conn: &mut Conn, ids: Vec<i64>) -> QueryResult<Vec<(i64, i32)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let last = messages::chat_id.eq(chats::id).and(messages::seq.eq(chats::last_seq));
    let chats = chats::table.inner_join(messages::table.on(last)).filter(chats::id.eq_any(ids));
    chats.select((chats::id, octet_length(messages::content))).load(conn).await
}

fn ids(chats: Vec<ChatId>) -> Vec<i64> {
    chats.into_iter().map(ChatId::get).collect()
}

pub(super) fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}
