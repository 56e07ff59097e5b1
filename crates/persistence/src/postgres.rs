//! PostgreSQL: its connections, and what of the repository cannot be written once for both databases.

mod append;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_postgres::{Config, NoTls};
use url::Url;

use crate::Reason;
use crate::appends::Appends;
use crate::pool::{self, Options, PoolStatus};

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

/// A server that hangs must not hang its clients, and a client that hangs must not keep its locks.
const SETUP: &str = "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s';";

/// How long a server may be silent before the operating system asks whether it is still there. The default of two hours would
/// keep operations waiting that long for a server that was unplugged.
const SILENCE: Duration = Duration::from_secs(30);

/// Opens a pool and sees that the server answers.
pub(crate) async fn connect(url: &Url, options: &Options) -> Result<Repository, Reason> {
    let runtime = Handle::current();
    let setup = runtime.clone();
    let pool = pool::build(
        url.as_str(),
        options.max_connections,
        options,
        Box::new(move |url| establish(setup.clone(), url.to_owned()).boxed()),
    )?;
    pool::check(&pool).await?;
    let appends =
        Appends::start(Arc::new(append::Writer(pool.clone())), options.append_writers.max(1), options.append_queue);
    Ok(Repository { read: pool.clone(), write: pool, runtime, appends })
}

/// Opens a connection for the pool. Its driver runs on the runtime that opened the database, since that of the caller may end
/// sooner.
async fn establish(runtime: Handle, url: String) -> ConnectionResult<Conn> {
    let opening = runtime.spawn(async move {
        let mut conn = open(&url).await?;
        conn.batch_execute(SETUP).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    });
    opening.await.unwrap_or_else(|error| Err(ConnectionError::BadConnection(error.to_string())))
}

/// Opens a connection. Not Diesel's own way, which would leave out why a server cannot be reached.
pub(crate) async fn open(url: &str) -> ConnectionResult<Conn> {
    let bad = |error: tokio_postgres::Error| ConnectionError::BadConnection(with_causes(&error));
    let mut config: Config = url.parse().map_err(bad)?;
    if config.get_application_name().is_none() {
        config.application_name("mango");
    }
    if !url.contains("keepalives") {
        config.keepalives_idle(SILENCE);
    }
    let (client, connection) = config.connect(NoTls).await.map_err(bad)?;
    Conn::try_from_client_and_connection(client, connection).await
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Runs `work` in a transaction, which is rolled back when it fails.
async fn transaction<R, F>(conn: &mut Conn, work: F) -> QueryResult<R>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send,
    R: Send,
{
    conn.transaction(async move |conn| work(conn).await).await
}

fn pool_status(repository: &Repository) -> Vec<PoolStatus> {
    vec![PoolStatus::of("all", &repository.write)]
}
