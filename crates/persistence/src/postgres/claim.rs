//! The claim of one process to a database: an advisory lock, which belongs to a connection that is kept for it.

use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::Bool;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{Conn, open};
use crate::Reason;

/// Takes the lock or says that another connection has it. The number is any that no other program locks in this database, nor the
/// migrations, which may be applied while a server runs: these are the letters `mangosrv`.
const TRY: &str = "pg_try_advisory_lock(x'6d616e676f737276'::bigint)";

/// The server lets go of the lock of a machine that was unplugged after a minute, and not after the two hours of the default.
const SETUP: &str = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(250);
/// How often to see that the connection is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The claim, which is given up when this is dropped.
pub(crate) struct Claim {
    keeping: JoinHandle<()>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The connection goes with the task.
        self.keeping.abort();
    }
}

/// Claims the database. When another process has it this waits that long for its end; `None` when it goes on.
pub(crate) async fn take(url: &Url, wait: Duration) -> Result<Option<Claim>, Reason> {
    let deadline = Instant::now() + wait;
    loop {
        if let Some(conn) = attempt(url).await? {
            let keeping = tokio::spawn(keep(url.clone(), conn));
            return Ok(Some(Claim { keeping }));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(PAUSE).await;
    }
}

/// A connection that has the lock, unless another one has it.
async fn attempt(url: &Url) -> Result<Option<Conn>, Reason> {
    let attempt = async {
        let mut conn = open(url.as_str()).await?;
        conn.batch_execute(SETUP).await?;
        let is_ours = diesel::select(sql::<Bool>(TRY)).get_result::<bool>(&mut conn).await?;
        Ok(is_ours.then_some(conn))
    };
    timeout(PATIENCE, attempt).await?
}

/// Keeps the lock: when the connection is lost, as in a restart of the database, takes it again.
async fn keep(url: Url, mut conn: Conn) {
    loop {
        while matches!(timeout(PATIENCE, conn.batch_execute("SELECT 1")).await, Ok(Ok(()))) {
            sleep(LOOK_EVERY).await;
        }
        tracing::warn!("lost the connection that keeps other servers off the database");
        conn = again(&url).await;
        tracing::info!("other servers are kept off the database again");
    }
}

async fn again(url: &Url) -> Conn {
    let mut is_told = false;
    loop {
        match attempt(url).await {
            Ok(Some(conn)) => return conn,
            // It may be the connection that was lost, which the database does not know yet.
            Ok(None) if !is_told => {
                is_told = true;
                tracing::error!("another Mango may be serving the database: there must be one alone");
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error, "the database cannot be claimed yet"),
        }
        sleep(PAUSE).await;
    }
}
