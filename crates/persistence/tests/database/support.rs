//! Fresh databases for tests, and a second way into them.

use std::future::Future;
use std::pin::Pin;

use diesel::connection::SimpleConnection;
use diesel::{Connection, QueryResult, SqliteConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use mango_domain::model::NewMessage;
use mango_domain::ports::Appended;
use mango_domain::{Failure, FailureKind};
use mango_persistence::{Database, DatabaseUrl, Options};
use mango_testkit::build::unheard;
use mango_testkit::{PrivatePostgres, StoreFixture, Stores};
use tempfile::TempDir;

/// Makes of each function, generic over its backend, a test in the module `sqlite` and one in the module `postgres`.
macro_rules! on_both {
    ($($case:ident)*) => {
        on_both!(@ sqlite, Sqlite: $($case)*);
        on_both!(@ postgres, Postgres: $($case)*);
    };
    (@ $module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case::<crate::support::$backend>().await;
                }
            )*
        }
    };
}

/// A fresh database of either kind.
pub trait Backend: Sized {
    /// One that is migrated.
    fn with(options: Options) -> impl Future<Output = Self> + Send;
    /// What it is opened by.
    fn database(&self) -> &Database;
    /// Another connection to it, past Mango.
    fn outsider(&self) -> impl Future<Output = Outsider> + Send;
}

/// A SQLite database in a temporary folder.
pub struct Sqlite {
    database: Database,
    _folder: TempDir,
}

impl Sqlite {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }
}

impl Backend for Sqlite {
    async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&DatabaseUrl::sqlite(folder.path().join("mango.db")), options).await;
        Self { database, _folder: folder }
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn outsider(&self) -> Outsider {
        let file = self.database.url().file().unwrap().to_str().unwrap();
        let mut conn = SqliteConnection::establish(file).unwrap();
        conn.batch_execute("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000").unwrap();
        Outsider::Sqlite(conn)
    }
}

impl StoreFixture for Sqlite {
    fn stores(&self) -> Stores {
        stores(&self.database)
    }
}

/// A database on the test process's own PostgreSQL server.
pub struct Postgres {
    database: Database,
}

impl Postgres {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }
}

impl Backend for Postgres {
    async fn with(options: Options) -> Self {
        let url = PrivatePostgres::shared().url_for_new_database();
        Self { database: open(&url.parse().unwrap(), options).await }
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn outsider(&self) -> Outsider {
        // These URLs have no password, so that they are shown whole.
        Outsider::Postgres(Box::new(AsyncPgConnection::establish(&self.database.url().to_string()).await.unwrap()))
    }
}

impl StoreFixture for Postgres {
    fn stores(&self) -> Stores {
        stores(&self.database)
    }
}

/// A connection that Mango knows nothing of.
pub enum Outsider {
    Sqlite(SqliteConnection),
    Postgres(Box<AsyncPgConnection>),
}

impl Outsider {
    /// Runs statements.
    pub async fn run(&mut self, sql: &str) -> QueryResult<()> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(sql),
            Self::Postgres(conn) => conn.batch_execute(sql).await,
        }
    }

    /// Keeps everybody else from writing, until [`release`](Self::release).
    pub async fn lock(&mut self) {
        let sql = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN; LOCK TABLE users, chats IN EXCLUSIVE MODE",
        };
        self.run(sql).await.unwrap();
    }

    pub async fn release(&mut self) {
        self.run("ROLLBACK").await.unwrap();
    }
}

/// Opens and migrates a database.
pub async fn open(url: &DatabaseUrl, options: Options) -> Database {
    let database = Database::connect(url, options).await.unwrap();
    database.migrate().await.unwrap();
    database
}

/// All stores of a database.
pub fn stores(database: &Database) -> Stores {
    Stores {
        users: database.users(),
        sessions: database.sessions(),
        chats: database.chats(),
        messages: database.messages(),
        likes: database.likes(),
        changes: database.changes(),
        audit: database.audit(),
    }
}

/// Waits until this many connections that can write are in use.
pub async fn until_writing(database: &Database, connections: usize) {
    let in_use = || {
        let pools = database.pool_status().into_iter().filter(|pool| pool.pool != "read");
        pools.map(|pool| pool.open - pool.idle).sum::<usize>()
    };
    while in_use() != connections {
        tokio::task::yield_now().await;
    }
}

/// A message on its way.
pub type Appending = Pin<Box<dyn Future<Output = Result<Option<Appended>, Failure>> + Send>>;

/// Puts a message into the queue, and gives what waits for it to be committed.
pub async fn queue(stores: &Stores, message: NewMessage) -> Appending {
    let stores = stores.clone();
    let mut appending: Appending = Box::pin(async move { stores.messages.append(message, unheard()).await });
    assert!(futures_util::poll!(&mut appending).is_pending(), "nothing keeps it from being committed");
    appending
}

/// Whether the caller is told to come again later.
pub fn is_busy(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Busy { .. })
}
