//! Ports that fail, or crash, whatever they are asked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{
    ChatId, Client, Credentials, Epoch, NewChat, NewSession, NewUser, PasswordHash, Phone, PhotoFile, PhotoId,
    PinToggle, RefreshHash, Renewal, Rotation, Session, SessionId, Timestamp, User, UserBrief, UserChange, UserId,
};
use mango_domain::ports::{
    Announcer, ChatPage, ChatSelection, Chats, CreateChatError, CreateUserError, CreatedChat, ImageError, Images,
    Media, PhotoSet, PhotoWalk, Sessions, StoredChat, UpdateUserError, UpdatedUser, Users,
};

/// How a port fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// For good.
    Broken,
    /// For a while: 1.5 seconds.
    Busy,
    /// For want of room.
    Full,
    /// By a panic.
    Crash,
}

impl Failing {
    /// The failures that a port can report, and the statuses that they give.
    pub const REPORTED: [(Self, u16); 3] = [(Self::Broken, 500), (Self::Busy, 503), (Self::Full, 507)];

    fn failure(self) -> Failure {
        match self {
            Self::Broken => Failure::broken("test", "secret cause"),
            Self::Busy => Failure::busy("test", Duration::from_millis(1500)),
            Self::Full => Failure::storage_full("test", "secret cause"),
            Self::Crash => panic!("a port crashed"),
        }
    }
}

#[async_trait]
impl Sessions for Failing {
    async fn begin(&self, _: NewSession) -> Result<bool, Failure> {
        Err(self.failure())
    }

    async fn rotate(&self, _: &RefreshHash, _: Renewal) -> Result<Rotation, Failure> {
        Err(self.failure())
    }

    async fn is_live(&self, _: SessionId, _: UserId) -> Result<bool, Failure> {
        Err(self.failure())
    }

    async fn list(&self, _: UserId, _: Timestamp, _: Timestamp) -> Result<Vec<Session>, Failure> {
        Err(self.failure())
    }

    async fn addresses(&self, _: &Phone) -> Result<Vec<IpAddr>, Failure> {
        Err(self.failure())
    }

    async fn revoke(&self, _: SessionId, _: UserId, _: Timestamp) -> Result<bool, Failure> {
        Err(self.failure())
    }

    async fn revoke_others(&self, _: UserId, _: SessionId, _: Timestamp) -> Result<Vec<SessionId>, Failure> {
        Err(self.failure())
    }

    async fn purge(&self, _: Timestamp) -> Result<u64, Failure> {
        Err(self.failure())
    }
}

#[async_trait]
impl Users for Failing {
    async fn create(&self, _: NewUser) -> Result<User, CreateUserError> {
        Err(self.failure().into())
    }

    async fn find(&self, _: UserId) -> Result<Option<User>, Failure> {
        Err(self.failure())
    }

    async fn credentials(&self, _: &Phone) -> Result<Option<Credentials>, Failure> {
        Err(self.failure())
    }

    async fn password(&self, _: UserId) -> Result<Option<PasswordHash>, Failure> {
        Err(self.failure())
    }

    async fn update(
        &self,
        _: UserId,
        _: UserChange,
        _: Timestamp,
        _: Announcer,
    ) -> Result<Option<UpdatedUser>, UpdateUserError> {
        Err(self.failure().into())
    }

    async fn rehash(&self, _: UserId, _: &PasswordHash, _: PasswordHash) -> Result<bool, Failure> {
        Err(self.failure())
    }

    async fn briefs(&self, _: &[UserId]) -> Result<Vec<UserBrief>, Failure> {
        Err(self.failure())
    }

    async fn named_photos(&self, _: &[PhotoId]) -> Result<Vec<PhotoId>, Failure> {
        Err(self.failure())
    }

    async fn seen(&self, _: UserId, _: Timestamp) -> Result<(), Failure> {
        Err(self.failure())
    }
}

#[async_trait]
impl Images for Failing {
    async fn process(&self, _: Vec<u8>, _: Client) -> Result<PhotoSet, ImageError> {
        Err(self.failure().into())
    }

    async fn check(&self, _: Vec<u8>, _: Client) -> Result<Vec<u8>, ImageError> {
        Err(self.failure().into())
    }
}

#[async_trait]
impl Media for Failing {
    async fn put(&self, _: &PhotoId, _: PhotoSet) -> Result<(), Failure> {
        Err(self.failure())
    }

    async fn remove(&self, _: &PhotoId) -> Result<(), Failure> {
        Err(self.failure())
    }

    fn path(&self, _: &PhotoId, _: PhotoFile) -> PathBuf {
        panic!("a port crashed")
    }

    async fn bind(&self, _: &Epoch) -> Result<bool, Failure> {
        Err(self.failure())
    }

    fn stored_before(&self, _: Timestamp) -> Box<dyn PhotoWalk> {
        panic!("a port crashed")
    }

    async fn remove_leftovers(&self, _: Timestamp) -> Result<u64, Failure> {
        Err(self.failure())
    }
}

/// Chats of which nobody learns more than the first page.
pub struct FirstPage(pub Arc<dyn Chats>);

#[async_trait]
impl Chats for FirstPage {
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError> {
        self.0.create(chat, announcer).await
    }

    async fn list(&self, user: UserId, selection: ChatSelection) -> Result<ChatPage, Failure> {
        match selection {
            ChatSelection::These(_) => Err(Failing::Broken.failure()),
            first => self.0.list(user, first).await,
        }
    }

    async fn find(&self, chat: ChatId, user: UserId) -> Result<Option<StoredChat>, Failure> {
        self.0.find(chat, user).await
    }

    async fn ids_of(&self, user: UserId) -> Result<Vec<ChatId>, Failure> {
        self.0.ids_of(user).await
    }

    async fn toggle_pin(
        &self,
        chat: ChatId,
        user: UserId,
        now: Timestamp,
        announcer: Announcer,
    ) -> Result<Option<PinToggle>, Failure> {
        self.0.toggle_pin(chat, user, now, announcer).await
    }
}
