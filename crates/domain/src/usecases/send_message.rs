//! Saying something in a chat.

use std::sync::Arc;

use crate::model::{ChatId, ClientId, Message, MessageBody, MessageType, NewMessage, Origin, Principal, UserBrief};
use crate::ports::{Announcer, Appended, Clock, Events, Messages};
use crate::{Error, FieldError, Result};

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
    /// What the sender calls the message, so that it can be sent again without becoming two.
    pub client_id: Option<ClientId>,
    /// Who asks.
    pub origin: Option<Origin>,
}

/// A message that is in its chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message as it is now.
    pub message: Arc<Message>,
    /// Who likes it, in order of their ids.
    pub likes: Vec<UserBrief>,
    /// Whether it was sent before under the same client id.
    pub duplicate: bool,
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

    /// Appends the message to the chat, and has the other connections told. It is durable when this returns. A message that the
    /// chat has already under the same client id is given as it is now, and nobody is told.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the content does not fit its type or is too large, and on `message.client_id` when that stands for
    /// another message; [`Error::NotFound`] for a chat that does not exist and for one that the caller is not in, alike.
    pub async fn run(&self, principal: &Principal, outgoing: Outgoing) -> Result<Sent> {
        let Outgoing { chat, message_type, content, client_id, origin } = outgoing;
        let body = MessageBody::parse(message_type, content, self.max_content)?;
        // What a client may be sending again is kept to compare it with what it sent first.
        let again = client_id.is_some().then(|| body.clone());
        let message = NewMessage { chat, sender: principal.user, client_id, body, created_at: self.clock.now() };
        let appended = self.messages.append(message, Announcer::new(&self.events, origin)).await?;
        let Appended { message, likes, is_new } = appended.ok_or(Error::NotFound("chat"))?;
        if !is_new && again.is_some_and(|body| body != message.body) {
            return Err(
                FieldError::new("message.client_id", "stands for another message that you sent to this chat").into()
            );
        }
        Ok(Sent { message, likes, duplicate: !is_new })
    }
}
