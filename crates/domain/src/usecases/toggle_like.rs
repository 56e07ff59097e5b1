//! Liking a message, or not any more.

use std::sync::Arc;

use crate::model::{LikeToggle, MessageId, Origin, Principal};
use crate::ports::{Announcer, Clock, Events, Likes};
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

    /// Toggles the caller's like, and has the other connections told.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a message that does not exist and for one in a chat that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, message: MessageId, origin: Option<Origin>) -> Result<LikeToggle> {
        let announcer = Announcer::new(&self.events, origin);
        let toggled = self.likes.toggle(message, principal.user, self.clock.now(), announcer).await?;
        toggled.ok_or(Error::NotFound("message"))
    }
}
