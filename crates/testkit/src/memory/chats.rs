//! Chats in memory.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ChatId, ChatRecord, Event, MemberList, NewChat, PinToggle, Timestamp, UserId, Version};
use mango_domain::ports::{Announcer, ChatPage, ChatSelection, Chats, CreateChatError, CreatedChat, StoredChat};

use super::MemoryStore;
use super::store::{Room, State};

#[async_trait]
impl Chats for MemoryStore {
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError> {
        let _turn = self.turn().await;
        let created = self.create_now(chat)?;
        let Announcer { events, origin } = announcer;
        if let Some(event) = created.news(origin) {
            events.publish(event).await;
        }
        Ok(created)
    }

    async fn list(&self, user: UserId, selection: ChatSelection) -> Result<ChatPage, Failure> {
        let state = self.enter("list chats")?;
        let by_activity = |shown: &dyn Fn(&&Room) -> bool| {
            let mut rooms: Vec<&Room> = state.chats.values().filter(shown).collect();
            rooms.sort_by_key(|room| Reverse((active_at(room), room.record.id)));
            rooms
        };
        let rooms = match selection {
            ChatSelection::All => by_activity(&|room| room.members.contains(&user)),
            ChatSelection::Pinned => by_activity(&|room| room.pins.contains(&user)),
            ChatSelection::These(ids) => ids.into_iter().filter_map(|id| state.room(id, user)).collect(),
        };
        let (mut members, mut bytes) = (0, 0);
        let fits = |(at, room): (usize, &&Room)| {
            members += room.members.len();
            bytes += room.messages.last().map_or(0, |last| last.message.body.content().len());
            at == 0 || (at < ChatPage::MAX_CHATS && members <= ChatPage::MAX_MEMBERS && bytes <= ChatPage::MAX_BYTES)
        };
        let end = rooms.iter().enumerate().map(fits).take_while(|fits| *fits).count();
        let (told, rest) = rooms.split_at(end);
        let chats = told.iter().map(|room| seen_by(&state, room, user)).collect();
        Ok(ChatPage { chats, rest: rest.iter().map(|room| room.record.id).collect() })
    }

    async fn find(&self, chat: ChatId, user: UserId) -> Result<Option<StoredChat>, Failure> {
        let state = self.enter("find chat")?;
        Ok(state.room(chat, user).map(|room| seen_by(&state, room, user)))
    }

    async fn ids_of(&self, user: UserId) -> Result<Vec<ChatId>, Failure> {
        let state = self.enter("list chat ids")?;
        Ok(state.chats.values().filter(|room| room.members.contains(&user)).map(|room| room.record.id).collect())
    }

    async fn toggle_pin(
        &self,
        chat: ChatId,
        user: UserId,
        _now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<PinToggle>, Failure> {
        let _turn = self.turn().await;
        let toggled = self.enter("toggle pin")?.room_mut(chat, user).map(|room| {
            let unpinned = room.pins.remove(&user);
            if !unpinned {
                room.pins.insert(user);
            }
            PinToggle { chat, user, pinned: !unpinned, version: room.record.version }
        });
        if let Some(pin) = toggled {
            announcer.events.publish(Event::PinToggled { pin }).await;
        }
        Ok(toggled)
    }
}

impl MemoryStore {
    fn create_now(&self, chat: NewChat) -> Result<CreatedChat, CreateChatError> {
        let mut state = self.enter("create chat")?;
        let ids = chat.members.ids();
        let unknown: Vec<UserId> = ids.iter().copied().filter(|id| !state.users.contains_key(id)).collect();
        if !unknown.is_empty() {
            return Err(CreateChatError::UnknownMembers(unknown));
        }
        if let MemberList::Direct(pair) = &chat.members
            && let Some(room) = state.direct.get(pair).and_then(|id| state.chats.get(id))
        {
            return Ok(CreatedChat { chat: seen_by(&state, room, chat.creator), is_new: false });
        }
        let id = ChatId::new(state.next_id());
        if let MemberList::Direct(pair) = &chat.members {
            state.direct.insert(*pair, id);
        }
        let (kind, version) = (chat.members.kind(), Version::new(1));
        let record = ChatRecord { id, name: chat.name, kind, created_at: chat.created_at, version };
        let members = ids.into_iter().collect();
        let room = Room { record, members, pins: BTreeSet::new(), messages: Vec::new() };
        let created = CreatedChat { chat: seen_by(&state, &room, chat.creator), is_new: true };
        state.chats.insert(id, room);
        Ok(created)
    }
}

/// When something last happened in the chat.
pub(super) fn active_at(room: &Room) -> Timestamp {
    room.messages.last().map_or(room.record.created_at, |entry| entry.message.created_at)
}

pub(super) fn seen_by(state: &State, room: &Room, user: UserId) -> StoredChat {
    StoredChat {
        record: room.record.clone(),
        members: state.briefs(&room.members),
        last_message: room.messages.last().map(|entry| state.posted(entry)),
        pinned: room.pins.contains(&user),
    }
}
