//! Saying something in a chat.

use std::sync::Arc;

use crate::model::{ChatId, ConnectionId, Event, Message, MessageBody, MessageType, NewMessage, Principal};
use crate::ports::{Clock, Events, Messages};
use crate::{Error, Result};

/// Sends a message to a chat.
pub struct SendMessage {
    messages: Arc<dyn Messages>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    max_content: usize,
}

/// What is said, and where.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The chat.
    pub chat: ChatId,
    /// The type of the content.
    pub message_type: MessageType,
    /// The content.
    pub content: String,
    /// The connection that sends.
    pub origin: Option<ConnectionId>,
}

impl SendMessage {
    pub(super) fn new(
        messages: Arc<dyn Messages>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
        max_content: usize,
    ) -> Self {
        Self { messages, events, clock, max_content }
    }

    /// Appends the message to the chat and tells the other connections. It is durable when this returns.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the content does not fit its type or is too large; [`Error::NotFound`] for a chat that does not
    /// exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, outgoing: Outgoing) -> Result<Arc<Message>> {
        let Outgoing { chat, message_type, content, origin } = outgoing;
        let body = MessageBody::parse(message_type, content, self.max_content)?;
        let message = NewMessage { chat, sender: principal.user, body, created_at: self.clock.now() };
        let message = self.messages.append(message).await?.ok_or(Error::NotFound("chat"))?;
        let message = Arc::new(message);
        self.events.publish(Event::MessageSent { message: message.clone(), origin }).await;
        Ok(message)
    }
}
