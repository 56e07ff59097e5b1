//! Catching up: what changed in a user's chats while a client was away.

mod plan;

use std::collections::BTreeMap;
use std::fmt;

use crate::FieldError;
use crate::model::{ChatId, MemberList, PostedMessage, ProfileVersion, UserBrief, Version};
use crate::ports::StoredChat;

pub use plan::{SyncPlan, SyncRange, Weights};

/// Names a database from its making on, so that a client learns that it speaks to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch(String);

impl Epoch {
    /// Takes what the store, or a client, calls it.
    #[must_use]
    pub const fn new(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client knows, and how much it wants to be told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    known: BTreeMap<ChatId, Version>,
    after: Option<ChatId>,
    until: Option<ChatId>,
    users_since: Option<ProfileVersion>,
    epoch: Option<Epoch>,
    limit: u32,
}

impl SyncRequest {
    /// How many messages an answer has when nothing is said.
    pub const DEFAULT: u32 = 200;
    /// How many messages an answer has at the most.
    pub const MAX: u32 = 1000;
    /// How many chats a client may name. One that knows more asks about them part by part.
    pub const MAX_KNOWN: usize = 10_000;
    /// For how many messages, in multiples of the limit, an answer looks before it knows how many there are. Ranges of versions can hold
    /// far fewer messages than they are long: likes take versions too, and of those that a message had it keeps the last alone.
    const SPREAD: i64 = 4;
    /// How many chats an answer tells of at the most.
    pub const MAX_CHATS: usize = 200;
    /// How many members the chats have together that an answer tells whole. One group may have as many.
    pub const MAX_MEMBERS: usize = MemberList::MAX;
    /// How many users an answer tells of at the most.
    pub const MAX_USERS: u32 = 200;
    /// How many bytes of content an answer has at the most, unless a single message has more.
    pub const MAX_BYTES: usize = 1 << 20;
    /// How many likes the messages of an answer have together at the most, unless a single message has more.
    pub const MAX_LIKES: usize = 2_000;

    /// Checks a request.
    ///
    /// # Errors
    /// A [`FieldError`] on `limit` or on `chats`.
    pub fn parse(
        known: BTreeMap<ChatId, Version>,
        epoch: Option<Epoch>,
        limit: Option<i64>,
    ) -> Result<Self, FieldError> {
        let limit = match limit {
            None => Self::DEFAULT,
            Some(given) => u32::try_from(given)
                .ok()
                .filter(|limit| (1..=Self::MAX).contains(limit))
                .ok_or_else(|| FieldError::new("limit", format!("must be from 1 to {}", Self::MAX)))?,
        };
        if known.len() > Self::MAX_KNOWN {
            let most = Self::MAX_KNOWN;
            let advice = "ask about more of them part by part, with chats_after and chats_until";
            return Err(FieldError::new("chats", format!("may name at most {most} chats: {advice}")));
        }
        if let Some((chat, _)) = known.iter().find(|(_, version)| version.get() < 0) {
            return Err(FieldError::new(format!("chats.{chat}"), "must not be negative"));
        }
        Ok(Self { known, after: None, until: None, users_since: None, epoch, limit })
    }

    /// Asks about a part of the user's chats alone: those with an id above `after` and up to `until`. With `after`, chats are told in the
    /// order of their ids, so that a client which goes on behind the last one comes to all of them, however often others change.
    ///
    /// # Errors
    /// A [`FieldError`] on a chat that the client names although it does not ask about it.
    pub fn with_part(mut self, after: Option<ChatId>, until: Option<ChatId>) -> Result<Self, FieldError> {
        (self.after, self.until) = (after, until);
        match self.known.keys().find(|chat| !self.asks_about(**chat)) {
            Some(chat) => {
                Err(FieldError::new(format!("chats.{chat}"), "must be above chats_after and up to chats_until"))
            }
            None => Ok(self),
        }
    }

    /// Asks for the users who have changed since an answer whose [`users_since`](SyncPage::users_since) this is. A client that does not, because
    /// it knows of no users or does not want to, is told of none, but from where on to ask the next time.
    ///
    /// # Errors
    /// A [`FieldError`] on `users_since`.
    pub fn with_users_since(mut self, users_since: Option<ProfileVersion>) -> Result<Self, FieldError> {
        if users_since.is_some_and(|since| since.get() < 0) {
            return Err(FieldError::new("users_since", "must not be negative"));
        }
        self.users_since = users_since;
        Ok(self)
    }

