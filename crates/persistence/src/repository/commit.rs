//! The committing of groups of changes, each group in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diesel_async::pooled_connection::deadpool::Pool;
use futures_util::FutureExt;
use mango_domain::model::{ChatId, PinToggle, Timestamp, UserId, Version};
use mango_domain::ports::CreatedChat;

use super::super::schema::{chats, members, pins, users};
use super::super::{Conn, append, bounded_here, transaction};
use super::chats::{complete, create, toggle_pin};
use super::likes::toggle;
use super::rows::ChatRow;
use crate::error::Fault;
use crate::writers::{Change, Commit, Creation, Group, Outcome};

/// Commits groups, each with a connection of the pool. Its operations are not to be cancelled.
pub(crate) struct Committer {
    pub(crate) pool: Pool<Conn>,
    pub(crate) operation_timeout: Duration,
}

#[async_trait]
impl Commit for Committer {
    async fn commit(&self, group: Group) -> Result<Vec<Outcome>, Fault> {
        let conn = self.pool.get().await?;
        bounded_here(conn, self.operation_timeout, move |conn| commit(conn, group).boxed()).await
    }

    async fn versions(&self, chats: Vec<ChatId>) -> Result<Vec<(ChatId, Version)>, Fault> {
        let conn = self.pool.get().await?;
        let ids: Vec<i64> = chats.into_iter().map(ChatId::get).collect();
        let versions = bounded_here(conn, self.operation_timeout, move |conn| {
            transaction(conn, move |conn| lock(conn, ids).boxed()).boxed()
        })
        .await?;
        Ok(versions.into_iter().map(|(chat, version)| (ChatId::new(chat), Version::new(version))).collect())
    }

    async fn made_by(&self, creations: Vec<Creation>) -> Result<Vec<(Creation, CreatedChat)>, Fault> {
        let conn = self.pool.get().await?;
        bounded_here(conn, self.operation_timeout, move |conn| made_by(conn, creations).boxed()).await
    }

    async fn pins(&self, of: Vec<(ChatId, UserId)>) -> Result<Vec<PinToggle>, Fault> {
        let conn = self.pool.get().await?;
        bounded_here(conn, self.operation_timeout, move |conn| pins_of(conn, of).boxed()).await
    }
}

async fn commit(conn: &mut Conn, group: Group) -> QueryResult<Vec<Outcome>> {
    if group.iter().all(Change::is_message) {
        let appended = append::append_alone(conn, group).await?;
        return Ok(appended.into_iter().map(Outcome::Appended).collect());
    }
    transaction(conn, move |conn| commit_mixed(conn, group).boxed()).await
}

async fn commit_mixed(conn: &mut Conn, group: Group) -> QueryResult<Vec<Outcome>> {
    // Who locks several chats locks them in order of id, so that two nodes cannot lock each other out.
    let chats: BTreeSet<i64> = group.iter().filter_map(Change::chat).map(ChatId::get).collect();
    if chats.len() > 1 {
        lock(conn, chats.into_iter().collect()).await?;
    }
    let mut outcomes = Vec::with_capacity(group.len());
    if group.iter().any(Change::is_message) {
        outcomes.extend(append::append(conn, Group::clone(&group)).await?.into_iter().map(Outcome::Appended));
    }
    for change in group.iter() {
        outcomes.push(match change {
            Change::Append(_) => continue,
            Change::Like(like) => Outcome::Liked(toggle(conn, *like).await?),
            Change::Pin(pin) => Outcome::Pinned(toggle_pin(conn, *pin).await?),
            Change::Create(chat) => create(conn, chat).await?,
        });
    }
    Ok(outcomes)
}

/// Locks chats until the end of the transaction, and gives their versions.
async fn lock(conn: &mut Conn, ids: Vec<i64>) -> QueryResult<Vec<(i64, i64)>> {
    let chosen = chats::table.filter(chats::id.eq_any(ids)).order(chats::id).select((chats::id, chats::version));
    locking!(chosen).load(conn).await
}

/// The chats that these creations made.
async fn made_by(conn: &mut Conn, creations: Vec<Creation>) -> QueryResult<Vec<(Creation, CreatedChat)>> {
    let creators: BTreeSet<i64> = creations.iter().map(|creation| creation.creator.get()).collect();
    // A transaction that creates a chat refers to its creator, whom this waits for. It takes one after the other, and holds none while it
    // waits for the next, since those transactions take theirs in any order.
    for creator in &creators {
        let row = users::table.find(*creator).select(users::id);
        locking_out!(row).get_result::<i64>(conn).await.optional()?;
    }
    let times: Vec<_> = creations.iter().map(|creation| creation.at).collect();
    let rows: Vec<(ChatRow, i64, Timestamp)> = members::table
        .inner_join(chats::table)
        .filter(members::user_id.eq_any(creators.into_iter().collect::<Vec<_>>()))
        .filter(chats::creator_id.eq(members::user_id).and(chats::created_at.eq_any(times)))
        .select((ChatRow::as_select(), chats::creator_id, chats::created_at))
        .load(conn)
        .await?;
    let (heads, by): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .map(|(row, creator, at)| ((row, false), Creation { creator: UserId::new(creator), at }))
        .unzip();
    let chats = complete(conn, heads).await?.into_iter().map(|chat| CreatedChat { chat, is_new: true });
    Ok(by.into_iter().zip(chats).collect())
}

/// How the pins of these members of chats are.
async fn pins_of(conn: &mut Conn, of: Vec<(ChatId, UserId)>) -> QueryResult<Vec<PinToggle>> {
    let chats: Vec<i64> = of.iter().map(|(chat, _)| chat.get()).collect();
    let users: Vec<i64> = of.iter().map(|(_, user)| user.get()).collect();
    // A transaction that sets a pin refers to the member, and one that takes it away holds its row: the first query waits for the one
    // and the second for the other. They find more than was asked for when there are several chats and users.
    let there = members::chat_id.eq_any(chats.clone()).and(members::user_id.eq_any(users.clone()));
    let there = members::table.filter(there).order((members::chat_id, members::user_id));
    let there: Vec<(i64, i64)> = locking_out!(there.select((members::chat_id, members::user_id))).load(conn).await?;
    let set = pins::chat_id.eq_any(chats.clone()).and(pins::user_id.eq_any(users));
    let set: Vec<(i64, i64)> =
        locking!(pins::table.filter(set).select((pins::chat_id, pins::user_id))).load(conn).await?;
    let versions = chats::table.filter(chats::id.eq_any(chats)).select((chats::id, chats::version));
    let versions: HashMap<i64, i64> = versions.load::<(i64, i64)>(conn).await?.into_iter().collect();
    let (there, set): (HashSet<_>, HashSet<_>) = (there.into_iter().collect(), set.into_iter().collect());
    let pin = |(chat, user): (ChatId, UserId)| {
        let key = (chat.get(), user.get());
        let version = versions.get(&key.0).copied().filter(|_| there.contains(&key)).map(Version::new)?;
        Some(PinToggle { chat, user, pinned: set.contains(&key), version })
    };
    Ok(of.into_iter().filter_map(pin).collect())
}
