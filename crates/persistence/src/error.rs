//! What can go wrong between Mango and its database, and what a caller of a port may expect of it.

use std::sync::Arc;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel_async::pooled_connection::deadpool::PoolError;
use mango_domain::{Failure, FailureKind};
use thiserror::Error;
use tokio::task::JoinError;

/// When a caller who met a busy database should come again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An operation on the database did not come about.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// No connection could be had.
    #[error("no connection to the database: {0}")]
    NoConnection(#[from] PoolError),
    /// The database refused a query or did not answer it.
    #[error("query: {0}")]
    Query(#[from] QueryError),
    /// The database did not answer within this time. What was asked of it may be done yet.
    #[error("no answer from the database within {0:?}")]
    TimedOut(Duration),
    /// The task that ran the operation panicked.
    #[error("the operation's task: {0}")]
    Task(#[from] JoinError),
    /// The operation panicked.
    #[error("the operation panicked")]
    Panicked,
    /// So many changes wait to be committed that one more would only wait.
    #[error("too many changes wait to be committed")]
    QueueFull,
    /// The database is being closed.
    #[error("the database is closed")]
    Closed,
}

/// A unique constraint as each database calls it when it refuses a row.
pub(crate) struct Unique {
    /// Its name, which PostgreSQL gives.
    pub(crate) name: &'static str,
    /// The columns it covers, which SQLite gives.
    pub(crate) columns: &'static str,
}

/// That of the names that clients give to messages.
const CLIENT_ID: Unique =
    Unique { name: "messages_client_id_key", columns: "messages.chat_id, messages.sender_id, messages.client_id" };

impl Fault {
    /// Whether another node has stored the same message under the same client id at this moment, so that it will be found the
    /// next time.
    pub(crate) fn is_sent_twice(&self) -> bool {
        self.violates(&CLIENT_ID)
    }

    /// Whether the database refused a row because of this constraint.
    pub(crate) fn violates(&self, unique: &Unique) -> bool {
        match self {
            Self::Query(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, told)) => {
                told.constraint_name() == Some(unique.name)
                    || told.message().strip_prefix("UNIQUE constraint failed: ") == Some(unique.columns)
            }
            _ => false,
        }
    }

    /// Tells the caller of a port what came of the operation that it called.
    pub(crate) fn during(self, operation: &'static str) -> Failure {
        Failure { operation, kind: self.kind(), source: Some(Box::new(self)) }
    }

    /// Tells each of several callers what came of the operation that they have in common.
    pub(crate) fn shared(self: &Arc<Self>, operation: &'static str) -> Failure {
        Failure { operation, kind: self.kind(), source: Some(Box::new(Arc::clone(self))) }
    }

    /// Whether what was asked for may have been done all the same.
    pub(crate) fn is_uncertain(&self) -> bool {
        match self {
            Self::TimedOut(_) | Self::Task(_) | Self::Panicked => true,
            Self::Query(error) => {
                let kind = match error {
                    QueryError::RollbackErrorOnCommit { .. } => return true,
                    QueryError::DatabaseError(kind, _) => kind,
                    _ => return false,
                };
                matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection)
            }
            Self::NoConnection(_) | Self::QueueFull | Self::Closed => false,
        }
    }

    /// What the caller can expect.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::NoConnection(_) | Self::TimedOut(_) | Self::QueueFull | Self::Closed => {
                FailureKind::Busy { retry_after: RETRY_AFTER }
            }
            Self::Query(error) => kind_of(error),
            Self::Task(_) | Self::Panicked => FailureKind::Broken,
        }
    }
}

/// What databases say when there is no room: SQLite's SQLITE_FULL, and PostgreSQL's 53100 (disk_full), whose code Diesel does
/// not hand on, so that its English text has to do. A server that speaks another language gives [`FailureKind::Broken`].
const FULL: [&str; 3] = ["database or disk is full", "No space left on device", "could not extend file"];

/// What databases say when the same call may succeed later: SQLite's SQLITE_BUSY and SQLITE_LOCKED; PostgreSQL's deadlocks,
/// time-outs, and a server that stops, starts or takes no more connections.
const BUSY: [&str; 8] = [
    "database is locked",
    "database table is locked",
    "deadlock detected",
    "canceling statement due to",
    "terminating connection due to",
    "the database system is",
    "connection slots are reserved",
    "too many clients already",
];

/// Whether the same query may succeed later.
pub(crate) fn is_busy(error: &QueryError) -> bool {
    matches!(kind_of(error), FailureKind::Busy { .. })
}

fn kind_of(error: &QueryError) -> FailureKind {
    let busy = FailureKind::Busy { retry_after: RETRY_AFTER };
    match error {
        QueryError::DatabaseError(kind, told) => match kind {
            DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::SerializationFailure => busy,
            _ if FULL.iter().any(|text| told.message().contains(text)) => FailureKind::StorageFull,
            _ if BUSY.iter().any(|text| told.message().contains(text)) => busy,
            _ => FailureKind::Broken,
        },
        QueryError::RollbackErrorOnCommit { commit_error, .. } => kind_of(commit_error),
        _ => FailureKind::Broken,
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    use super::*;

    fn check(kind: DatabaseErrorKind, message: &str, expected: FailureKind) {
        let fault = Fault::Query(QueryError::DatabaseError(kind, Box::new(message.to_owned())));
        assert_eq!(fault.during("test").kind, expected, "{message}");
    }

    #[test]
    fn tells_full_from_busy_from_broken() {
        let busy = FailureKind::Busy { retry_after: RETRY_AFTER };
        let pg_full = "could not extend file \"base/5/16384\": No space left on device";
        check(DatabaseErrorKind::Unknown, pg_full, FailureKind::StorageFull);
        check(DatabaseErrorKind::Unknown, "database is locked", busy);
        check(DatabaseErrorKind::Unknown, "the database system is shutting down", busy);
        check(DatabaseErrorKind::UnableToSendCommand, "connection closed", busy);
        check(DatabaseErrorKind::CheckViolation, "violates check constraint", FailureKind::Broken);
    }

    #[test]
    fn knows_sqlite_to_be_full() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute("PRAGMA max_page_count = 2; CREATE TABLE t (content)").unwrap();
        let error = conn.batch_execute("INSERT INTO t VALUES (zeroblob(100000))").unwrap_err();
        assert_eq!(Fault::Query(error).during("test").kind, FailureKind::StorageFull);
    }
}
