//! The creation of a chat.

use std::sync::Arc;

use crate::model::{Chat, ChatKind, ChatName, MemberList, NewChat, Origin, Principal, UserId};
use crate::ports::{Announcer, Chats, Clock, CreateChatError, Events, Presence};
use crate::usecases::view;
use crate::{Error, FieldError, Result};

/// Creates a chat, or finds the direct chat that a pair has already.
pub struct CreateChat {
    chats: Arc<dyn Chats>,
    presence: Arc<dyn Presence>,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

/// The chat that is asked for.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// Its name. A group must have one.
    pub name: Option<ChatName>,
    /// Direct or group.
    pub kind: ChatKind,
    /// Its members; the creator need not be named, duplicates do not matter.
    pub members: Vec<UserId>,
    /// Who asks.
    pub origin: Option<Origin>,
}

impl CreateChat {
    pub(super) fn new(
        chats: Arc<dyn Chats>,
        presence: Arc<dyn Presence>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { chats, presence, events, clock }
    }

    /// Creates the chat, and has its members told. A direct chat that was there already is told to the asking connection only.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a group has no name, the number of members does not fit, or some of them do not exist.
    pub async fn run(&self, principal: &Principal, request: ChatRequest) -> Result<Chat> {
        let ChatRequest { name, kind, members, origin } = request;
        if kind == ChatKind::Group && name.is_none() {
            return Err(FieldError::new("chat.name", "a group needs a name").into());
        }
        let members = MemberList::parse(kind, principal.user, &members)?;
        let chat = NewChat { name, members, creator: principal.user, created_at: self.clock.now() };
        let announcer = Announcer::new(&self.events, origin);
        let created = self.chats.create(chat, announcer).await.map_err(|error| match error {
            CreateChatError::UnknownMembers(ids) => unknown_members(&ids),
            CreateChatError::Failed(failure) => failure.into(),
        })?;
        view::chat(&*self.presence, created.chat).await
    }
}

fn unknown_members(ids: &[UserId]) -> Error {
    let some: Vec<String> = ids.iter().take(20).map(ToString::to_string).collect();
    FieldError::new("chat.members_array", format!("there are no users with these ids: {}", some.join(", "))).into()
}
