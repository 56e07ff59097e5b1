//! PostgreSQL: its connections, and what of the repository cannot be written once for both databases.

mod append;
mod append_one;
pub(crate) mod claim;
mod sent_before;
mod tls;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;
use url::Url;

use crate::Reason;
use crate::error::Fault;
use crate::live::LiveSessions;
use crate::pool::{self, Options, PoolStatus};
use crate::writers::{Commit, Writers};

pub(crate) use repository::Repository;

/// A connection.
pub(crate) type Conn = AsyncPgConnection;

crate::schema::schema!(Timestamptz);

/// Locks the rows of a query until the transaction ends, against all but what refers to them by a foreign key.
macro_rules! locking {
    ($query:expr) => {
        $query.for_no_key_update()
    };
}

/// Locks the rows of a query against everything, also against what refers to them by a foreign key.
macro_rules! locking_out {
    ($query:expr) => {
        $query.for_update()
    };
}

#[expect(clippy::duplicate_mod, reason = "one repository source, compiled once for each database")]
#[path = "repository/mod.rs"]
mod repository;

/// How many ids fit in one query: they travel as one array.
const IDS_PER_QUERY: usize = usize::MAX;

/// Whether Diesel's table of applied migrations is there.
const HAS_MIGRATIONS: &str = "to_regclass('__diesel_schema_migrations') IS NOT NULL";

/// The version of the server and the milliseconds of its clock since 1970.
const VERSION: &str = "split_part(current_setting('server_version'), ' ', 1)";
const NOW_MILLIS: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Whether the user may create tables where they would be created. There is no such schema when the user may look into none.
const MAY_CREATE: &str = "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// The id of a chat to be.
const NEXT_CHAT_ID: Option<&str> = Some("nextval(pg_get_serial_sequence('chats', 'id'))");

/// How long a server may be silent before the operating system asks whether it is still there. The default of two hours would
/// keep operations waiting that long for a server that was unplugged.
const SILENCE: Duration = Duration::from_secs(30);

/// The statements of a writer are planned once, since planning one takes as long as running it, and find their rows by an index. A
/// plan that was made while a table was small, and that reads it whole, would be kept while it grows.
const WRITER: &str = " SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;";

/// Opens the pools and sees that the server answers.
pub(crate) async fn connect(url: &Url, options: &Options) -> Result<Repository, Reason> {
    let runtime = Handle::current();
    let build = |max, more: &str| {
        let opener = Opener {
            setup: (setup(options.operation_timeout) + more).into(),
            timeout: options.connect_timeout,
            runtime: runtime.clone(),
        };
        pool::build(url.as_str(), max, options, Box::new(move |url| opener.clone().establish(url.to_owned()).boxed()))
    };
    let general = build(options.max_connections, "")?;
    pool::check(&general).await?;
    check_encoding(&general, url).await?;
    // Who reads shall not keep those from committing who write: however many wait for slow answers, a writer has its connection.
    let commit = build(options.writers, WRITER)?;
    pool::check(&commit).await?;
    let operation_timeout = options.operation_timeout;
    let committer: Arc<dyn Commit> = Arc::new(repository::Committer { pool: commit.clone(), operation_timeout });
    let writers = Writers::start(&committer, options.writers.max(1), options.change_queue);
    let (read, write, epoch) = (general.clone(), general, OnceCell::new());
    Ok(Repository { read, write, commit, runtime, operation_timeout, writers, live: LiveSessions::default(), epoch })
}

/// Sees that a database holds every character. One with another encoding than UTF-8 refuses some, and counts others as several.
async fn check_encoding(pool: &Pool<Conn>, url: &Url) -> Result<(), Reason> {
    let mut conn = pool.get().await?;
    let encoding = sql::<Text>("SELECT current_setting('server_encoding')").get_result::<String>(&mut *conn).await?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let (config, _) = tls::of(url.as_str()).await?;
    let (user, name) = names(&config);
    let create = format!("sudo -u postgres createdb --owner {user} --encoding UTF8 --template template0 {name}");
    Err(format!("its encoding is {encoding} and has to be UTF8; create it anew on its server with: {create}").into())
}

/// A query that takes too long is given up by the server, a little before its caller gives up the connection with it. And a
/// client that hangs must not keep its locks. No query is so long that compiling it first would pay.
fn setup(operation_timeout: Duration) -> String {
    // Zero would mean no limit, and the server takes no more than 31 bits.
    let millis = (operation_timeout * 9 / 10).as_millis().clamp(1, 1 << 30);
    format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}; SET jit = off;")
}

/// Opens connections for the pool.
#[derive(Clone)]
struct Opener {
    /// What is said on each first.
    setup: Arc<str>,
    /// How long opening one may take.
    timeout: Duration,
    /// Where they are driven: on the runtime that opened the database, since that of a caller may end sooner.
    runtime: Handle,
}

