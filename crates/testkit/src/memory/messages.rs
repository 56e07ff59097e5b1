//! Messages in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{ChatId, Message, MessageId, MessagePage, NewMessage, PageRequest, Seq, UserId};
use mango_domain::ports::Messages;

use super::MemoryStore;
use super::store::{Entry, Place};

#[async_trait]
impl Messages for MemoryStore {
    async fn append(&self, message: NewMessage) -> Result<Option<Message>, Failure> {
        let mut state = self.enter("append message")?;
        let NewMessage { chat, sender, body, created_at } = message;
        let id = MessageId::new(state.next_id());
        let Some(room) = state.room_mut(chat, sender) else {
            return Ok(None);
        };
        let index = room.messages.len();
        let seq = Seq::new(i64::try_from(index + 1).map_err(|error| Failure::broken("append message", error))?);
        let message = Message { id, chat, seq, sender, body, created_at };
        room.messages.push(Entry { message: message.clone(), likes: BTreeSet::new() });
        state.places.insert(id, Place { chat, index });
        Ok(Some(message))
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
        let fitting: Vec<&Entry> = room.messages.iter().filter(fits).collect();
        let limit = usize::try_from(page.limit()).map_err(|error| Failure::broken("page messages", error))?;
        let surplus = fitting.len().saturating_sub(limit);
        let forward = page.after.is_some() && page.before.is_none();
        let skipped = if forward { 0 } else { surplus };
        let mut messages: Vec<_> =
            fitting.into_iter().skip(skipped).take(limit).map(|entry| state.posted(entry)).collect();
        messages.reverse();
        Ok(Some(MessagePage { messages, more: surplus > 0 }))
    }
}
