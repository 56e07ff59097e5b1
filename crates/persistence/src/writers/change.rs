//! What can be changed in a chat, and what can come of it.

use mango_domain::Failure;
use mango_domain::model::{
    ChatId, DirectPair, Event, LikeToggle, MessageId, NewChat, NewMessage, Origin, PinToggle, Timestamp, UserId,
};
use mango_domain::ports::{Appended, CreatedChat};

/// A change that is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A message is to be appended.
    Append(NewMessage),
    /// A like is to be given or taken back.
    Like(NewLike),
    /// A pin is to be set or taken away.
    Pin(NewPin),
    /// A chat is to be created.
    Create(Box<ChatToCreate>),
}

/// A like to toggle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewLike {
    /// The chat that the message is in.
    pub(crate) chat: ChatId,
    pub(crate) message: MessageId,
    pub(crate) user: UserId,
    pub(crate) now: Timestamp,
}

/// A pin to toggle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewPin {
    pub(crate) chat: ChatId,
    pub(crate) user: UserId,
    pub(crate) now: Timestamp,
}

/// A chat to create.
#[derive(Debug, Clone)]
pub(crate) struct ChatToCreate {
    /// The id that it shall have. Where there is more than one writer it is given beforehand, so that the chat's own writer
    /// creates it and nothing can be told of the chat before it is told that it exists. Where the pair has a chat it is that one's.
    pub(crate) id: Option<ChatId>,
    pub(crate) chat: NewChat,
}

/// What tells a creation from others whatever came of it: chats that a user creates have times of their own. Should two have the same, the
/// members of one are told of it twice, which does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Creation {
    pub(crate) creator: UserId,
    pub(crate) at: Timestamp,
}

impl Change {
    /// What failures call it.
    pub(crate) const fn operation(&self) -> &'static str {
        match self {
            Self::Append(_) => "append message",
            Self::Like(_) => "toggle like",
            Self::Pin(_) => "toggle pin",
            Self::Create(_) => "create chat",
        }
    }

    /// The chat that is changed, unless that is not known yet.
    pub(crate) const fn chat(&self) -> Option<ChatId> {
        match self {
            Self::Append(message) => Some(message.chat),
            Self::Like(like) => Some(like.chat),
            Self::Pin(pin) => Some(pin.chat),
            Self::Create(create) => create.id,
        }
    }

    /// The creation that it is, if it is one.
    pub(super) fn creation(&self) -> Option<Creation> {
        let Self::Create(create) = self else { return None };
        Some(Creation { creator: create.chat.creator, at: create.chat.created_at })
    }

    /// What tells the changes of one writer from those of another.
    pub(super) fn lane(&self) -> i64 {
        self.chat().map_or(0, ChatId::get)
    }

    /// When its turn comes in its group: messages, then likes and pins, then chats. Direct chats come in order of their pairs, since two
    /// writers that create chats of the same pairs wait for each other's, and in different orders they would wait for ever.
    pub(super) fn turn(&self) -> (u8, Option<DirectPair>) {
        match self {
            Self::Append(_) => (0, None),
            Self::Like(_) | Self::Pin(_) => (1, None),
            Self::Create(create) => (2, create.chat.members.pair()),
        }
    }

    pub(crate) const fn is_message(&self) -> bool {
        matches!(self, Self::Append(_))
    }

    /// The message that is to be appended.
    pub(crate) const fn message(&self) -> Option<&NewMessage> {
        if let Self::Append(message) = self { Some(message) } else { None }
    }
}

/// What came of a change.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Of a message; `None` where the sender is no member of the chat.
    Appended(Option<Appended>),
    /// Of a like; `None` where the user does not see the message.
    Liked(Option<LikeToggle>),
    /// Of a pin; `None` where the user is no member of the chat.
    Pinned(Option<PinToggle>),
    /// Of a chat, or which of its members do not exist.
    Created(Result<CreatedChat, Vec<UserId>>),
    /// Of a direct chat that the pair had already: it has this id and is another writer's, which is to be asked instead.
    Elsewhere(ChatId),
}

impl Outcome {
    /// What to tell.
    pub(super) fn event(&self, origin: Option<Origin>) -> Option<Event> {
        match self {
            Self::Appended(Some(Appended { message, is_new: true, .. })) => {
                Some(Event::MessageSent { message: message.clone(), origin })
            }
            Self::Liked(Some(like)) => Some(Event::LikeToggled { like: *like, origin }),
            Self::Pinned(Some(pin)) => Some(Event::PinToggled { pin: *pin }),
            Self::Created(Ok(created)) => created.news(origin),
            Self::Appended(_) | Self::Liked(None) | Self::Pinned(None) | Self::Created(Err(_)) | Self::Elsewhere(_) => {
                None
            }
        }
    }

    /// Counts what was committed.
    pub(super) fn count(&self) {
        match self {
            Self::Appended(Some(Appended { is_new: true, .. })) => {
                metrics::counter!("mango_messages_total").increment(1);
            }
            Self::Appended(Some(_)) => metrics::counter!("mango_duplicate_messages_total").increment(1),
            Self::Appended(None) | Self::Liked(_) | Self::Pinned(_) | Self::Created(_) | Self::Elsewhere(_) => {}
        }
    }

    pub(super) fn appended(self) -> Result<Option<Appended>, Failure> {
        if let Self::Appended(outcome) = self { Ok(outcome) } else { Err(mixed_up("append message")) }
    }

    pub(super) fn liked(self) -> Result<Option<LikeToggle>, Failure> {
        if let Self::Liked(outcome) = self { Ok(outcome) } else { Err(mixed_up("toggle like")) }
    }

    pub(super) fn pinned(self) -> Result<Option<PinToggle>, Failure> {
        if let Self::Pinned(outcome) = self { Ok(outcome) } else { Err(mixed_up("toggle pin")) }
    }

    pub(super) fn created(self) -> Result<Result<CreatedChat, Vec<UserId>>, Failure> {
        if let Self::Created(outcome) = self { Ok(outcome) } else { Err(mixed_up("create chat")) }
    }
}

/// A change was answered with what came of a change of another kind.
pub(super) fn mixed_up(operation: &'static str) -> Failure {
    Failure::broken(operation, "the answer is that of another operation")
}
