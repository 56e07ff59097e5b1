//! The seven store ports together, as a test holds them.

use std::sync::Arc;

use mango_domain::ports::{Audit, Changes, Chats, Likes, Messages, Sessions, Users};

/// One backend's adapters of the store ports, all over the same data.
#[derive(Clone)]
pub struct Stores {
    /// The users.
    pub users: Arc<dyn Users>,
    /// Their sessions.
    pub sessions: Arc<dyn Sessions>,
    /// The chats, members and pins.
    pub chats: Arc<dyn Chats>,
    /// The messages.
    pub messages: Arc<dyn Messages>,
    /// The likes.
    pub likes: Arc<dyn Likes>,
    /// What changed since when.
    pub changes: Arc<dyn Changes>,
    /// What happened to accounts.
    pub audit: Arc<dyn Audit>,
}

/// Holds a fresh, empty backend for one test, with whatever must live as long as the test: a folder, a database, a pool.
pub trait StoreFixture {
    /// The adapters to test.
    fn stores(&self) -> Stores;
}

impl StoreFixture for Stores {
    fn stores(&self) -> Stores {
        self.clone()
    }
}
