//! Appends one message: what [`append`](super::append) does for a group, for the message that comes alone.
//!
//! The many steps of the statement for groups cost PostgreSQL time before there is a message. This one takes a quarter less, which is time
//! that somebody who writes while nobody else does would wait for.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use mango_domain::model::{ClientId, NewMessage, Timestamp};

/// The statement. As in that for groups, another node may append the same message at the same time: then the client id clashes, and the writer
/// tries again. It gives at most one row, that of the first and only place: place, id, seq and version.
#[derive(Debug)]
pub(super) struct AppendOne<'a> {
    chat: i64,
    sender: i64,
    client_id: Option<&'a str>,
    message_type: &'a str,
    content: &'a str,
    time: Timestamp,
}

impl<'a> AppendOne<'a> {
    pub(super) fn of(message: &'a NewMessage) -> Self {
        Self {
            chat: message.chat.get(),
            sender: message.sender.get(),
            client_id: message.client_id.as_ref().map(ClientId::as_str),
            message_type: message.body.message_type().name(),
            content: message.body.content(),
            time: message.created_at,
        }
    }
}

impl QueryFragment<Pg> for AppendOne<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "WITH moved AS (\
               UPDATE chats SET last_seq = last_seq + 1, version = version + 1, \
                 last_activity_at = greatest(last_activity_at, ",
        );
        out.push_bind_param::<Timestamptz, _>(&self.time)?;
        out.push_sql("::timestamptz) WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.chat)?;
        out.push_sql("::bigint AND EXISTS (SELECT FROM members m WHERE m.chat_id = ");
        out.push_bind_param::<BigInt, _>(&self.chat)?;
        out.push_sql("::bigint AND m.user_id = ");
        out.push_bind_param::<BigInt, _>(&self.sender)?;
        out.push_sql("::bigint) AND NOT EXISTS (SELECT FROM messages d WHERE d.chat_id = ");
        out.push_bind_param::<BigInt, _>(&self.chat)?;
        out.push_sql("::bigint AND d.sender_id = ");
        out.push_bind_param::<BigInt, _>(&self.sender)?;
        // Nothing equals NULL, so a message without a name was never sent before.
        out.push_sql("::bigint AND d.client_id = ");
        out.push_bind_param::<Nullable<Text>, _>(&self.client_id)?;
        out.push_sql(
            "::text) RETURNING id, last_seq, version) \
             INSERT INTO messages (chat_id, seq, version, sender_id, client_id, message_type, content, created_at) \
             SELECT id, last_seq, version, ",
        );
        out.push_bind_param::<BigInt, _>(&self.sender)?;
        out.push_sql("::bigint, ");
        out.push_bind_param::<Nullable<Text>, _>(&self.client_id)?;
        out.push_sql("::text, ");
        out.push_bind_param::<Text, _>(&self.message_type)?;
        out.push_sql("::text, ");
        out.push_bind_param::<Text, _>(&self.content)?;
        out.push_sql("::text, ");
        out.push_bind_param::<Timestamptz, _>(&self.time)?;
        out.push_sql("::timestamptz FROM moved RETURNING 1::bigint, id, seq, version");
        Ok(())
    }
}

impl QueryId for AppendOne<'_> {
    type QueryId = AppendOne<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for AppendOne<'_> {
    type SqlType = (BigInt, BigInt, BigInt, BigInt);
}
