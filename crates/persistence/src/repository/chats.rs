//! The store of chats, their members and pins.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::{
    ChatId, DirectPair, NewChat, PinToggle, PostedMessage, Timestamp, UserBrief, UserId, Version,
};
use mango_domain::ports::{Announcer, ChatPage, ChatSelection, Chats, CreateChatError, CreatedChat, StoredChat};

use super::super::schema::{chats, members, messages, pins, users};
use super::super::{Conn, NEXT_CHAT_ID};
use super::rows::{BriefRow, ChatRow, DIRECT, GROUP, MessageRow};
use super::{Repository, for_ids, messages::with_likes, sizes::fitting, users::briefs};
use crate::writers::{ChatToCreate, NewPin, Outcome};

#[async_trait]
impl Chats for Repository {
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError> {
        let id = match NEXT_CHAT_ID {
            Some(next) => {
                let pair = chat.members.pair();
                let id = self.read(move |conn| draw_id(conn, next, pair).boxed()).await;
                Some(id.map_err(|fault| fault.during("create chat"))?)
            }
            None => None,
        };
        self.writers.create(ChatToCreate { id, chat }, announcer).await?.map_err(CreateChatError::UnknownMembers)
    }

    async fn list(&self, user: UserId, selection: ChatSelection) -> Result<ChatPage, Failure> {
        self.read(move |conn| list(conn, user, selection).boxed()).await.map_err(|fault| fault.during("list chats"))
    }

    async fn find(&self, chat: ChatId, user: UserId) -> Result<Option<StoredChat>, Failure> {
        self.read(move |conn| find(conn, chat, user).boxed()).await.map_err(|fault| fault.during("find chat"))
    }

    async fn ids_of(&self, user: UserId) -> Result<Vec<ChatId>, Failure> {
        let own = members::table.filter(members::user_id.eq(user.get()));
        let ids = own.select(members::chat_id).order(members::chat_id);
        let ids = self.read(move |conn| ids.load::<i64>(conn).boxed()).await;
        Ok(ids.map_err(|fault| fault.during("list chat ids"))?.into_iter().map(ChatId::new).collect())
    }

