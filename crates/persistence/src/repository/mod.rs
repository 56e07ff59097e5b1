//! The repository: the ports of the stores, over the tables. It is written once and compiled twice, as a module of
//! [`postgres`](crate::postgres) and of [`sqlite`](crate::sqlite).
//!
//! Its parent module supplies what differs: `Conn`, `schema`, `transaction`, `snapshot`, `bounded`,
//! `bounded_here`, the macros `locking!` and `locking_out!`, and a few constants.

mod audit;
mod changes;
mod chats;
mod commit;
mod likes;
mod members;
pub(super) mod messages;
pub(super) mod rows;
mod sessions;
mod sizes;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text};
use diesel_async::RunQueryDsl;
use diesel_async::pooled_connection::deadpool::Pool;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mango_domain::Failure;
use mango_domain::model::{Epoch, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::schema::{self, __diesel_schema_migrations as migrations, epoch};
use super::{Conn, HAS_MIGRATIONS, IDS_PER_QUERY, MAY_CREATE, NOW_MILLIS, VERSION, bounded, snapshot, transaction};
use crate::error::Fault;
use crate::live::LiveSessions;
use crate::pool::PoolStatus;
use crate::writers::Writers;
use crate::{Facts, Store};

pub(super) use commit::Committer;

/// All stores of a database.
pub(crate) struct Repository {
    /// For operations that read.
    pub(super) read: Pool<Conn>,
    /// For operations that write; on PostgreSQL the same pool.
    pub(super) write: Pool<Conn>,
    /// For the writers of chats; on SQLite the same as for all that writes.
    pub(super) commit: Pool<Conn>,
    /// Where operations run.
    pub(super) runtime: Handle,
    /// How long an operation may take.
    pub(super) operation_timeout: Duration,
    /// Where chats are changed.
    pub(super) writers: Writers,
    /// The sessions that need not be asked for.
    pub(super) live: LiveSessions,
    /// The name of the database, once it was asked for.
    pub(super) epoch: OnceCell<Epoch>,
}

impl Repository {
    /// Runs queries that only read.
    async fn read<R: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    ) -> Result<R, Fault> {
        self.run(&self.read, work).await
    }

    /// Runs queries that only read, and that all see the database as it was at one moment.
    async fn read_at_once<R: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    ) -> Result<R, Fault> {
        self.run(&self.read, move |conn| snapshot(conn, work).boxed()).await
    }

    /// Runs one statement that writes, which is a transaction by itself.
    async fn write<R: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    ) -> Result<R, Fault> {
        self.run(&self.write, work).await
    }

    /// Runs statements in one transaction.
    async fn transact<R: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    ) -> Result<R, Fault> {
        self.run(&self.write, move |conn| transaction(conn, work).boxed()).await
    }

    /// Waits for a connection and runs the work in a task of its own: a caller who is cancelled takes no running query with
    /// it, which would leave a transaction half done and the connection unusable. Nor does the caller wait for ever.
    async fn run<R: Send + 'static>(
        &self,
        pool: &Pool<Conn>,
        work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, QueryResult<R>> + Send + 'static,
    ) -> Result<R, Fault> {
        bounded(pool.get().await?, self.operation_timeout, &self.runtime, work).await
    }
}

#[async_trait]
impl Store for Repository {
    async fn ping(&self) -> Result<(), Failure> {
        self.read(|conn| diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn).boxed())
            .await
            .map(drop)
            .map_err(|fault| fault.during("ping database"))
    }

    async fn facts(&self) -> Result<Facts, Failure> {
        let (version, millis, may_create) = self
            .read(|conn| {
                diesel::select((sql::<Text>(VERSION), sql::<BigInt>(NOW_MILLIS), sql::<Bool>(MAY_CREATE)))
                    .get_result(conn)
                    .boxed()
            })
            .await
            .map_err(|fault: Fault| fault.during("ask the database about itself"))?;
        Ok(Facts { version, now: DateTime::from_timestamp_millis(millis).unwrap_or_default(), may_create })
    }

    async fn applied_migrations(&self) -> Result<Vec<String>, Failure> {
        self.read(|conn| {
            async move {
                if !diesel::select(sql::<Bool>(HAS_MIGRATIONS)).get_result(conn).await? {
                    return Ok(Vec::new());
                }
                migrations::table.select(migrations::version).order(migrations::version).load(conn).await
            }
            .boxed()
        })
        .await
        .map_err(|fault| fault.during("list applied migrations"))
    }

    async fn has_users(&self) -> Result<bool, Failure> {
        self.read(|conn| {
            diesel::select(exists(schema::users::table.select(schema::users::id))).get_result(conn).boxed()
        })
        .await
        .map_err(|fault| fault.during("look for users"))
    }

    async fn rename_epoch(&self, name: Epoch) -> Result<(), Failure> {
        let renamed = self.write(move |conn| {
            diesel::update(epoch::table.filter(epoch::one.eq(true)))
                .set(epoch::name.eq(name.as_str().to_owned()))
                .execute(conn)
                .boxed()
        });
        renamed.await.map(drop).map_err(|fault| fault.during("rename epoch"))
    }

    async fn end_sessions(&self, now: Timestamp) -> Result<u64, Failure> {
        let ended = self.write(move |conn| {
            let live = schema::sessions::table.filter(schema::sessions::revoked_at.is_null());
            diesel::update(live).set(schema::sessions::revoked_at.eq(now)).execute(conn).boxed()
        });
        let ended = ended.await.map_err(|fault| fault.during("end sessions"))?;
        self.live.forget_all();
        Ok(u64::try_from(ended).unwrap_or(u64::MAX))
    }

    fn pool_status(&self) -> Vec<PoolStatus> {
        super::pool_status(self)
    }

    async fn close(&self) {
        self.writers.close().await;
        self.read.close();
        self.write.close();
        self.commit.close();
    }
}

/// Runs a query for ids, once for as many as fit in one query: on PostgreSQL always once, on SQLite once for 30,000.
async fn for_ids<I: Clone + Sync, T>(
    conn: &mut Conn,
    ids: &[I],
    query: impl for<'c> Fn(&'c mut Conn, Vec<I>) -> BoxFuture<'c, QueryResult<Vec<T>>> + Send,
) -> QueryResult<Vec<T>> {
    let mut rows = Vec::new();
    for ids in ids.chunks(IDS_PER_QUERY) {
        rows.extend(query(conn, ids.to_vec()).await?);
    }
    Ok(rows)
}
