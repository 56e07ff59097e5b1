//! The media port: a folder with a folder for each photo.
//!
//! A photo is written to a folder of its own under `.tmp`, made durable, and renamed to its place, which is one atomic step:
//! whoever looks sees all of its files or none. Removing goes the same way back. What a crash leaves under `.tmp` is
//! removed at the next start.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{PhotoFile, PhotoId};
use mango_domain::ports::{Media, PhotoSet};

/// No photo has this name, so nothing in it can be asked for.
const TEMPORARY: &str = ".tmp";
const LOCK: &str = "lock";

/// Keeps photos in a folder of the file system.
#[derive(Debug, Clone)]
pub struct FileMedia {
    folder: Arc<Path>,
    /// Held, shared, as long as anybody uses the folder.
    _lock: Arc<File>,
}

impl FileMedia {
    /// Opens a media folder, makes it when it is not there, and removes what an interrupted process left half done, unless
    /// another process is using the folder.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        let temporary = folder.join(TEMPORARY);
        make_folder(&temporary, true)?;
        let lock = File::create(temporary.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => remove_leftovers(&temporary)?,
            Err(TryLockError::WouldBlock) => {}
            // Some network file systems have no locks. Leftovers do no harm but take room.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the media folder cannot be locked"),
        }
        // Whoever finds the folder locked, even shared, leaves the temporary files alone.
        if let Err(error) = lock.lock_shared() {
            tracing::debug!(%error, "the media folder cannot be locked");
        }
        Ok(Self { folder: folder.into(), _lock: Arc::new(lock) })
    }

    /// Runs file work off the event loop. It goes on to its end even when the caller goes away.
    async fn run(
        &self,
        operation: &'static str,
        photo: &PhotoId,
        work: impl FnOnce(&Folders) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Failure> {
        let folders = Folders {
            all: Arc::clone(&self.folder),
            photo: self.folder.join(photo.as_str()),
            temporary: self.folder.join(TEMPORARY).join(photo.as_str()),
        };
        tokio::task::spawn_blocking(move || work(&folders))
            .await
            .map_err(|error| Failure::broken(operation, error))?
            .map_err(|error| failure(operation, error))
    }
}

#[async_trait]
impl Media for FileMedia {
    async fn put(&self, photo: &PhotoId, files: PhotoSet) -> Result<(), Failure> {
        self.run("store photo", photo, move |folders| folders.put(&files)).await
    }

    async fn remove(&self, photo: &PhotoId) -> Result<(), Failure> {
        self.run("remove photo", photo, Folders::remove).await
    }

    fn path(&self, photo: &PhotoId, file: PhotoFile) -> PathBuf {
        self.folder.join(photo.as_str()).join(file.name())
    }
}

/// The folders that a photo passes through.
struct Folders {
    all: Arc<Path>,
    photo: PathBuf,
    temporary: PathBuf,
}

impl Folders {
    fn put(&self, files: &PhotoSet) -> io::Result<()> {
        make_folder(&self.temporary, false)?;
        let stored = self.write(files);
        if stored.is_err() {
            // The first error is the one to tell; what cannot be removed now is removed at the next start.
            let _ = fs::remove_dir_all(&self.temporary);
        }
        stored
    }

    fn write(&self, files: &PhotoSet) -> io::Result<()> {
        for file in PhotoFile::ALL {
            let bytes = match file {
                PhotoFile::Original => &files.original,
                PhotoFile::Square400 => &files.square400,
                PhotoFile::Square100 => &files.square100,
                PhotoFile::Square50 => &files.square50,
            };
            write_file(&self.temporary.join(file.name()), bytes)?;
        }
        sync_folder(&self.temporary)?;
        fs::rename(&self.temporary, &self.photo)?;
        sync_folder(&self.all)
    }

    fn remove(&self) -> io::Result<()> {
        let removed = self.temporary.with_extension("removed");
        match fs::rename(&self.photo, &removed) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            moved => moved?,
        }
        sync_folder(&self.all)?;
        fs::remove_dir_all(&removed)
    }
}

/// A full disk is told apart: then the photo is not refused for good.
fn failure(operation: &'static str, error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Failure::storage_full(operation, error),
        _ => Failure::broken(operation, error),
    }
}

/// Removes everything but the lock.
fn remove_leftovers(temporary: &Path) -> io::Result<()> {
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        tracing::info!(name = ?entry.file_name(), "removing what was left half done");
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

/// Makes a folder that its owner may change, its group (a backup, a web server) may read, and others may not.
fn make_folder(path: &Path, with_parents: bool) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(with_parents);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(path)
}

/// Writes a file that was not there, to the disk and not only to the system's memory.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix lets a folder be opened and synced; elsewhere names are as durable as the system makes them.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use mango_domain::FailureKind;

    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let kind = |kind: ErrorKind| failure("store photo", kind.into()).kind;
        assert_eq!(kind(ErrorKind::StorageFull), FailureKind::StorageFull);
        assert_eq!(kind(ErrorKind::QuotaExceeded), FailureKind::StorageFull);
        assert_eq!(kind(ErrorKind::PermissionDenied), FailureKind::Broken);
    }
}
