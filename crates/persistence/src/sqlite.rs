//! SQLite: its connections, and what of the repository cannot be written once for both databases.

mod append;

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, QueryResult, SqliteConnection};
use diesel_async::pooled_connection::SetupCallback;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use crate::Reason;
use crate::error::{Fault, is_busy};
use crate::live::LiveSessions;
use crate::pool::{self, Options, PoolStatus};
use crate::writers::{Commit, Writers};

pub(crate) use repository::Repository;

/// A connection, whose queries run on tokio's threads for blocking work.
pub(crate) type Conn = SyncConnectionWrapper<SqliteConnection>;

crate::schema::schema!(TimestamptzSqlite);

/// Locks nothing: who writes has the whole database.
macro_rules! locking {
    ($query:expr) => {
        $query
    };
}

/// Locks nothing either.
macro_rules! locking_out {
    ($query:expr) => {
        $query
    };
}

#[expect(clippy::duplicate_mod, reason = "one repository source, compiled once for each database")]
#[path = "repository/mod.rs"]
mod repository;

/// How many ids fit in one query. Each is a parameter, of which SQLite takes 32,766 by default.
const IDS_PER_QUERY: usize = 30_000;

/// Whether Diesel's table of applied migrations is there.
const HAS_MIGRATIONS: &str = "EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations')";

/// The version of the library and the milliseconds of the clock since 1970.
const VERSION: &str = "sqlite_version()";
const NOW_MILLIS: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

/// Whoever can open the file can do anything with it; whether it can be written is seen when it is opened.
const MAY_CREATE: &str = "TRUE";

/// With one writer nobody needs to know the id of a chat beforehand.
const NEXT_CHAT_ID: Option<&str> = None;

/// Readers and the writer do not wait for each other (WAL), a commit is on the disk when it returns (FULL), and who finds the
/// file locked by another process waits for it. The time-out comes first, since changing the journal mode needs a lock too.
const WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                      PRAGMA foreign_keys = ON;";

/// A reader cannot write by mistake.
const READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// Opens one connection that writes and a pool of those that read. Creates the file, for its owner alone, but not its folder.
pub(crate) async fn connect(path: &Path, options: &Options) -> Result<Repository, Reason> {
    create(path)?;
    let file = std::path::absolute(path)?;
    let file = file.to_str().ok_or("the path is not UTF-8")?;
    let write = pool::build(file, 1, options, opening(WRITER))?;
    let read = pool::build(file, options.max_connections, options, opening(READER))?;
    pool::check(&write).await?;
    pool::check(&read).await?;
    let operation_timeout = options.operation_timeout;
    let committer: Arc<dyn Commit> = Arc::new(repository::Committer { pool: write.clone(), operation_timeout });
    let writers = Writers::start(&committer, 1, options.change_queue);
    let (commit, runtime, epoch) = (write.clone(), Handle::current(), OnceCell::new());
    Ok(Repository { read, write, commit, runtime, operation_timeout, writers, live: LiveSessions::default(), epoch })
}