    /// The ids of the chats that are asked about are above this.
    #[must_use]
    pub fn after(&self) -> ChatId {
        self.after.unwrap_or(ChatId::new(i64::MIN))
    }

    /// The ids of the chats that are asked about go up to this.
    #[must_use]
    pub fn until(&self) -> ChatId {
        self.until.unwrap_or(ChatId::new(i64::MAX))
    }

    /// Whether this chat is one of those.
    #[must_use]
    pub fn asks_about(&self, chat: ChatId) -> bool {
        chat > self.after() && chat <= self.until()
    }

    /// How many messages at the most.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Compares what the client knows with what there is: the epoch of the database, the last change of any profile, and the version of each
    /// chat that is asked about, most recently active first.
    ///
    /// Versions have no holes and no two changes share one, so that a range of versions holds at most as many messages as it is
    /// long, and often far fewer. The plan has so many ranges that no more than a few times the limit of messages need be looked at; the
    /// store then keeps it to the limit, to [`MAX_MEMBERS`](Self::MAX_MEMBERS), [`MAX_BYTES`](Self::MAX_BYTES) and
    /// [`MAX_LIKES`](Self::MAX_LIKES) by what it finds.
    #[must_use]
    pub fn plan(&self, epoch: &Epoch, profiles: ProfileVersion, chats: &[(ChatId, Version)]) -> SyncPlan {
        let there: BTreeMap<ChatId, Version> = chats.iter().copied().collect();
        let ahead = |(chat, known): (&ChatId, &Version)| there.get(chat).is_some_and(|version| known > version);
        let reset = self.epoch.as_ref().is_some_and(|known| known != epoch)
            || self.known.iter().any(ahead)
            || self.users_since > Some(profiles);
        let known = |chat| if reset { None } else { self.known.get(&chat).copied() };

        let mut chats = chats.to_vec();
        if self.after.is_some() {
            chats.sort_unstable();
        }
        let limit = i64::from(self.limit);
        let mut room = limit * Self::SPREAD;
        let (mut ranges, mut more) = (Vec::new(), false);
        for (chat, version) in chats {
            let after = known(chat).unwrap_or(Version::new(0));
            if after >= version {
                continue;
            }
            if room <= 0 || ranges.len() == Self::MAX_CHATS {
                more = true;
                break;
            }
            // The first version is the chat's own making and holds no message.
            room -= (version.get() - after.get().max(1)).min(limit);
            ranges.push(SyncRange { chat, after, reached: version, more: false });
        }
        let gone = if reset {
            Vec::new()
        } else {
            self.known.keys().filter(|chat| !there.contains_key(chat)).copied().collect()
        };
        let users_after = self.users_since.filter(|since| !reset && *since < profiles);
        SyncPlan { reset, limit: self.limit, ranges, gone, users_after, users_since: profiles, more }
    }
}

/// What changed, as a store gives it: the present state of what changed, so that applying it twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPage<C = StoredChat> {
    /// The database.
    pub epoch: Epoch,
    /// Whether the client has to forget what it knows, because it comes from another database or from the future of this one.
    pub reset: bool,
    /// The chats that changed, most recently active first, or in order of id where it was asked about those above one.
    pub chats: Vec<ChatChanges<C>>,
    /// The chats that the client named and that the user is not in, or not any more.
    pub gone: Vec<ChatId>,
    /// All chats that the user has pinned, in order of id.
    pub pinned: Vec<ChatId>,
    /// All chats that were asked about and that the user is in, told of here or not, in no order.
    pub member_of: Vec<ChatId>,
    /// Those of the users who share a chat with the user whose name or photo changed since the client asked, themselves included, in the
    /// order of their versions.
    pub users: Vec<UserBrief>,
    /// All changes of users up to here are known with this: what to ask with the next time.
    pub users_since: ProfileVersion,
    /// Whether there is more: ask again with the versions reached.
    pub more: bool,
}

/// What changed in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatChanges<C = StoredChat> {
    /// Which.
    pub id: ChatId,
    /// What the client knows with this.
    pub version: Version,
    /// Whether the chat has changes beyond that version.
    pub more: bool,
    /// The chat itself with its members, when that is new to the client.
    pub chat: Option<C>,
    /// The messages that were sent, liked or not liked any more, in order of version.
    pub messages: Vec<PostedMessage>,
}
