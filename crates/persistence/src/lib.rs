//! The database of Mango: the stores of users, sessions, chats, messages and likes, on PostgreSQL or on SQLite.
//!
//! [`Database`] is all that is seen from outside. Behind it there is one repository, whose source is compiled twice: as
//! a module of `postgres` and as a module of `sqlite`, which supply the type of a connection, the schema, and the few things that
//! cannot be said alike. Changes of chats are committed in groups (`writers`).

mod error;
mod live;
mod migrations;
mod pool;
mod postgres;
mod schema;
mod sqlite;
mod url;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Epoch, Timestamp};
use mango_domain::ports::{Audit, Changes, Chats, Likes, Messages, Sessions, Users};
use thiserror::Error;

use self::migrations::Direction;
use self::url::Address;

pub use self::migrations::MigrationStatus;
pub use self::pool::{Options, PoolStatus};
pub use self::url::{DatabaseUrl, DatabaseUrlError};

/// Why something that needs the database could not be begun.
type Reason = Box<dyn std::error::Error + Send + Sync>;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Database {
    url: DatabaseUrl,
    store: Arc<dyn Store>,
}

/// The database cannot be opened. The text is one line and shows no password.
#[derive(Debug, Error)]
#[error("cannot open the database {url}: {reason}")]
pub struct ConnectError {
    url: DatabaseUrl,
    reason: String,
}

/// The database cannot be migrated. The text is one line and shows no password.
#[derive(Debug, Error)]
#[error("cannot migrate the database {url}: {reason}")]
pub struct MigrateError {
    url: DatabaseUrl,
    reason: String,
}

/// The right to be the only process that serves a database, until it is dropped.
#[must_use]
pub struct Claim {
    _postgres: Option<postgres::claim::Claim>,
}

/// The database cannot be asked whether it is served already. The text is one line and shows no password.
#[derive(Debug, Error)]
#[error("cannot claim the database {url}: {reason}")]
pub struct ClaimError {
    url: DatabaseUrl,
    reason: String,
}

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The version of PostgreSQL or SQLite, such as `17.5`.
    pub version: String,
    /// The time by the database's clock; SQLite has that of this machine.
    pub now: Timestamp,
    /// Whether the user may create tables, as every start does that finds them missing.
    pub may_create: bool,
}

/// What stands behind a [`Database`], of either kind.
#[async_trait]
trait Store: Users + Sessions + Chats + Messages + Likes + Changes + Audit {
    async fn ping(&self) -> Result<(), Failure>;
    async fn facts(&self) -> Result<Facts, Failure>;
    async fn applied_migrations(&self) -> Result<Vec<String>, Failure>;
    async fn has_users(&self) -> Result<bool, Failure>;
    async fn rename_epoch(&self, name: Epoch) -> Result<(), Failure>;
    async fn end_sessions(&self, now: Timestamp) -> Result<u64, Failure>;
    fn pool_status(&self) -> Vec<PoolStatus>;
    async fn close(&self);
}

impl Database {
    /// Opens a database and sees that it answers. It is not migrated yet. Operations run on the tokio runtime that this is called
    /// on, from wherever they are called, so it has to outlive the database.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the login; the file cannot be opened or created.
    pub async fn connect(url: &DatabaseUrl, options: Options) -> Result<Self, ConnectError> {
        let opened: Result<Arc<dyn Store>, Reason> = match &url.0 {
            Address::Postgres(url) => postgres::connect(url, &options).await.map(shared),
            Address::Sqlite(path) => sqlite::connect(path, &options).await.map(shared),
        };
        match opened {
            Ok(store) => Ok(Self { url: url.clone(), store }),
            Err(reason) => Err(ConnectError { url: url.clone(), reason: one_line(&reason) }),
        }
    }

