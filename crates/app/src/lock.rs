//! The lock that keeps a second server off an SQLite database.
//!
//! Who is online, and who is told of what, is known to one process. Two servers on one file would keep the same chats and hide
//! each other's news. The lock is on a file of its own, since SQLite has locks of its own on the database; the operating system gives it
//! back when the process ends, however that happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, bail};
use mango_persistence::DatabaseUrl;

/// The right to serve a database, until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes the lock on a database that exists. On PostgreSQL there is nothing to lock.
    ///
    /// # Errors
    /// Another process serves the database, or its folder cannot be written.
    pub fn take(database: &DatabaseUrl) -> anyhow::Result<Self> {
        let Some(file) = database.file() else { return Ok(Self { _file: None }) };
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
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => bail!(
                "another Mango serves the database {database} and holds {shown}; stop it, or set MANGO_DATA_DIR to another folder"
            ),
            Err(TryLockError::Error(error)) => {
                bail!("cannot lock {shown}: {error}; an SQLite database must be on a file system that has locks")
            }
        }
    }
}
