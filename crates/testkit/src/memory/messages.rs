//! Messages in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ChatId, Event, Message, MessageId, MessagePage, NewMessage, PageRequest, Seq, UserId};
use mango_domain::ports::{Announcer, Appended, Messages};

use super::MemoryStore;
use super::store::{Entry, Place};

#[async_trait]
impl Messages for MemoryStore {
    async fn append(&self, message: NewMessage, announcer: Announcer) -> Result<Option<Appended>, Failure> {
        let _turn = self.turn().await;
        let appended = self.append_now(message)?;
        if let Some(Appended { message, is_new: true, .. }) = &appended {
            let Announcer { events, origin } = announcer;
            events.publish(Event::MessageSent { message: message.clone(), origin }).await;
        }
        Ok(appended)
    }

    async fn page(&self, chat: ChatId, reader: UserId, page: PageRequest) -> Result<Option<MessagePage>, Failure> {
        let state = self.enter("page messages")?;
        let Some(room) = state.room(chat, reader) else {
            return Ok(None);
        };
        let fits = |entry: &&Entry| {
            let seq = entry.message.seq;
            page.before.is_none_or(|before| seq < before) && page.after.is_none_or(|after| seq > after)
        };
        let mut next: Vec<&Entry> = room.messages.iter().filter(fits).collect();
        let forward = page.after.is_some() && page.before.is_none();
        if !forward {
            next.reverse();
        }
        let there = next.len();
        next.truncate(page.fitting(next.iter().map(|entry| entry.message.body.content().len())));
        while next.len() > 1 && next.iter().map(|entry| entry.likes.len()).sum::<usize>() > PageRequest::MAX_LIKES {
            next.truncate(next.len() / 2);
        }
        let more = next.len() < there;
        if forward {
            next.reverse();
        }
        Ok(Some(MessagePage { messages: next.into_iter().map(|entry| state.posted(entry)).collect(), more }))
    }
}

impl MemoryStore {
    fn append_now(&self, message: NewMessage) -> Result<Option<Appended>, Failure> {
        let mut state = self.enter("append message")?;
        let NewMessage { chat, sender, client_id, body, created_at } = message;
        let id = MessageId::new(state.next_id());
        let Some(room) = state.room_mut(chat, sender) else {
            return Ok(None);
        };
        let known = |entry: &&Entry| entry.message.sender == sender && entry.message.client_id == client_id;
        if client_id.is_some()
            && let Some(entry) = room.messages.iter().find(known)
        {
            let (message, likes) = (Arc::new(entry.message.clone()), entry.likes.clone());
            return Ok(Some(Appended { message, likes: state.briefs(&likes), is_new: false }));
        }
        let index = room.messages.len();
        let seq = Seq::new(i64::try_from(index + 1).map_err(|error| Failure::broken("append message", error))?);
        let version = room.change();
        let message = Message { id, chat, seq, version, sender, client_id, body, created_at };
        room.messages.push(Entry { message: message.clone(), likes: BTreeSet::new() });
        state.places.insert(id, Place { chat, index });
        Ok(Some(Appended { message: Arc::new(message), likes: Vec::new(), is_new: true }))
    }
}