impl Opener {
    /// The pool has a time-out too, but it cannot end the task, which would wait for a server that hangs.
    async fn establish(self, url: String) -> ConnectionResult<Conn> {
        let opening = self.runtime.spawn(async move {
            let opened = async {
                let mut conn = open(&url).await?;
                conn.batch_execute(&self.setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(conn)
            };
            timeout(self.timeout, opened).await
        });
        match opening.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(ConnectionError::BadConnection("it does not answer in time".to_owned())),
            Err(error) => Err(ConnectionError::BadConnection(error.to_string())),
        }
    }
}

/// Opens a connection. Not Diesel's own way, which would leave out why a server cannot be reached, and would not encrypt.
pub(crate) async fn open(url: &str) -> ConnectionResult<Conn> {
    let bad = |reason: &dyn Error| ConnectionError::BadConnection(with_causes(reason));
    let (mut config, tls) = tls::of(url).await.map_err(|reason| bad(&*reason))?;
    if config.get_application_name().is_none() {
        config.application_name("mango");
    }
    if !url.contains("keepalives") {
        config.keepalives_idle(SILENCE);
    }
    let connected = config.connect(tls).await;
    let (client, connection) =
        connected.map_err(|error| ConnectionError::BadConnection(with_causes(&error) + &hint(&error, &config)))?;
    Conn::try_from_client_and_connection(client, connection).await
}

/// What to do about what a server said, where that is not plain.
fn hint(error: &tokio_postgres::Error, config: &Config) -> String {
    let code = error.code();
    if code == Some(&SqlState::INVALID_CATALOG_NAME) {
        let (user, name) = names(config);
        format!(
            "; create it on its server with: sudo -u postgres createdb --owner {user} --encoding UTF8 --template template0 {name}"
        )
    } else if code == Some(&SqlState::INVALID_PASSWORD) {
        "; check the password in DATABASE_URL, where @ / ? # and % are written as %40 %2F %3F %23 and %25".to_owned()
    } else if code == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) {
        "; check the user in DATABASE_URL, and that the server's pg_hba.conf lets it in".to_owned()
    } else if error.source().is_some_and(|source| source.is::<io::Error>()) {
        "; check the host and the port in DATABASE_URL, and that PostgreSQL runs there".to_owned()
    } else {
        String::new()
    }
}

/// The names of the user and of the database. As on the side of the server, the database is called as the user when it has no name.
fn names(config: &Config) -> (&str, &str) {
    let user = config.get_user().unwrap_or_default();
    (user, config.get_dbname().unwrap_or(user))
}

/// What to do about what a server said of a migration, where that is not plain. Diesel hands on no code of an error, so its English
/// text has to do.
pub(crate) async fn migration_hint(url: &str, said: &str) -> String {
    let Ok((config, _)) = tls::of(url).await else { return String::new() };
    if !said.contains("permission denied for schema") && !said.contains("no schema has been selected to create in") {
        return String::new();
    }
    let (user, name) = names(&config);
    format!(
        "; the user may not create tables there: make it the owner of the database, on its server with: \
         sudo -u postgres psql --command 'ALTER DATABASE \"{name}\" OWNER TO \"{user}\"'"
    )
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Runs `work` in a task, for a caller who may be cancelled.
async fn bounded<R, F>(conn: Object<Conn>, limit: Duration, runtime: &Handle, work: F) -> Result<R, Fault>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    R: Send + 'static,
{
    runtime.spawn(bounded_here(conn, limit, work)).await?
}

/// Runs `work` for a caller who waits for it. When it takes longer than the limit its connection is closed: the pool has room for
/// another one, and the server rolls back what it has not been told to commit, or ends the statement that it was given.
async fn bounded_here<R, F>(mut conn: Object<Conn>, limit: Duration, work: F) -> Result<R, Fault>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
{
    if let Ok(done) = timeout(limit, work(&mut conn)).await {
        return Ok(done?);
    }
    drop(Object::take(conn));
    Err(Fault::TimedOut(limit))
}

/// Runs `work` in a transaction, which is rolled back when it fails.
async fn transaction<R, F>(conn: &mut Conn, work: F) -> QueryResult<R>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
    R: Send,
{
    conn.transaction(async move |conn| work(conn).await).await
}

/// Runs `work`, which only reads, over the database as it is at the first query.
async fn snapshot<R, F>(conn: &mut Conn, work: F) -> QueryResult<R>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
    R: Send,
{
    conn.build_transaction().read_only().repeatable_read().run(async move |conn| work(conn).await).await
}

fn pool_status(repository: &Repository) -> Vec<PoolStatus> {
    vec![PoolStatus::of("general", &repository.write), PoolStatus::of("commit", &repository.commit)]
}
