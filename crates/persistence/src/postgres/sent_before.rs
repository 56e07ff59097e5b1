//! Finds messages by the names that their senders gave them: what a group was sent that was sent before.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use mango_domain::model::{ChatId, ClientId, PostedMessage, UserId};
use mango_domain::ports::Appended;

use super::Conn;
use super::repository::messages::with_likes;
use super::repository::rows::MessageRow;

/// What a client's name for a message is unique in.
pub(super) type Key = (ChatId, UserId, ClientId);

/// The messages that were sent before under these names by those who are still members, as they are now.
///
/// Their likes are read after them. A like that another node commits in between may be told with the version of before it, and
/// then once more with its own, which does no harm; a version without its like would.
pub(super) async fn sent_before(conn: &mut Conn, keys: &[Key]) -> QueryResult<HashMap<Key, Appended>> {
    let rows: Vec<MessageRow> = SentBefore::of(keys).load(conn).await?;
    let mut before = HashMap::new();
    for PostedMessage { message, likes } in with_likes(conn, rows).await? {
        if let Some(client_id) = message.client_id.clone() {
            let key = (message.chat, message.sender, client_id);
            before.insert(key, Appended { message: Arc::new(message), likes, is_new: false });
        }
    }
    Ok(before)
}

/// The statement. The names travel as arrays, so that it is one and the same for any number of them and is prepared once.
#[derive(Debug)]
struct SentBefore<'a> {
    chats: Vec<i64>,
    senders: Vec<i64>,
    client_ids: Vec<&'a str>,
}

impl<'a> SentBefore<'a> {
    fn of(keys: &'a [Key]) -> Self {
        Self {
            chats: keys.iter().map(|(chat, _, _)| chat.get()).collect(),
            senders: keys.iter().map(|(_, sender, _)| sender.get()).collect(),
            client_ids: keys.iter().map(|(_, _, client_id)| client_id.as_str()).collect(),
        }
    }
}

impl QueryFragment<Pg> for SentBefore<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT d.id, d.chat_id, d.seq, d.version, d.sender_id, d.client_id, d.message_type, d.content, d.created_at \
             FROM unnest(",
        );
        out.push_bind_param::<Array<BigInt>, _>(&self.chats)?;
        out.push_sql("::bigint[], ");
        out.push_bind_param::<Array<BigInt>, _>(&self.senders)?;
        out.push_sql("::bigint[], ");
        out.push_bind_param::<Array<Text>, _>(&self.client_ids)?;
        out.push_sql(
            "::text[]) AS s (chat_id, sender_id, client_id) \
             JOIN members m ON m.chat_id = s.chat_id AND m.user_id = s.sender_id \
             JOIN messages d ON d.chat_id = s.chat_id AND d.sender_id = s.sender_id AND d.client_id = s.client_id",
        );
        Ok(())
    }
}

impl QueryId for SentBefore<'_> {
    type QueryId = SentBefore<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for SentBefore<'_> {
    type SqlType = (BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<Text>, Text, Text, Timestamptz);
}
