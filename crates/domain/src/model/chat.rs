//! Chats: a room of members, direct between two or a group.

use std::collections::BTreeSet;

use crate::FieldError;
use crate::model::{ChatId, PostedMessage, Timestamp, UserBrief, UserId, Version, text};

/// A chat as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// What is the same for all members.
    pub record: ChatRecord,
    /// Its members in order of their ids.
    pub members: Vec<ChatMember>,
    /// The newest message, if there is one.
    pub last_message: Option<PostedMessage>,
    /// Whether the member who is looking has pinned it.
    pub pinned: bool,
}

/// The chat itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    /// Its id.
    pub id: ChatId,
    /// Its name; a direct chat may have none.
    pub name: Option<ChatName>,
    /// Direct or group.
    pub kind: ChatKind,
    /// When it was created.
    pub created_at: Timestamp,
    /// The last change that it has seen.
    pub version: Version,
}

/// Direct or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatKind {
    /// Between exactly two users, one for each pair.
    Direct,
    /// Between 1 and 10,000 users.
    Group,
}

/// A member as shown in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMember {
    /// Who.
    pub user: UserBrief,
    /// True while any of their sockets is connected.
    pub online: bool,
}

text::bounded_text! {
    /// A chat's name: 1 to 255 characters without control characters, white space around it dropped.
    ChatName { field: "chat.name", max: 255, multiline: false }
}

/// The two users of a direct chat, lower id first, so that a pair has one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectPair {
    low: UserId,
    high: UserId,
}

impl DirectPair {
    /// Pairs two users; `None` when they are one and the same.
    #[must_use]
    pub fn of(a: UserId, b: UserId) -> Option<Self> {
        (a != b).then(|| Self { low: a.min(b), high: a.max(b) })
    }

    /// The user with the lower id.
    #[must_use]
    pub const fn low(self) -> UserId {
        self.low
    }

    /// The user with the higher id.
    #[must_use]
    pub const fn high(self) -> UserId {
        self.high
    }
}

/// The members of a chat to be: no duplicates, in order of id, the creator among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberList {
    /// Exactly two.
    Direct(DirectPair),
    /// 1 to 10,000.
    Group(Vec<UserId>),
}

impl MemberList {
    /// Most members of a group.
    pub const MAX: usize = 10_000;

    /// Folds duplicates, adds the creator, and checks that the number fits the kind of chat.
    ///
    /// # Errors
    /// A [`FieldError`] on `chat.members_array`.
    pub fn parse(kind: ChatKind, creator: UserId, members: &[UserId]) -> Result<Self, FieldError> {
        let refused = |message: String| FieldError::new("chat.members_array", message);
        let set: BTreeSet<UserId> = members.iter().copied().chain([creator]).collect();
        match kind {
            ChatKind::Group if set.len() <= Self::MAX => Ok(Self::Group(set.into_iter().collect())),
            ChatKind::Group => {
                Err(refused(format!("a group has at most {} members, these are {}", Self::MAX, set.len())))
            }
            ChatKind::Direct => {
                let mut others = set.iter().filter(|member| **member != creator);
                match (others.next(), others.next()) {
                    (Some(other), None) => DirectPair::of(creator, *other).map(Self::Direct),
                    _ => None,
                }
                .ok_or_else(|| refused("a direct chat is between you and exactly one other user".to_owned()))
            }
        }
    }

    /// The members in order of id.
    #[must_use]
    pub fn ids(&self) -> Vec<UserId> {
        match self {
            Self::Direct(pair) => vec![pair.low, pair.high],
            Self::Group(ids) => ids.clone(),
        }
    }

    /// The pair of a direct chat.
    #[must_use]
    pub const fn pair(&self) -> Option<DirectPair> {
        match self {
            Self::Direct(pair) => Some(*pair),
            Self::Group(_) => None,
        }
    }

    /// The kind of chat they make.
    #[must_use]
    pub const fn kind(&self) -> ChatKind {
        match self {
            Self::Direct(_) => ChatKind::Direct,
            Self::Group(_) => ChatKind::Group,
        }
    }
}

/// What a store needs to create a chat.
#[derive(Debug, Clone)]
pub struct NewChat {
    /// Its name; always there for a group.
    pub name: Option<ChatName>,
    /// Its members, the creator included.
    pub members: MemberList,
    /// Who creates it.
    pub creator: UserId,
    /// When, in whole microseconds.
    pub created_at: Timestamp,
}

/// What came of pinning a chat or taking the pin away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinToggle {
    /// The chat.
    pub chat: ChatId,
    /// Whose pin it is. It concerns nobody else and is no change of the chat.
    pub user: UserId,
    /// Whether it is pinned now.
    pub pinned: bool,
    /// The chat's version at that time.
    pub version: Version,
}
