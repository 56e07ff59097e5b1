//! Ports that misbehave, or let the test see what they do.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{
    ChatId, ConnectionId, LikeToggle, MessageId, MessagePage, NewChat, NewMessage, PageRequest, PinToggle, Timestamp,
    UserId,
};
use mango_domain::ports::{
    Announcer, Appended, Arrival, ChatPage, ChatSelection, Chats, CreateChatError, CreatedChat, Departure, Likes,
    Messages, Presence, StoredChat,
};
use mango_socketio::MemoryPresence;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::PATIENCE;

/// Likes that panic.
pub struct PanickingLikes;

#[async_trait]
impl Likes for PanickingLikes {
    async fn toggle(&self, _: MessageId, _: UserId, _: Timestamp, _: Announcer) -> Result<Option<LikeToggle>, Failure> {
        panic!("a test wants to see what a panic does")
    }
}

/// Where calls wait until the test lets them go on.
#[derive(Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    passes: Arc<Semaphore>,
}

impl Gate {
    pub fn closed() -> Self {
        Self { arrived: Arc::new(Semaphore::new(0)), passes: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until so many calls have come, since the last time.
    pub async fn arrivals(&self, count: u32) {
        timeout(PATIENCE, self.arrived.acquire_many(count)).await.unwrap().unwrap().forget();
    }

    /// Lets so many calls go on.
    pub fn let_through(&self, count: usize) {
        self.passes.add_permits(count);
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        self.passes.acquire().await.unwrap().forget();
    }
}

/// Messages that are appended, in their order, only when the gate lets them, like commits that take their time.
pub struct HeldMessages(pub Arc<dyn Messages>, pub Gate);

#[async_trait]
impl Messages for HeldMessages {
    async fn append(&self, message: NewMessage, announcer: Announcer) -> Result<Option<Appended>, Failure> {
        self.1.pass().await;
        self.0.append(message, announcer).await
    }

    async fn page(&self, chat: ChatId, reader: UserId, page: PageRequest) -> Result<Option<MessagePage>, Failure> {
        self.0.page(chat, reader, page).await
    }
}

/// Chats whose ids are read at once and given only when the gate lets them.
pub struct HeldChats(pub Arc<dyn Chats>, pub Gate);

#[async_trait]
impl Chats for HeldChats {
    async fn create(&self, chat: NewChat, announcer: Announcer) -> Result<CreatedChat, CreateChatError> {
        self.0.create(chat, announcer).await
    }

    async fn list(&self, user: UserId, selection: ChatSelection) -> Result<ChatPage, Failure> {
        self.0.list(user, selection).await
    }

    async fn find(&self, chat: ChatId, user: UserId) -> Result<Option<StoredChat>, Failure> {
        self.0.find(chat, user).await
    }

    async fn ids_of(&self, user: UserId) -> Result<Vec<ChatId>, Failure> {
        let ids = self.0.ids_of(user).await;
        self.1.pass().await;
        ids
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

/// The real presence, which tells who has gone.
pub struct WatchedPresence {
    inner: MemoryPresence,
    departures: mpsc::UnboundedSender<(UserId, Departure)>,
}

impl WatchedPresence {
    pub fn new(inner: MemoryPresence) -> (Self, mpsc::UnboundedReceiver<(UserId, Departure)>) {
        let (departures, watch) = mpsc::unbounded_channel();
        (Self { inner, departures }, watch)
    }
}

#[async_trait]
impl Presence for WatchedPresence {
    async fn arrive(&self, user: UserId, connection: &ConnectionId) -> Result<Arrival, Failure> {
        self.inner.arrive(user, connection).await
    }

    async fn depart(&self, user: UserId, connection: &ConnectionId) -> Result<Departure, Failure> {
        let departure = self.inner.depart(user, connection).await?;
        // A test that does not look has dropped the other end by now.
        let _ = self.departures.send((user, departure));
        Ok(departure)
    }

    async fn online(&self, asked: &[UserId]) -> Result<HashSet<UserId>, Failure> {
        self.inner.online(asked).await
    }
}
