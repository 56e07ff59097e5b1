//! The store of what changed since when.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{
    ChatChanges, ChatId, Epoch, PostedMessage, ProfileVersion, SyncPage, SyncPlan, SyncRange, SyncRequest, UserBrief,
    UserId, Version,
};
use mango_domain::ports::{Changes, StoredChat};

use super::super::Conn;
use super::super::schema::{chats, epoch, members, messages, pins, profile_changes, users};
use super::chats::complete;
use super::messages::with_likes;
use super::rows::{BriefRow, ChatRow, MessageRow};
use super::sizes::fit;
use super::{Repository, for_ids};
use crate::error::Fault;

#[async_trait]
impl Changes for Repository {
    async fn since(&self, user: UserId, request: SyncRequest) -> Result<SyncPage, Failure> {
        let epoch = self.epoch().await?;
        let read = self.read_at_once(move |conn| since(conn, user, request, epoch).boxed()).await;
        read.map_err(|fault| fault.during("sync"))
    }

    async fn epoch(&self) -> Result<Epoch, Failure> {
        let read = || async { self.read(|conn| read_epoch(conn).boxed()).await };
        self.epoch.get_or_try_init(read).await.cloned().map_err(|fault: Fault| fault.during("read epoch"))
    }
}

/// All of it is read from one snapshot: a message that was changed after the versions were read would be in no range, and the
/// client would never learn of what it was before.
async fn since(conn: &mut Conn, user: UserId, request: SyncRequest, epoch: Epoch) -> QueryResult<SyncPage> {
    let versions: Vec<(i64, i64)> = members::table
        .inner_join(chats::table)
        .filter(members::user_id.eq(user.get()))
        .filter(members::chat_id.gt(request.after().get()).and(members::chat_id.le(request.until().get())))
        .order((chats::last_activity_at.desc(), chats::id.desc()))
        .select((chats::id, chats::version))
        .load(conn)
        .await?;
    let versions: Vec<_> = versions.into_iter().map(|(id, version)| (ChatId::new(id), Version::new(version))).collect();
    let pinned: Vec<i64> =
        pins::table.filter(pins::user_id.eq(user.get())).order(pins::chat_id).select(pins::chat_id).load(conn).await?;
    let last: i64 = profile_changes::table.find(true).select(profile_changes::last).get_result(conn).await?;
    let mut plan = request.plan(&epoch, ProfileVersion::new(last), &versions);
    let users = changed_users(conn, user, &mut plan).await?;
    let told = fit(conn, &mut plan).await?;
    let mut whole = whole_chats(conn, &plan.ranges, &pinned).await?;
    let mut changed = changed_messages(conn, &told).await?;
    let chats = plan.ranges.into_iter().map(|SyncRange { chat, reached, more, .. }| ChatChanges {
        id: chat,
        version: reached,
        more,
        chat: whole.remove(&chat),
        messages: changed.remove(&chat).unwrap_or_default(),
    });
    Ok(SyncPage {
        epoch,
        reset: plan.reset,
        chats: chats.collect(),
        gone: plan.gone,
        pinned: pinned.into_iter().map(ChatId::new).collect(),
        users,
        users_since: plan.users_since,
        member_of: versions.into_iter().map(|(chat, _)| chat).collect(),
        more: plan.more,
    })
}

/// Those who share a chat with the user, and the user, who changed after what the client knows. It goes through the changes since then, and so
/// costs nothing when there are none.
async fn changed_users(conn: &mut Conn, user: UserId, plan: &mut SyncPlan) -> QueryResult<Vec<UserBrief>> {
    let Some(after) = plan.users_after else { return Ok(Vec::new()) };
    let is_seen = sql::<Bool>("(users.id = ")
        .bind::<BigInt, _>(user.get())
        .sql(" OR EXISTS (SELECT 1 FROM members AS theirs JOIN members AS mine ON mine.chat_id = theirs.chat_id")
        .sql(" WHERE theirs.user_id = users.id AND mine.user_id = ")
        .bind::<BigInt, _>(user.get())
        .sql("))");
    let rows: Vec<BriefRow> = users::table
        .filter(users::version.gt(after.get()))
        .filter(is_seen)
        .order(users::version)
        .limit(i64::from(SyncRequest::MAX_USERS) + 1)
        .select(BriefRow::as_select())
        .load(conn)
        .await?;
    let mut users = rows.into_iter().map(BriefRow::into_brief).collect::<QueryResult<Vec<_>>>()?;
    plan.keep_to_users(&mut users);
    Ok(users)
}

async fn read_epoch(conn: &mut Conn) -> QueryResult<Epoch> {
    epoch::table.filter(epoch::one.eq(true)).select(epoch::name).get_result(conn).await.map(Epoch::new)
}

/// The chats that are new to the client.
async fn whole_chats(
    conn: &mut Conn,
    ranges: &[SyncRange],
    pinned: &[i64],
) -> QueryResult<HashMap<ChatId, StoredChat>> {
    let ids: Vec<i64> = ranges.iter().filter(|range| range.has_chat()).map(|range| range.chat.get()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<ChatRow> = for_ids(conn, &ids, |conn, ids| {
        chats::table.filter(chats::id.eq_any(ids)).select(ChatRow::as_select()).load(conn).boxed()
    })
    .await?;
    let pinned: HashSet<i64> = pinned.iter().copied().collect();
    let heads = rows
        .into_iter()
        .map(|row| {
            let is_pinned = pinned.contains(&row.id);
            (row, is_pinned)
        })
        .collect();
    Ok(complete(conn, heads).await?.into_iter().map(|chat| (chat.record.id, chat)).collect())
}

/// The messages with these ids, by chat and in order of version.
async fn changed_messages(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<ChatId, Vec<PostedMessage>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rows: Vec<MessageRow> = for_ids(conn, ids, |conn, ids| {
        messages::table.filter(messages::id.eq_any(ids)).select(MessageRow::as_select()).load(conn).boxed()
    })
    .await?;
    rows.sort_unstable_by_key(|row| (row.chat_id, row.version));
    let mut of_chat: HashMap<ChatId, Vec<PostedMessage>> = HashMap::new();
    for posted in with_likes(conn, rows).await? {
        of_chat.entry(posted.message.chat).or_default().push(posted);
    }
    Ok(of_chat)
}
