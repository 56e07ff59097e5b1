//! Appends a group of messages with one statement: one round trip, one commit.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use mango_domain::model::{ChatId, ClientId, Message, MessageId, NewMessage, Seq, Timestamp, UserId, Version};
use mango_domain::ports::Appended;

use super::Conn;
use super::append_one::AppendOne;
use super::sent_before::{Key, sent_before};
use crate::writers::Group;

/// Appends the messages of a group, in a transaction or as one.
pub(super) async fn append(conn: &mut Conn, group: Group) -> QueryResult<Vec<Option<Appended>>> {
    let all: Vec<&NewMessage> = group.iter().filter_map(|change| change.message()).collect();
    // The first of those that are the same, and for each message which of these it is.
    let (mut firsts, mut which) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    let mut known: HashMap<(ChatId, UserId, &ClientId), usize> = HashMap::new();
    for message in all {
        let next = firsts.len();
        let index = match &message.client_id {
            Some(client_id) => *known.entry((message.chat, message.sender, client_id)).or_insert(next),
            None => next,
        };
        if index == next {
            firsts.push(message);
        }
        which.push((index, index == next));
    }
    let mut outcomes: Vec<Option<Appended>> = firsts.iter().map(|_| None).collect();
    let rows: Vec<(i64, i64, i64, i64)> = match &firsts[..] {
        [message] => AppendOne::of(message).load(conn).await?,
        _ => Append::of(&firsts).load(conn).await?,
    };
    for (place, id, seq, version) in rows {
        // Places are counted from one.
        let index = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let (Some(outcome), Some(message)) = (outcomes.get_mut(index), firsts.get(index)) {
            let message = stored(message, MessageId::new(id), Seq::new(seq), Version::new(version));
            *outcome = Some(Appended { message: Arc::new(message), likes: Vec::new(), is_new: true });
        }
    }
    let left: Vec<Key> = firsts
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_none())
        .filter_map(|(message, _)| key(message))
        .collect();
    if !left.is_empty() {
        let mut before = sent_before(conn, &left).await?;
        for (message, outcome) in firsts.iter().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_none()) {
            *outcome = key(message).and_then(|key| before.remove(&key));
        }
    }
    let again = |appended: &Appended, is_first| Appended {
        message: appended.message.clone(),
        likes: appended.likes.clone(),
        is_new: appended.is_new && is_first,
    };
    let outcome =
        |(index, is_first)| outcomes.get(index).and_then(Option::as_ref).map(|appended| again(appended, is_first));
    Ok(which.into_iter().map(outcome).collect())
}

/// The same as a transaction of its own, which a statement is by itself.
pub(super) async fn append_alone(conn: &mut Conn, group: Group) -> QueryResult<Vec<Option<Appended>>> {
    append(conn, group).await
}

fn key(message: &NewMessage) -> Option<Key> {
    message.client_id.clone().map(|client_id| (message.chat, message.sender, client_id))
}

fn stored(message: &NewMessage, id: MessageId, seq: Seq, version: Version) -> Message {
    let NewMessage { chat, sender, client_id, body, created_at } = message.clone();
    Message { id, chat, seq, version, sender, client_id, body, created_at }
}

/// The statement. Its steps are, in order: the messages sent; those whose senders are members and that are not there yet under
/// their client id, numbered within their chat; how many there are for each chat; the locks on these chats, taken in order of id
/// so that two nodes cannot lock each other out; the new `last_seq` and `version` of each chat; the messages with theirs, and an id;
/// and their insertion, which is done although nothing is read from it. Another node may append the same message at the same time:
/// then the client id clashes, and the writer, which tries again, finds it. It is a query of its own rather than a plain SQL string
/// because that is how Diesel keeps it prepared.
///
/// It takes a time in proportion to the messages. What PostgreSQL does not know is how many they are, and for the ten that it would
/// guess it compares each with each; `generate_series` makes it guess a thousand, for which it looks things up in hashes. What is in
/// tables is asked for by key, row by row, so that nothing of that guess leads to reading a table whole.
#[derive(Debug)]
struct Append<'a> {
    chats: Vec<i64>,
    senders: Vec<i64>,
    client_ids: Vec<Option<&'a str>>,
    types: Vec<&'a str>,
    contents: Vec<&'a str>,
    times: Vec<Timestamp>,
    count: i32,
}

