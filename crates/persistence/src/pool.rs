//! Pools of connections: how large they are, how long one waits for a connection, and how full they are.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::Manager;
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::deadpool::{BuildError, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, SetupCallback,
};

use crate::Reason;

/// Limits of a [`Database`](crate::Database).
#[derive(Debug, Clone)]
pub struct Options {
    /// Most connections to PostgreSQL beside those of the writers. On SQLite, most connections that read; there is always one that
    /// writes.
    pub max_connections: usize,
    /// How long an operation waits for a free connection before it fails as busy.
    pub acquire_timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long an operation that has its connection may take before its caller is told that the database is busy. It may
    /// have been done nevertheless, but whole. PostgreSQL is told to give up a little earlier by itself.
    pub operation_timeout: Duration,
    /// How many changes of chats may wait to be committed, for each writer; one more fails as busy at once.
    pub change_queue: usize,
    /// How many writers commit changes of chats on PostgreSQL, each with a connection of its own. SQLite has one.
    pub writers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10,
            acquire_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(10),
            change_queue: 2048,
            writers: 2,
        }
    }
}

/// How full a pool is at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Which pool: `commit` has the connections of the writers of chats and `general` those for all else on PostgreSQL; on SQLite there
    /// are `read` and `write`.
    pub pool: &'static str,
    /// Most connections that it may have.
    pub max: usize,
    /// Connections that it has.
    pub open: usize,
    /// Connections that nobody uses.
    pub idle: usize,
    /// Operations that wait for a connection.
    pub waiting: usize,
}

impl PoolStatus {
    pub(crate) fn of<M: Manager>(name: &'static str, pool: &deadpool::managed::Pool<M>) -> Self {
        let status = pool.status();
        Self { pool: name, max: status.max_size, open: status.size, idle: status.available, waiting: status.waiting }
    }
}

/// A pool of at most `max` connections to `url`, each opened by `setup`.
pub(crate) fn build<C>(url: &str, max: usize, options: &Options, setup: SetupCallback<C>) -> Result<Pool<C>, BuildError>
where
    C: AsyncConnection + 'static,
    AsyncDieselConnectionManager<C>: Manager<Type = C, Error = PoolError>,
{
    let mut config = ManagerConfig::default();
    config.custom_setup = setup;
    // A connection that is known to be closed is replaced; one that is lost without notice fails its next operation as busy.
    // Asking the database each time would cost every operation a round trip.
    config.recycling_method = RecyclingMethod::Fast;
    Pool::builder(AsyncDieselConnectionManager::new_with_config(url, config))
        .max_size(max.max(1))
        .wait_timeout(Some(options.acquire_timeout))
        .create_timeout(Some(options.connect_timeout))
        .recycle_timeout(Some(options.connect_timeout))
        .runtime(Runtime::Tokio1)
        .build()
}

/// Sees that a connection can be had.
pub(crate) async fn check<C>(pool: &Pool<C>) -> Result<(), Reason>
where
    C: AsyncConnection + 'static,
    AsyncDieselConnectionManager<C>: Manager<Type = C, Error = PoolError>,
{
    match pool.get().await {
        Ok(_) => Ok(()),
        Err(deadpool::managed::PoolError::Backend(error)) => Err(error.into()),
        Err(deadpool::managed::PoolError::Timeout(_)) => Err("it does not answer in time".into()),
        Err(error) => Err(error.into()),
    }
}
