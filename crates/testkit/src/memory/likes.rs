//! Likes in memory.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Event, LikeToggle, MessageId, Timestamp, UserId};
use mango_domain::ports::{Announcer, Likes};

use super::MemoryStore;
use super::store::Place;

#[async_trait]
impl Likes for MemoryStore {
    async fn toggle(
        &self,
        message: MessageId,
        user: UserId,
        _now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<LikeToggle>, Failure> {
        let _turn = self.turn().await;
        let toggled = self.toggle_now(message, user)?;
        if let Some(like) = toggled {
            announcer.events.publish(Event::LikeToggled { like, origin: announcer.origin }).await;
        }
        Ok(toggled)
    }
}

impl MemoryStore {
    fn toggle_now(&self, message: MessageId, user: UserId) -> Result<Option<LikeToggle>, Failure> {
        let mut state = self.enter("toggle like")?;
        let Some(Place { chat, index }) = state.places.get(&message).copied() else {
            return Ok(None);
        };
        let Some(room) = state.room_mut(chat, user) else {
            return Ok(None);
        };
        let version = room.change();
        Ok(room.messages.get_mut(index).map(|entry| {
            entry.message.version = version;
            let taken_back = entry.likes.remove(&user);
            if !taken_back {
                entry.likes.insert(user);
            }
            let likes = entry.likes.len().try_into().unwrap_or(u64::MAX);
            LikeToggle { chat, message, user, liked: !taken_back, likes, version }
        }))
    }
}