impl<'a> Append<'a> {
    fn of(messages: &[&'a NewMessage]) -> Self {
        Self {
            chats: messages.iter().map(|message| message.chat.get()).collect(),
            senders: messages.iter().map(|message| message.sender.get()).collect(),
            client_ids: messages.iter().map(|message| message.client_id.as_ref().map(ClientId::as_str)).collect(),
            types: messages.iter().map(|message| message.body.message_type().name()).collect(),
            contents: messages.iter().map(|message| message.body.content()).collect(),
            times: messages.iter().map(|message| message.created_at).collect(),
            // A group has some hundreds.
            count: i32::try_from(messages.len()).unwrap_or(i32::MAX),
        }
    }
}

impl QueryFragment<Pg> for Append<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH sent AS MATERIALIZED (SELECT * FROM ROWS FROM (unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.chats)?;
        out.push_sql("::bigint[]), unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.senders)?;
        out.push_sql("::bigint[]), unnest(");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.client_ids)?;
        out.push_sql("::text[]), unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.types)?;
        out.push_sql("::text[]), unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.contents)?;
        out.push_sql("::text[]), unnest(");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.times)?;
        out.push_sql("::timestamptz[]), generate_series(1, ");
        out.push_bind_param::<Integer, _>(&self.count)?;
        out.push_sql(
            "::integer)) AS s (chat_id, sender_id, client_id, message_type, content, created_at, place)), \
             allowed AS MATERIALIZED (\
               SELECT s.*, row_number() OVER (PARTITION BY s.chat_id ORDER BY s.place) AS nth FROM sent s \
               WHERE (SELECT true FROM members m WHERE m.chat_id = s.chat_id AND m.user_id = s.sender_id) \
                 AND (s.client_id IS NULL OR NOT EXISTS (SELECT 1 FROM messages d \
                   WHERE d.chat_id = s.chat_id AND d.sender_id = s.sender_id AND d.client_id = s.client_id))), \
             totals AS MATERIALIZED (\
               SELECT chat_id, count(*) AS n, max(created_at) AS newest FROM allowed GROUP BY chat_id), \
             locked AS MATERIALIZED (\
               SELECT c.id FROM chats c WHERE c.id = ANY (ARRAY(SELECT chat_id FROM totals)) \
               ORDER BY c.id FOR NO KEY UPDATE), \
             moved AS (\
               UPDATE chats c SET last_seq = c.last_seq + t.n, version = c.version + t.n, \
                 last_activity_at = greatest(c.last_activity_at, t.newest) \
               FROM totals t WHERE t.chat_id = c.id AND c.id = ANY (ARRAY(SELECT id FROM locked)) \
               RETURNING c.id, c.last_seq - t.n AS seq, c.version - t.n AS version), \
             numbered AS MATERIALIZED (\
               SELECT nextval('messages_id_seq') AS id, a.chat_id, m.seq + a.nth AS seq, m.version + a.nth AS version, \
                 a.sender_id, a.client_id, a.message_type, a.content, a.created_at, a.place \
               FROM allowed a JOIN moved m ON m.id = a.chat_id ORDER BY a.place), \
             inserted AS (\
               INSERT INTO messages (id, chat_id, seq, version, sender_id, client_id, message_type, content, created_at) \
               OVERRIDING SYSTEM VALUE \
               SELECT id, chat_id, seq, version, sender_id, client_id, message_type, content, created_at FROM numbered) \
             SELECT place::bigint, id, seq, version FROM numbered",
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
