//! What an answer to a client that catches up is to hold, before it is read, and how it is kept to a size that a server can bear.

use std::collections::BTreeMap;

use super::SyncRequest;
use crate::model::{ChatId, ProfileVersion, UserBrief, Version};

/// What to answer to a [`SyncRequest`], before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncPlan {
    /// Whether the client has to forget what it knows.
    pub reset: bool,
    /// How many messages to tell at the most.
    pub limit: u32,
    /// The changes to read, in order.
    pub ranges: Vec<SyncRange>,
    /// The chats that the client named and the user is not in.
    pub gone: Vec<ChatId>,
    /// Users that changed after this are to be told of; none where it is `None`.
    pub users_after: Option<ProfileVersion>,
    /// From where on the client is to ask for users the next time.
    pub users_since: ProfileVersion,
    /// Whether there is more than this.
    pub more: bool,
}

/// What the messages of an answer would weigh, in bytes of content or in likes.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    /// The last message of each chat that is told whole, where it has one. It comes with the chat, beside the messages in the ranges.
    pub last: BTreeMap<ChatId, usize>,
    /// The messages in the ranges, in order of version: of each chat all, or the first ones and more of them than the plan's limit.
    pub messages: BTreeMap<ChatId, Vec<(Version, usize)>>,
}

impl SyncPlan {
    /// The chats that are told whole, with their members, in order.
    #[must_use]
    pub fn whole(&self) -> Vec<ChatId> {
        self.ranges.iter().filter(|range| range.has_chat()).map(|range| range.chat).collect()
    }

    /// Tells half as many chats whole, but one at least, and nothing that would come after them. A store does so while they have more than
    /// [`SyncRequest::MAX_MEMBERS`] members together, since it can see whether they have without counting them to the end.
    pub fn halve(&mut self) {
        let keep = (self.whole().len() / 2).max(1);
        let whole = self.ranges.iter().enumerate().filter(|(_, range)| range.has_chat());
        if let Some(cut) = whole.map(|(at, _)| at).nth(keep) {
            self.ranges.truncate(cut);
            self.more = true;
        }
    }

    /// Keeps to [`SyncRequest::MAX_USERS`], of users that were read in the order of their versions and one beyond, if there are so many.
    pub fn keep_to_users(&mut self, users: &mut Vec<UserBrief>) {
        let max = usize::try_from(SyncRequest::MAX_USERS).unwrap_or(usize::MAX);
        if users.len() > max {
            users.truncate(max);
            self.users_since = users.last().map_or(self.users_since, |last| last.version);
            self.more = true;
        }
    }

    /// Keeps to its limit of messages, each of which weighs one. A range that is cut reaches up to the first message that is left out, however
    /// many changes of messages that are told elsewhere lie between.
    pub fn keep_to_limit(&mut self, ones: &Weights) {
        self.keep_to(usize::try_from(self.limit).unwrap_or(usize::MAX), ones);
    }

    /// Keeps to [`SyncRequest::MAX_BYTES`]: what comes after the first message that does not fit is left for the next answer. The
    /// first of all fits whatever its size, so that every answer leads on.
    pub fn keep_to_bytes(&mut self, bytes: &Weights) {
        self.keep_to(SyncRequest::MAX_BYTES, bytes);
    }

    /// Keeps to [`SyncRequest::MAX_LIKES`] in the same way: the first message that is liked fits whoever likes it. One whose likes were not
    /// counted, because those before it have so many, weighs more than there is room for.
    pub fn keep_to_likes(&mut self, likes: &Weights) {
        self.keep_to(SyncRequest::MAX_LIKES, likes);
    }

    fn keep_to(&mut self, max: usize, weights: &Weights) {
        let mut taken = 0_usize;
        let mut fits = |weight: usize| {
            let fits = taken == 0 || taken.saturating_add(weight) <= max;
            taken = taken.saturating_add(weight);
            fits
        };
        for (at, range) in self.ranges.iter_mut().enumerate() {
            let last = weights.last.get(&range.chat).copied().unwrap_or_default();
            if range.has_chat() && !fits(last) {
                self.ranges.truncate(at);
                self.more = true;
                return;
            }
            let messages = weights.messages.get(&range.chat).into_iter().flatten();
            // What was cut before for another reason stays cut.
            let mut messages = messages.take_while(|(version, _)| *version <= range.reached);
            if let Some((version, _)) = messages.find(|(_, weight)| !fits(*weight)) {
                // All that changed before this message is told, and not only up to the message before it.
                range.reached = Version::new(version.get() - 1);
                range.more = true;
                let told = if range.reached > range.after { at + 1 } else { at };
                self.ranges.truncate(told);
                self.more = true;
                return;
            }
        }
    }
}

/// The changes of a chat with versions in `after < version <= reached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncRange {
    /// The chat.
    pub chat: ChatId,
    /// What the client knows.
    pub after: Version,
    /// What it knows then.
    pub reached: Version,
    /// Whether the chat has changes beyond.
    pub more: bool,
}

impl SyncRange {
    /// Whether the chat itself is new to the client.
    #[must_use]
    pub fn has_chat(&self) -> bool {
        self.after.get() < 1
    }
}
