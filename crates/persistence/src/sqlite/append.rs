//! Appends a group of messages in one go, on one of the threads for blocking work.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use diesel::prelude::*;
use mango_domain::model::{
    ChatId, ClientId, Message, MessageId, NewMessage, Seq, Timestamp, UserBrief, UserId, Version,
};
use mango_domain::ports::Appended;

use super::Conn;
use super::repository::rows::{BriefRow, MessageRow};
use super::schema::{chats, likes, members, messages, users};
use crate::writers::Group;

/// Appends the messages of a group in the transaction that is open.
pub(super) async fn append(conn: &mut Conn, group: Group) -> QueryResult<Vec<Option<Appended>>> {
    conn.spawn_blocking(move |conn| append_now(conn, &group)).await
}

/// The same in a transaction of its own.
pub(super) async fn append_alone(conn: &mut Conn, group: Group) -> QueryResult<Vec<Option<Appended>>> {
    conn.spawn_blocking(move |conn| conn.immediate_transaction(|conn| append_now(conn, &group))).await
}

fn append_now(conn: &mut SqliteConnection, group: &Group) -> QueryResult<Vec<Option<Appended>>> {
    let mut heads = Heads::default();
    let messages = group.iter().filter_map(|change| change.message());
    let appended = messages.map(|message| heads.append(conn, message)).collect::<QueryResult<_>>()?;
    heads.store(conn)?;
    Ok(appended)
}

/// What the transaction knows of the chats it appends to, so that it asks and writes once for many messages.
#[derive(Default)]
struct Heads {
    chats: HashMap<ChatId, Head>,
    /// Who is a member of which chat, and who is not.
    members: HashMap<(ChatId, UserId), bool>,
}

/// Where a chat is.
#[derive(Queryable)]
struct Head {
    last_seq: i64,
    version: i64,
    last_activity_at: Timestamp,
}

impl Heads {
    /// Inserts a message with the next seq and version of its chat, when its sender is a member and it is not there yet.
    fn append(&mut self, conn: &mut SqliteConnection, message: &NewMessage) -> QueryResult<Option<Appended>> {
        if !self.is_member(conn, message.chat, message.sender)? {
            return Ok(None);
        }
        if let Some(client_id) = &message.client_id
            && let Some(message) = sent_before(conn, message.chat, message.sender, client_id)?
        {
            let likes = likes_of(conn, message.id)?;
            return Ok(Some(Appended { message: Arc::new(message), likes, is_new: false }));
        }
        let head = self.head(conn, message.chat)?;
        head.last_seq += 1;
        head.version += 1;
        head.last_activity_at = message.created_at.max(head.last_activity_at);
        let id = diesel::insert_into(messages::table)
            .values((
                messages::chat_id.eq(message.chat.get()),
                messages::seq.eq(head.last_seq),
                messages::version.eq(head.version),
                messages::sender_id.eq(message.sender.get()),
                messages::client_id.eq(message.client_id.as_ref().map(ClientId::as_str)),
                messages::message_type.eq(message.body.message_type().name()),
                messages::content.eq(message.body.content()),
                messages::created_at.eq(message.created_at),
            ))
            .returning(messages::id)
            .get_result(conn)?;
        let (id, seq, version) = (MessageId::new(id), Seq::new(head.last_seq), Version::new(head.version));
        let NewMessage { chat, sender, client_id, body, created_at } = message.clone();
        let message = Message { id, chat, seq, version, sender, client_id, body, created_at };
        Ok(Some(Appended { message: Arc::new(message), likes: Vec::new(), is_new: true }))
    }

    fn head(&mut self, conn: &mut SqliteConnection, chat: ChatId) -> QueryResult<&mut Head> {
        match self.chats.entry(chat) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let columns = (chats::last_seq, chats::version, chats::last_activity_at);
                Ok(unknown.insert(chats::table.find(chat.get()).select(columns).get_result(conn)?))
            }
        }
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
        for (chat, Head { last_seq, version, last_activity_at }) in self.chats {
            diesel::update(chats::table.find(chat.get()))
                .set((
                    chats::last_seq.eq(last_seq),
                    chats::version.eq(version),
                    chats::last_activity_at.eq(last_activity_at),
                ))
                .execute(conn)?;
        }
        Ok(())
    }
}

/// The message that was sent before under this name.
fn sent_before(
    conn: &mut SqliteConnection,
    chat: ChatId,
    sender: UserId,
    client_id: &ClientId,
) -> QueryResult<Option<Message>> {
    let row: Option<MessageRow> = messages::table
        .filter(messages::chat_id.eq(chat.get()))
        .filter(messages::sender_id.eq(sender.get()))
        .filter(messages::client_id.eq(client_id.as_str()))
        .select(MessageRow::as_select())
        .get_result(conn)
        .optional()?;
    row.map(MessageRow::into_message).transpose()
}

/// Who likes a message, in order of their ids.
fn likes_of(conn: &mut SqliteConnection, message: MessageId) -> QueryResult<Vec<UserBrief>> {
    let rows: Vec<BriefRow> = likes::table
        .inner_join(users::table)
        .filter(likes::message_id.eq(message.get()))
        .order(likes::user_id)
        .select(BriefRow::as_select())
        .load(conn)?;
    rows.into_iter().map(BriefRow::into_brief).collect()
}
