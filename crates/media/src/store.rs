//! The media port: a folder with a folder for each photo.
//!
//! A photo is written to a folder of its own under `.tmp`, made durable, and renamed to its place, which is one atomic step:
//! whoever looks sees all of its files or none. Removing goes the same way back. What a crash leaves under `.tmp` is
//! removed at the next start, or by the next sweep. The file `.database` names the database that the photos are of.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions, ReadDir, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Epoch, PhotoFile, PhotoId, Timestamp};
use mango_domain::ports::{Media, PhotoSet, PhotoWalk};

/// No photo has this name, so nothing in it can be asked for.
const TEMPORARY: &str = ".tmp";
const LOCK: &str = "lock";
/// Has the epoch of the database that the photos are of.
const DATABASE: &str = ".database";

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
            Ok(()) => remove_leftovers(&temporary, None).map(drop)?,
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

    /// Binds the photos of a database that has another epoch now to that one. Those of another database stay what they are.
    pub async fn rebind(&self, from: &Epoch, to: &Epoch) -> Result<(), Failure> {
        let (folder, from, to) = (Arc::clone(&self.folder), from.clone(), to.clone());
        off_the_loop("rebind photos", move || {
            if !bind(&folder, &from)? {
                return Ok(());
            }
            let renewed = folder.join(TEMPORARY).join(DATABASE);
            gone(fs::remove_file(&renewed))?;
            write_file(&renewed, to.as_str().as_bytes())?;
            fs::rename(renewed, folder.join(DATABASE))?;
            sync_folder(&folder)
        })
        .await
    }

    /// Runs work on the folders of a photo.
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
        off_the_loop(operation, move || work(&folders)).await
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

    async fn bind(&self, epoch: &Epoch) -> Result<bool, Failure> {
        let (folder, epoch) = (Arc::clone(&self.folder), epoch.clone());
        off_the_loop("bind photos", move || bind(&folder, &epoch)).await
    }

    fn stored_before(&self, moment: Timestamp) -> Box<dyn PhotoWalk> {
        Box::new(Walk { folder: Arc::clone(&self.folder), before: moment.into(), entries: None })
    }

    async fn remove_leftovers(&self, before: Timestamp) -> Result<u64, Failure> {
        let temporary = self.folder.join(TEMPORARY);
        off_the_loop("remove leftovers", move || remove_leftovers(&temporary, Some(before.into()))).await
    }
}

/// Reads the folder of all photos from its beginning to its end.
struct Walk {
    folder: Arc<Path>,
    before: SystemTime,
    /// What is still to be read, once that has begun.
    entries: Option<ReadDir>,
}

#[async_trait]
impl PhotoWalk for Walk {
    async fn next(&mut self, most: usize) -> Result<Vec<PhotoId>, Failure> {
        let (folder, before, begun) = (Arc::clone(&self.folder), self.before, self.entries.take());
        let (photos, entries) = off_the_loop("list photos", move || {
            let mut entries = match begun {
                Some(entries) => entries,
                None => fs::read_dir(folder)?,
            };
            let mut photos = Vec::new();
            while photos.len() < most {
                let Some(entry) = entries.next().transpose()? else { break };
                let photo = entry.file_name().to_str().and_then(PhotoId::parse);
                if let Some(photo) = photo
                    && is_older(&entry, before)?
                {
                    photos.push(photo);
                }
            }
            Ok((photos, entries))
        })
        .await?;
        self.entries = Some(entries);
        Ok(photos)
    }
}

/// Runs file work on a thread where it may block. It goes on to its end even when the caller goes away.
async fn off_the_loop<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::broken(operation, error))?
        .map_err(|error| failure(operation, error))
}

/// Binds a folder to a database unless it is bound already; whether it is bound to this one.
fn bind(folder: &Path, epoch: &Epoch) -> io::Result<bool> {
    let file = folder.join(DATABASE);
    match fs::read_to_string(&file) {
        // Cut short by a crash, it would be of no database.
        Ok(bound) if !bound.is_empty() => return Ok(bound.trim() == epoch.as_str()),
        Ok(_) => fs::remove_file(&file)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    write_file(&file, epoch.as_str().as_bytes())?;
    sync_folder(folder)?;
    Ok(true)
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
        gone(fs::remove_dir_all(&removed))
    }
}

/// A full disk is told apart: then the photo is not refused for good.
fn failure(operation: &'static str, error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Failure::storage_full(operation, error),
        _ => Failure::broken(operation, error),
    }
}

/// Removes everything but the lock, or everything that is older than that; how much there was.
fn remove_leftovers(temporary: &Path, before: Option<SystemTime>) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        let young = match before {
            Some(before) => !is_older(&entry, before)?,
            None => false,
        };
        if young || entry.file_name() == LOCK {
            continue;
        }
        tracing::info!(name = ?entry.file_name(), "removing what was left half done");
        let path = entry.path();
        gone(if entry.file_type()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) })?;
        count += 1;
    }
    Ok(count)
}

/// Whether what an entry names was last changed before then. What has gone meanwhile is not.
fn is_older(entry: &DirEntry, before: SystemTime) -> io::Result<bool> {
    match entry.metadata().and_then(|metadata| metadata.modified()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        modified => Ok(modified? < before),
    }
}

/// What somebody else has removed meanwhile is gone as well.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
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
