//! Appends a group of messages in one transaction, on one of the threads for blocking work.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::pooled_connection::deadpool::Pool;
use futures_util::FutureExt;
use mango_domain::model::{ChatId, MessageId, NewMessage, Seq, Timestamp, UserId};
use tokio::runtime::Handle;

use super::schema::{chats, members, messages};
use super::{Conn, bounded};
use crate::appends::{Commit, Group, Places};
use crate::error::Fault;

/// Commits groups with the one connection that writes.
pub(super) struct Writer {
    pub(super) pool: Pool<Conn>,
    pub(super) operation_timeout: Duration,
}

#[async_trait]
impl Commit for Writer {
    async fn commit(&self, group: Group) -> Result<Places, Fault> {
        let conn = self.pool.get().await?;
        bounded(conn, self.operation_timeout, &Handle::current(), move |conn| {
            conn.spawn_blocking(move |conn| {
                conn.immediate_transaction(|conn| {
                    let mut heads = Heads::default();
                    let places = group.iter().map(|message| heads.append(conn, message)).collect::<QueryResult<_>>()?;
                    heads.store(conn)?;
                    Ok(places)
                })
            })
            .boxed()
        })
        .await
    }
}

/// What the transaction knows of the chats it appends to, so that it asks and writes once for many messages.
#[derive(Default)]
struct Heads {
    /// The last seq of each chat, and the time of its newest message.
    chats: HashMap<ChatId, (i64, Timestamp)>,
    /// Who is a member of which chat, and who is not.
    members: HashMap<(ChatId, UserId), bool>,
}

impl Heads {
    /// Inserts a message with the next seq of its chat, when its sender is a member.
    fn append(&mut self, conn: &mut SqliteConnection, message: &NewMessage) -> QueryResult<Option<(MessageId, Seq)>> {
        if !self.is_member(conn, message.chat, message.sender)? {
            return Ok(None);
        }
        let head = match self.chats.entry(message.chat) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let stored = chats::table.find(message.chat.get()).select((chats::last_seq, chats::last_activity_at));
                unknown.insert(stored.get_result(conn)?)
            }
        };
        let (seq, newest) = head;
        *seq += 1;
        *newest = message.created_at.max(*newest);
        let id = diesel::insert_into(messages::table)
            .values((
                messages::chat_id.eq(message.chat.get()),
                messages::seq.eq(*seq),
                messages::sender_id.eq(message.sender.get()),
                messages::message_type.eq(message.body.message_type().name()),
                messages::content.eq(message.body.content()),
                messages::created_at.eq(message.created_at),
            ))
            .returning(messages::id)
            .get_result(conn)?;
        Ok(Some((MessageId::new(id), Seq::new(*seq))))
    }

    fn is_member(&mut self, conn: &mut SqliteConnection, chat: ChatId, user: UserId) -> QueryResult<bool> {
        match self.members.entry((chat, user)) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(unknown) => {
                let row = members::table.find((chat.get(), user.get()));
                Ok(*unknown.insert(diesel::select(diesel::dsl::exists(row)).get_result(conn)?))
            }
        }
    }

    /// Writes back what has become of the chats.
    fn store(self, conn: &mut SqliteConnection) -> QueryResult<()> {
        for (chat, (seq, newest)) in self.chats {
            diesel::update(chats::table.find(chat.get()))
                .set((chats::last_seq.eq(seq), chats::last_activity_at.eq(newest)))
                .execute(conn)?;
        }
        Ok(())
    }
}
