//! Pinning a chat, or not any more.

use std::sync::Arc;

use crate::model::{ChatId, PinToggle, Principal};
use crate::ports::{Announcer, Chats, Clock, Events};
use crate::{Error, Result};

/// Pins a chat for the caller or takes the pin away.
pub struct TogglePin {
    chats: Arc<dyn Chats>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl TogglePin {
    pub(super) fn new(chats: Arc<dyn Chats>, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Self {
        Self { chats, events, clock }
    }

    /// Toggles the pin, and has every connection of the caller told.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a chat that does not exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, chat: ChatId) -> Result<PinToggle> {
        let announcer = Announcer::new(&self.events, None);
        let toggled = self.chats.toggle_pin(chat, principal.user, self.clock.now(), announcer).await?;
        toggled.ok_or(Error::NotFound("chat"))
    }
}
