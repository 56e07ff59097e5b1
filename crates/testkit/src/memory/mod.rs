//! Every port in memory: exact, fast, and without secrets worth keeping.
//!
//! [`MemoryStore`] has the seven store ports over one state and passes the contract suite. The other ports are fakes that a
//! test can look into: a clock that is set, events that are recorded, files in a folder of their own.

mod audit;
mod changes;
mod chats;
mod clock;
mod events;
mod images;
mod likes;
mod media;
mod messages;
mod passwords;
mod presence;
mod random;
mod rates;
mod sessions;
mod store;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use mango_domain::usecases::{Policy, Ports, UseCases};

use crate::Stores;
use crate::build::moment;

pub use clock::FixedClock;
pub use events::RecordedEvents;
pub use images::{FakeImages, picture};
pub use media::TempMedia;
pub use passwords::PlainPasswords;
pub use presence::MemoryPresence;
pub use random::SeededRandom;
pub use rates::FixedRates;
pub use store::MemoryStore;
pub use tokens::PlainTokens;

/// All ports together, each as what it is, so that a test can arrange and look.
pub struct Memory {
    /// The seven store ports.
    pub store: Arc<MemoryStore>,
    /// Who is connected.
    pub presence: Arc<MemoryPresence>,
    /// What was published.
    pub events: Arc<RecordedEvents>,
    /// Where the files of photos lie.
    pub media: Arc<TempMedia>,
    /// The time, which starts at the beginning of the tests' day.
    pub clock: Arc<FixedClock>,
    /// Access and refresh tokens.
    pub tokens: Arc<PlainTokens>,
    /// How often one may do what; without limits at first.
    pub rates: Arc<FixedRates>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// The rules of tests: access for 15 minutes, refresh for 30 days, 64 KiB of content, an audit log of 90 days, new passwords without
    /// the current one.
    pub const POLICY: Policy = Policy {
        access_ttl: Duration::from_secs(15 * 60),
        refresh_ttl: Duration::from_secs(30 * 24 * 60 * 60),
        max_content: 64 * 1024,
        audit_retention: Duration::from_secs(90 * 24 * 60 * 60),
        require_current_password: false,
    };

    /// Empty stores and fresh fakes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            presence: Arc::new(MemoryPresence::default()),
            events: Arc::new(RecordedEvents::default()),
            media: Arc::new(TempMedia::new()),
            clock: Arc::new(FixedClock::new(moment(0))),
            tokens: Arc::new(PlainTokens::new(1)),
            rates: Arc::new(FixedRates::default()),
        }
    }

    /// The ports, for wiring. Fields can be replaced by others, such as a real adapter that is under test.
    #[must_use]
    pub fn ports(&self) -> Ports {
        let Stores { users, sessions, chats, messages, likes, changes, audit } = self.stores();
        Ports {
            users,
            sessions,
            chats,
            messages,
            likes,
            changes,
            audit,
            passwords: Arc::new(PlainPasswords),
            tokens: self.tokens.clone(),
            images: Arc::new(FakeImages),
            media: self.media.clone(),
            events: self.events.clone(),
            presence: self.presence.clone(),
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
            rates: self.rates.clone(),
        }
    }

    /// The store ports alone.
    #[must_use]
    pub fn stores(&self) -> Stores {
        MemoryStore::stores(&self.store)
    }

    /// Every use case over these ports, under [`POLICY`](Self::POLICY).
    #[must_use]
    pub fn use_cases(&self) -> UseCases {
        UseCases::new(self.ports(), Self::POLICY)
    }
}
