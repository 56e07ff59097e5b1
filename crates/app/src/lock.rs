//! The lock that keeps a second server off a database.
//!
//! Who is online, and who is told of what, is known to one process. Two servers on one database would keep the same chats and hide
//! each other's news. On PostgreSQL the lock is the database's own, of a connection that is kept for it; on SQLite it is on a file of its own,
//! since SQLite has locks of its own on the database. Both are given back when the process ends, however that happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use mango_persistence::{Claim, Database, DatabaseUrl};

/// How long to wait for a predecessor that is about to end: PostgreSQL may learn of it a little late.
const WAIT: Duration = Duration::from_secs(5);

/// The right to serve a database, until it is dropped.
#[must_use]
#[derive(Debug)]
pub enum Lock {
    /// On the file beside an SQLite database.
    File(File),
    /// In PostgreSQL.
    Claim(Claim),
}

impl Lock {
    /// Takes the lock on a database that exists.
    ///
    /// # Errors
    /// Another process serves the database, PostgreSQL cannot be reached, or the folder of an SQLite database cannot be written.
    pub async fn take(database: &Database) -> anyhow::Result<Self> {
        let url = database.url();
        if let Some(file) = url.file() {
            return Self::beside(file, url);
        }
        match database.claim(WAIT).await? {
            Some(claim) => Ok(Self::Claim(claim)),
            None => bail!("another Mango serves the database {url}; stop it, or set DATABASE_URL to another database"),
        }
    }

    fn beside(file: &Path, database: &DatabaseUrl) -> anyhow::Result<Self> {
        // Two paths to one database have one lock.
        let mut path = file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?.into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).with_context(|| format!("cannot open {shown}"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self::File(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "another Mango serves the database {database} and holds {shown}; stop it, or set MANGO_DATA_DIR to another folder"
            ),
            Err(TryLockError::Error(error)) => {
                bail!("cannot lock {shown}: {error}; an SQLite database must be on a file system that has locks")
            }
        }
    }
}
