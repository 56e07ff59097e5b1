//! Liking a message, or not any more.

use std::sync::Arc;

use crate::model::{ConnectionId, Event, LikeToggle, MessageId, Principal};
use crate::ports::{Clock, Events, Likes};
use crate::{Error, Result};

/// Gives a like or takes it back.
pub struct ToggleLike {
    likes: Arc<dyn Likes>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl ToggleLike {
    pub(super) fn new(likes: Arc<dyn Likes>, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Self {
        Self { likes, events, clock }
    }

    /// Toggles the caller's like and tells the other connections.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a message that does not exist and for one in a chat that the caller is not in, alike.
    pub async fn run(
        &self,
        principal: &Principal,
        message: MessageId,
        origin: Option<ConnectionId>,
    ) -> Result<LikeToggle> {
        let toggled = self.likes.toggle(message, principal.user, self.clock.now()).await?;
        let like = toggled.ok_or(Error::NotFound("message"))?;
        self.events.publish(Event::LikeToggled { like, origin }).await;
        Ok(like)
    }
}
