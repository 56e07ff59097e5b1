//! Likes in memory.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{LikeToggle, MessageId, Timestamp, UserId};
use mango_domain::ports::Likes;

use super::MemoryStore;
use super::store::Place;

#[async_trait]
impl Likes for MemoryStore {
    async fn toggle(&self, message: MessageId, user: UserId, _now: Timestamp) -> Result<Option<LikeToggle>, Failure> {
        let mut state = self.enter("toggle like")?;
        let Some(Place { chat, index }) = state.places.get(&message).copied() else {
            return Ok(None);
        };
        let entry = state.room_mut(chat, user).and_then(|room| room.messages.get_mut(index));
        Ok(entry.map(|entry| {
            let taken_back = entry.likes.remove(&user);
            if !taken_back {
                entry.likes.insert(user);
            }
            let likes = entry.likes.len().try_into().unwrap_or(u64::MAX);
            LikeToggle { chat, message, user, liked: !taken_back, likes }
        }))
    }
}
