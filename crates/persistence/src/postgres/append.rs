//! Appends a group of messages with one statement: one round trip, one commit.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use diesel_async::pooled_connection::deadpool::Pool;
use futures_util::FutureExt;
use mango_domain::model::{MessageId, NewMessage, Seq, Timestamp};
use tokio::runtime::Handle;

use super::{Conn, bounded};
use crate::appends::{Commit, Group, Places};
use crate::error::Fault;

/// Commits groups, each with a connection of the pool.
pub(super) struct Writer {
    pub(super) pool: Pool<Conn>,
    pub(super) operation_timeout: Duration,
}

#[async_trait]
impl Commit for Writer {
    async fn commit(&self, group: Group) -> Result<Places, Fault> {
        let conn = self.pool.get().await?;
        bounded(conn, self.operation_timeout, &Handle::current(), move |conn| {
            async move { Ok(places(&group, Append::of(&group).load(conn).await?)) }.boxed()
        })
        .await
    }
}

/// The statement. Its steps are, in order: the messages sent; those whose senders are members, numbered within their chat; how
/// many there are for each chat; the locks on these chats, taken in order of id so that two nodes cannot lock each other
/// out; the new `last_seq` of each chat; the messages with their seqs. It is a query of its own rather than a plain SQL
/// string because that is how Diesel keeps it prepared.
#[derive(Debug)]
struct Append<'a> {
    chats: Vec<i64>,
    senders: Vec<i64>,
    types: Vec<&'a str>,
    contents: Vec<&'a str>,
    times: Vec<Timestamp>,
}

impl<'a> Append<'a> {
    fn of(group: &'a [NewMessage]) -> Self {
        Self {
            chats: group.iter().map(|message| message.chat.get()).collect(),
            senders: group.iter().map(|message| message.sender.get()).collect(),
            types: group.iter().map(|message| message.body.message_type().name()).collect(),
            contents: group.iter().map(|message| message.body.content()).collect(),
            times: group.iter().map(|message| message.created_at).collect(),
        }
    }
}

impl QueryFragment<Pg> for Append<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH sent AS MATERIALIZED (SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.chats)?;
        out.push_sql("::bigint[], ");
        out.push_bind_param::<Array<BigInt>, _>(&self.senders)?;
        out.push_sql("::bigint[], ");
        out.push_bind_param::<Array<Text>, _>(&self.types)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<Text>, _>(&self.contents)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.times)?;
        out.push_sql(
            "::timestamptz[]) WITH ORDINALITY AS s (chat_id, sender_id, message_type, content, created_at, place)), \
             allowed AS MATERIALIZED (\
               SELECT s.*, row_number() OVER (PARTITION BY s.chat_id ORDER BY s.place) AS nth \
               FROM sent s JOIN members m ON m.chat_id = s.chat_id AND m.user_id = s.sender_id), \
             totals AS (\
               SELECT chat_id, count(*) AS n, max(created_at) AS newest FROM allowed GROUP BY chat_id), \
             locked AS MATERIALIZED (\
               SELECT c.id FROM chats c WHERE c.id IN (SELECT chat_id FROM totals) ORDER BY c.id FOR NO KEY UPDATE), \
             moved AS (\
               UPDATE chats c SET last_seq = c.last_seq + t.n, \
                 last_activity_at = greatest(c.last_activity_at, t.newest) \
               FROM locked l JOIN totals t ON t.chat_id = l.id WHERE c.id = l.id \
               RETURNING c.id, c.last_seq - t.n AS before) \
             INSERT INTO messages (chat_id, seq, sender_id, message_type, content, created_at) \
             SELECT a.chat_id, m.before + a.nth, a.sender_id, a.message_type, a.content, a.created_at \
             FROM allowed a JOIN moved m ON m.id = a.chat_id ORDER BY a.place \
             RETURNING id, chat_id, seq, sender_id",
        );
        Ok(())
    }
}

impl QueryId for Append<'_> {
    type QueryId = Append<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Append<'_> {
    type SqlType = (BigInt, BigInt, BigInt, BigInt);
}

/// Finds for each message of the group the row (id, chat, seq, sender) that became of it. A chat's seqs were given in the order
/// of the group, so its n-th row belongs to its n-th message whose sender is a member, which is one of whom there is any row.
fn places(group: &[NewMessage], mut rows: Vec<(i64, i64, i64, i64)>) -> Places {
    rows.sort_unstable_by_key(|(_, chat, seq, _)| (*chat, *seq));
    let mut of_chat: HashMap<i64, Vec<(i64, i64, i64)>> = HashMap::new();
    for (id, chat, seq, sender) in rows.into_iter().rev() {
        of_chat.entry(chat).or_default().push((id, seq, sender));
    }
    group
        .iter()
        .map(|message| {
            let left = of_chat.get_mut(&message.chat.get())?;
            let (id, seq, _) = left.pop_if(|(_, _, sender)| *sender == message.sender.get())?;
            Some((MessageId::new(id), Seq::new(seq)))
        })
        .collect()
}