    /// Applies the migrations that the database lacks, and gives their versions. Of several nodes that do so at once one works
    /// and the others wait for it.
    ///
    /// # Errors
    /// The database cannot be reached, has migrations of a newer version, or a migration fails.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.migrations(Direction::Up).await
    }

    /// Undoes the newest migration, and gives its version; nothing when none is applied.
    ///
    /// # Errors
    /// The database cannot be reached, has migrations of a newer version, or the migration fails.
    pub async fn revert_last_migration(&self) -> Result<Option<String>, MigrateError> {
        self.migrations(Direction::Down).await.map(|mut versions| versions.pop())
    }

    async fn migrations(&self, direction: Direction) -> Result<Vec<String>, MigrateError> {
        let migrated = migrations::migrate(&self.url, direction).await;
        migrated.map_err(|reason| MigrateError { url: self.url.clone(), reason: one_line(&reason) })
    }

    /// Claims the database for a process that serves it, and waits that long for another one to let go of it; `None` when that one does
    /// not. Nothing but another claim is kept off. The claim outlives the connection: when that is lost, it is taken again as soon as
    /// the database can be reached. An SQLite database has no such claims: whoever serves it locks a file.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn claim(&self, wait: Duration) -> Result<Option<Claim>, ClaimError> {
        let claimed = match &self.url.0 {
            Address::Postgres(url) => postgres::claim::take(url, wait).await,
            Address::Sqlite(_) => return Ok(Some(Claim { _postgres: None })),
        };
        let claimed = claimed.map_err(|reason| ClaimError { url: self.url.clone(), reason: one_line(&reason) })?;
        Ok(claimed.map(|claim| Claim { _postgres: Some(claim) }))
    }

    /// Which migrations the database has, lacks, and has beyond what this binary knows.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn migration_status(&self) -> Result<MigrationStatus, Failure> {
        let applied = self.store.applied_migrations().await?;
        MigrationStatus::of(&self.url, applied).map_err(|error| Failure::broken("list migrations", error))
    }

    /// Whether anybody has ever signed up.
    ///
    /// # Errors
    /// The database cannot be reached, or is not migrated.
    pub async fn has_users(&self) -> Result<bool, Failure> {
        self.store.has_users().await
    }

    /// Gives the database another epoch, for which every client begins anew. Not while it is served: an epoch that has been read is kept for
    /// as long as the database is open.
    ///
    /// # Errors
    /// The database cannot be reached, or is not migrated.
    pub async fn rename_epoch(&self, name: Epoch) -> Result<(), Failure> {
        self.store.rename_epoch(name).await
    }

    /// Ends the sessions of all users; how many there were. Not while it is served: their sockets would stay.
    ///
    /// # Errors
    /// The database cannot be reached, or is not migrated.
    pub async fn end_sessions(&self, now: Timestamp) -> Result<u64, Failure> {
        self.store.end_sessions(now).await
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// There is none.
    pub async fn ping(&self) -> Result<(), Failure> {
        self.store.ping().await
    }

    /// Asks the database for its version and its time.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn facts(&self) -> Result<Facts, Failure> {
        self.store.facts().await
    }

    /// How full the two pools of connections are.
    #[must_use]
    pub fn pool_status(&self) -> Vec<PoolStatus> {
        self.store.pool_status()
    }

    /// Where the database is.
    #[must_use]
    pub const fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The store of users.
    #[must_use]
    pub fn users(&self) -> Arc<dyn Users> {
        self.store.clone()
    }

    /// The store of sessions.
    #[must_use]
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        self.store.clone()
    }

    /// The store of chats.
    #[must_use]
    pub fn chats(&self) -> Arc<dyn Chats> {
        self.store.clone()
    }

    /// The store of messages.
    #[must_use]
    pub fn messages(&self) -> Arc<dyn Messages> {
        self.store.clone()
    }

    /// The store of likes.
    #[must_use]
    pub fn likes(&self) -> Arc<dyn Likes> {
        self.store.clone()
    }

    /// The store of what changed since when.
    #[must_use]
    pub fn changes(&self) -> Arc<dyn Changes> {
        self.store.clone()
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> Arc<dyn Audit> {
        self.store.clone()
    }

    /// Commits and publishes the changes that wait, then closes the connections. Every operation from now on fails as busy.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// What databases say on several lines, such as a detail and a hint.
fn one_line(reason: &Reason) -> String {
    reason.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn shared(store: impl Store + 'static) -> Arc<dyn Store> {
    Arc::new(store)
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("url", &self.url).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}