fn create(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Opens connections and sets them up, on the runtime that opens the database: a connection runs its queries on the threads of the
/// runtime that it was opened on, and that of a caller may end while others use the connection.
fn opening(setup: &'static str) -> SetupCallback<Conn> {
    let runtime = Handle::current();
    Box::new(move |file| {
        let file = file.to_owned();
        let opening = runtime.spawn(async move {
            let mut conn = Conn::establish(&file).await?;
            set_up(&mut conn, setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        });
        async { opening.await.map_err(|error| ConnectionError::BadConnection(error.to_string()))? }.boxed()
    })
}

/// Sets a connection up, again while others hold the file. SQLite does not wait out its `busy_timeout` when two connections want
/// to change the journal mode of a new file at once, since each would wait for the other: it refuses one of them at once.
async fn set_up(conn: &mut Conn, setup: &str) -> QueryResult<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(10);
    let began = Instant::now();
    loop {
        match conn.batch_execute(setup).await {
            Err(error) if is_busy(&error) && began.elapsed() < PATIENCE => sleep(PAUSE).await,
            done => return done,
        }
    }
}

/// Runs `work` in a task, and waits for it no longer than the limit. A query on a thread cannot be cut off, so the work goes on
/// to its end and keeps its connection until then.
async fn bounded<R, F>(mut conn: Object<Conn>, limit: Duration, runtime: &Handle, work: F) -> Result<R, Fault>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    R: Send + 'static,
{
    let working = runtime.spawn(async move { work(&mut conn).await });
    match timeout(limit, working).await {
        Ok(done) => Ok(done??),
        Err(_) => Err(Fault::TimedOut(limit)),
    }
}

/// The same for a caller who waits for it.
async fn bounded_here<R, F>(conn: Object<Conn>, limit: Duration, work: F) -> Result<R, Fault>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    R: Send + 'static,
{
    bounded(conn, limit, &Handle::current(), work).await
}

/// Runs `work` in a transaction that has the write lock from its start, and is rolled back when it fails.
async fn transaction<R, F>(conn: &mut Conn, work: F) -> QueryResult<R>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
    R: Send,
{
    conn.immediate_transaction(async move |conn| work(conn).await).await
}

/// Runs `work`, which only reads, over the database as it is at the first query: a transaction that has no lock to write.
async fn snapshot<R, F>(conn: &mut Conn, work: F) -> QueryResult<R>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
    R: Send,
{
    conn.transaction(async move |conn| work(conn).await).await
}

fn pool_status(repository: &Repository) -> Vec<PoolStatus> {
    vec![PoolStatus::of("read", &repository.read), PoolStatus::of("write", &repository.write)]
}

#[cfg(test)]
mod tests {
    use diesel::dsl::sql;
    use diesel::sql_types::{BigInt, Text};
    use diesel_async::RunQueryDsl;
    use diesel_async::pooled_connection::deadpool::Pool;

    use super::*;

    async fn pragma(pool: &Pool<Conn>, name: &str) -> i64 {
        let setting = sql::<BigInt>(&format!("* FROM pragma_{name}"));
        diesel::select(setting).get_result(&mut pool.get().await.unwrap()).await.unwrap()
    }

    /// What keeps the promises of durability and integrity is set on the connections of the pools themselves.
    #[tokio::test]
    async fn connections_are_durable_and_strict() {
        let folder = tempfile::tempdir().unwrap();
        let repository = connect(&folder.path().join("mango.db"), &Options::default()).await.unwrap();
        for pool in [&repository.read, &repository.write] {
            let mode = diesel::select(sql::<Text>("* FROM pragma_journal_mode"));
            let mode: String = mode.get_result(&mut pool.get().await.unwrap()).await.unwrap();
            assert_eq!(mode, "wal");
            assert!(pragma(pool, "busy_timeout").await > 0);
        }
        assert_eq!(pragma(&repository.write, "synchronous").await, 2, "FULL");
        assert_eq!(pragma(&repository.write, "foreign_keys").await, 1);
        assert_eq!(pragma(&repository.write, "query_only").await, 0);
        assert_eq!(pragma(&repository.read, "query_only").await, 1);
    }

    /// Connections that open a new file at the same instant do not refuse each other: each wants to be the one that turns the
    /// write-ahead log on.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn connections_that_open_a_new_file_at_once_wait_for_each_other() {
        for _ in 0..100 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mango.db");
            let opened = (0..8).map(|_| {
                let path = path.clone();
                tokio::spawn(async move {
                    connect(&path, &Options::default()).await.map(drop).map_err(|error| error.to_string())
                })
            });
            for opening in opened.collect::<Vec<_>>() {
                assert_eq!(opening.await.unwrap(), Ok(()));
            }
        }
    }
}
