//! Pinning a chat, or not any more.

use std::sync::Arc;

use crate::model::{ChatId, Event, Principal};
use crate::ports::{Chats, Clock, Events};
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

    /// Toggles the pin and tells every connection of the caller; whether the chat is pinned now.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a chat that does not exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, chat: ChatId) -> Result<bool> {
        let toggled = self.chats.toggle_pin(chat, principal.user, self.clock.now()).await?;
        let pinned = toggled.ok_or(Error::NotFound("chat"))?;
        self.events.publish(Event::PinToggled { user: principal.user, chat, pinned }).await;
        Ok(pinned)
    }
}