    async fn toggle_pin(
        &self,
        chat: ChatId,
        user: UserId,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<PinToggle>, Failure> {
        self.writers.pin(NewPin { chat, user, now }, announcer).await
    }
}

/// The version of a chat that has just been created.
const CREATED: i64 = 1;

/// The id of a chat to be: that of the chat which the pair has, if it has one, so that this chat's own writer tells of it.
async fn draw_id(conn: &mut Conn, next: &str, pair: Option<DirectPair>) -> QueryResult<ChatId> {
    let there = match pair {
        Some(pair) => chat_of(conn, pair).await?,
        None => None,
    };
    match there {
        Some(id) => Ok(id),
        None => diesel::select(sql::<BigInt>(next)).get_result(conn).await.map(ChatId::new),
    }
}

/// The direct chat of a pair.
async fn chat_of(conn: &mut Conn, pair: DirectPair) -> QueryResult<Option<ChatId>> {
    let of_pair = chats::direct_low.eq(pair.low().get()).and(chats::direct_high.eq(pair.high().get()));
    let id = chats::table.filter(of_pair).select(chats::id).get_result(conn).await;
    Ok(id.optional()?.map(ChatId::new))
}

/// Creates a chat, or says which of its members do not exist.
pub(super) async fn create(conn: &mut Conn, new: &ChatToCreate) -> QueryResult<Outcome> {
    let ChatToCreate { id, chat } = new;
    let ids: Vec<i64> = chat.members.ids().into_iter().map(UserId::get).collect();
    let members = briefs(conn, &ids).await?;
    if members.len() < ids.len() {
        let unknown = |id: &UserId| members.binary_search_by_key(id, |member| member.id).is_err();
        return Ok(Outcome::Created(Err(chat.members.ids().into_iter().filter(unknown).collect())));
    }
    let pair = chat.members.pair();
    // The constraint below finds the chat as well, but only when nobody is changing it: to wait for another writer that does, while
    // holding what that writer may come to need, would be to wait for ever.
    if let Some((drawn, pair)) = id.zip(pair)
        && let Some(there) = chat_of(conn, pair).await?
    {
        return existing(conn, there, Some(drawn), chat.creator).await;
    }
    let row: Option<ChatRow> = diesel::insert_into(chats::table)
        .values((
            id.map(|id| chats::id.eq(id.get())),
            chats::version.eq(CREATED),
            chats::kind.eq(if pair.is_some() { DIRECT } else { GROUP }),
            chats::name.eq(chat.name.as_ref().map(|name| name.as_str())),
            chats::creator_id.eq(chat.creator.get()),
            chats::direct_low.eq(pair.map(|pair| pair.low().get())),
            chats::direct_high.eq(pair.map(|pair| pair.high().get())),
            chats::last_activity_at.eq(chat.created_at),
            chats::created_at.eq(chat.created_at),
        ))
        .on_conflict((chats::direct_low, chats::direct_high))
        .do_nothing()
        .returning(ChatRow::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    let Some(row) = row else {
        let there = chat_of(conn, pair.ok_or(diesel::NotFound)?).await?.ok_or(diesel::NotFound)?;
        return existing(conn, there, *id, chat.creator).await;
    };
    let rows = users::table.filter(users::id.eq_any(ids)).select((row.id.into_sql::<BigInt>(), users::id));
    diesel::insert_into(members::table)
        .values(rows)
        .into_columns((members::chat_id, members::user_id))
        .execute(conn)
        .await?;
    let chat = StoredChat { record: row.into_record()?, members, last_message: None, pinned: false };
    Ok(Outcome::Created(Ok(CreatedChat { chat, is_new: true })))
}

/// The direct chat that a pair has already, unless it is not the one that this writer was to create and so has another writer.
async fn existing(conn: &mut Conn, there: ChatId, drawn: Option<ChatId>, user: UserId) -> QueryResult<Outcome> {
    if drawn.is_some_and(|drawn| drawn != there) {
        return Ok(Outcome::Elsewhere(there));
    }
    let chat = find(conn, there, user).await?.ok_or(diesel::NotFound)?;
    Ok(Outcome::Created(Ok(CreatedChat { chat, is_new: false })))
}

async fn list(conn: &mut Conn, user: UserId, selection: ChatSelection) -> QueryResult<ChatPage> {
    let pin = pins::user_id.eq(members::user_id).and(pins::chat_id.eq(members::chat_id));
    let heads = members::table
        .inner_join(chats::table)
        .left_join(pins::table.on(pin))
        .filter(members::user_id.eq(user.get()))
        .order((chats::last_activity_at.desc(), chats::id.desc()))
        .select((ChatRow::as_select(), pins::created_at.nullable().is_not_null()));
    let (mut heads, mut rest): (Vec<(ChatRow, bool)>, _) = match selection {
        ChatSelection::All => (heads.load(conn).await?, Vec::new()),
        ChatSelection::Pinned => (heads.filter(pins::created_at.is_not_null()).load(conn).await?, Vec::new()),
        ChatSelection::These(mut ids) => {
            let rest = ids.split_off(ids.len().min(ChatPage::MAX_CHATS));
            let ids: Vec<i64> = ids.into_iter().map(ChatId::get).collect();
            let mut heads: Vec<(ChatRow, bool)> = heads.filter(chats::id.eq_any(ids.clone())).load(conn).await?;
            let place: HashMap<i64, usize> = ids.into_iter().enumerate().map(|(at, id)| (id, at)).collect();
            heads.sort_unstable_by_key(|(row, _)| place.get(&row.id).copied());
            (heads, rest)
        }
    };
    let fitting = fitting(conn, heads.iter().take(ChatPage::MAX_CHATS).map(|(row, _)| row.id).collect()).await?;
    rest.splice(0..0, heads.drain(fitting..).map(|(row, _)| ChatId::new(row.id)));
    Ok(ChatPage { chats: complete(conn, heads).await?, rest })
}

async fn find(conn: &mut Conn, chat: ChatId, user: UserId) -> QueryResult<Option<StoredChat>> {
    let pin = pins::user_id.eq(members::user_id).and(pins::chat_id.eq(members::chat_id));
    let head = members::table
        .find((chat.get(), user.get()))
        .inner_join(chats::table)
        .left_join(pins::table.on(pin))
        .select((ChatRow::as_select(), pins::created_at.nullable().is_not_null()))
        .get_result(conn)
        .await
        .optional()?;
    Ok(complete(conn, head.into_iter().collect()).await?.pop())
}

/// Adds members and last messages to chats: three queries for any number of chats.
pub(super) async fn complete(conn: &mut Conn, heads: Vec<(ChatRow, bool)>) -> QueryResult<Vec<StoredChat>> {
    let ids: Vec<i64> = heads.iter().map(|(row, _)| row.id).collect();
    let mut members = members_of(conn, &ids).await?;
    let mut last_messages = last_messages_of(conn, &ids).await?;
    heads
        .into_iter()
        .map(|(row, pinned)| {
            let id = row.id;
            Ok(StoredChat {
                record: row.into_record()?,
                members: members.remove(&id).unwrap_or_default(),
                last_message: last_messages.remove(&id),
                pinned,
            })
        })
        .collect()
}

/// The members of chats in order of their ids.
async fn members_of(conn: &mut Conn, chats: &[i64]) -> QueryResult<HashMap<i64, Vec<UserBrief>>> {
    let rows: Vec<(i64, BriefRow)> = for_ids(conn, chats, |conn, ids| {
        members::table
            .inner_join(users::table)
            .filter(members::chat_id.eq_any(ids))
            .order((members::chat_id, members::user_id))
            .select((members::chat_id, BriefRow::as_select()))
            .load(conn)
            .boxed()
    })
    .await?;
    let mut of_chat: HashMap<i64, Vec<UserBrief>> = HashMap::new();
    for (chat, row) in rows {
        of_chat.entry(chat).or_default().push(row.into_brief()?);
    }
    Ok(of_chat)
}

/// The newest message of each chat that has any. The chat knows its seq, so that no history is searched.
async fn last_messages_of(conn: &mut Conn, chats: &[i64]) -> QueryResult<HashMap<i64, PostedMessage>> {
    let rows: Vec<MessageRow> = for_ids(conn, chats, |conn, ids| {
        let last = messages::chat_id.eq(chats::id).and(messages::seq.eq(chats::last_seq));
        chats::table
            .inner_join(messages::table.on(last))
            .filter(chats::id.eq_any(ids))
            .select(MessageRow::as_select())
            .load(conn)
            .boxed()
    })
    .await?;
    let posted = with_likes(conn, rows).await?;
    Ok(posted.into_iter().map(|posted| (posted.message.chat.get(), posted)).collect())
}

/// Toggles a pin, for a member. It is no change of the chat, whose version it leaves.
pub(super) async fn toggle_pin(conn: &mut Conn, pin: NewPin) -> QueryResult<Option<PinToggle>> {
    let NewPin { chat, user, now } = pin;
    let version = members::table.find((chat.get(), user.get())).inner_join(chats::table).select(chats::version);
    let Some(version) = version.get_result(conn).await.optional()?.map(Version::new) else {
        return Ok(None);
    };
    let unpinned = diesel::delete(pins::table.find((user.get(), chat.get()))).execute(conn).await? > 0;
    if !unpinned {
        diesel::insert_into(pins::table)
            .values((pins::user_id.eq(user.get()), pins::chat_id.eq(chat.get()), pins::created_at.eq(now)))
            .execute(conn)
            .await?;
    }
    Ok(Some(PinToggle { chat, user, pinned: !unpinned, version }))
}
