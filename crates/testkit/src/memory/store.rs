//! The state that the store ports share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mango_domain::Failure;
use mango_domain::model::{
    AuditEntry, ChatId, ChatRecord, DirectPair, Message, MessageId, PasswordHash, PostedMessage, ProfileVersion,
    RefreshHash, Session, SessionId, Timestamp, User, UserBrief, UserId, Version,
};

use crate::Stores;

/// Users, sessions, chats, messages and likes in memory. One lock makes every operation atomic.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    /// Held from before a change of a chat until it is published, so that both come in the same order.
    turn: tokio::sync::Mutex<()>,
}

impl MemoryStore {
    /// The store as its seven ports.
    #[must_use]
    pub fn stores(this: &Arc<Self>) -> Stores {
        Stores {
            users: this.clone(),
            sessions: this.clone(),
            chats: this.clone(),
            messages: this.clone(),
            likes: this.clone(),
            changes: this.clone(),
            audit: this.clone(),
        }
    }

    /// Makes the next call of the operation, such as `append message`, fail as if the database had gone away. It changes nothing
    /// then.
    pub fn fail_next(&self, operation: &'static str) {
        self.lock().failing = Some(operation);
    }

    /// Makes the next call of `create user` or `update user` do its work and then fail, as if the database had gone away before it
    /// could say so.
    pub fn lose_next_answer(&self, operation: &'static str) {
        self.lock().losing = Some(operation);
    }

    /// Waits for the changes of chats that came before.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The state, for an operation that is not to fail this time.
    pub(super) fn enter(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, Failure> {
        let mut state = self.lock();
        match state.failing.take_if(|failing| *failing == operation) {
            Some(_) => Err(Failure::broken(operation, "the test makes it fail")),
            None => Ok(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    failing: Option<&'static str>,
    losing: Option<&'static str>,
    pub last_id: i64,
    pub users: BTreeMap<UserId, Account>,
    /// The last change of any user's name or photo.
    pub last_profile: i64,
    pub sessions: BTreeMap<SessionId, Login>,
    pub tokens: HashMap<RefreshHash, Token>,
    pub chats: BTreeMap<ChatId, Room>,
    pub direct: HashMap<DirectPair, ChatId>,
    pub places: HashMap<MessageId, Place>,
    /// In the order in which they were added.
    pub audit: Vec<AuditEntry>,
}

#[derive(Debug)]
pub(super) struct Account {
    pub user: User,
    pub password: PasswordHash,
    /// Their last change of name or photo.
    pub version: ProfileVersion,
}

impl Account {
    /// What others see.
    pub fn brief(&self) -> UserBrief {
        let user = &self.user;
        UserBrief { id: user.id, name: user.name.clone(), photo: user.photo.clone(), version: self.version }
    }
}

#[derive(Debug)]
pub(super) struct Login {
    pub user: UserId,
    pub live: bool,
    pub session: Session,
}

#[derive(Debug)]
pub(super) struct Token {
    pub session: SessionId,
    pub standing: Standing,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Base,
    Successor,
    Retired,
}

#[derive(Debug)]
pub(super) struct Room {
    pub record: ChatRecord,
    pub members: BTreeSet<UserId>,
    pub pins: BTreeSet<UserId>,
    /// In order of seq, which is the place in this list counted from one.
    pub messages: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub message: Message,
    pub likes: BTreeSet<UserId>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub chat: ChatId,
    pub index: usize,
}

impl Room {
    /// Takes the next version.
    pub fn change(&mut self) -> Version {
        self.record.version = Version::new(self.record.version.get() + 1);
        self.record.version
    }
}

impl State {
    /// What the operation answers, unless that gets lost.
    pub fn answer<T>(&mut self, operation: &'static str, answer: T) -> Result<T, Failure> {
        match self.losing.take_if(|losing| *losing == operation) {
            Some(_) => Err(Failure::busy(operation, Duration::from_secs(1))),
            None => Ok(answer),
        }
    }

    /// A number that nothing else has. Ids of different kinds never coincide, which exposes code that mixes them up.
    pub fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// A chat, for a member.
    pub fn room(&self, chat: ChatId, member: UserId) -> Option<&Room> {
        self.chats.get(&chat).filter(|room| room.members.contains(&member))
    }

    /// A chat to change, for a member.
    pub fn room_mut(&mut self, chat: ChatId, member: UserId) -> Option<&mut Room> {
        self.chats.get_mut(&chat).filter(|room| room.members.contains(&member))
    }

    /// What others see of those of the users that exist, in order of id.
    pub fn briefs(&self, ids: &BTreeSet<UserId>) -> Vec<UserBrief> {
        let known = ids.iter().filter_map(|id| self.users.get(id));
        known.map(Account::brief).collect()
    }

    /// A message with its likes.
    pub fn posted(&self, entry: &Entry) -> PostedMessage {
        PostedMessage { message: entry.message.clone(), likes: self.briefs(&entry.likes) }
    }
}
