//! Photo files in a folder that goes with the test.

use std::fs::File;
use std::path::PathBuf;
use std::sync::OnceLock;

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Epoch, PhotoFile, PhotoId, Timestamp};
use mango_domain::ports::{Media, PhotoSet, PhotoWalk};
use tempfile::TempDir;

/// Keeps the files of photos in a temporary folder, so that they can be served.
#[derive(Debug)]
pub struct TempMedia {
    folder: TempDir,
    epoch: OnceLock<Epoch>,
}

impl Default for TempMedia {
    fn default() -> Self {
        Self::new()
    }
}

impl TempMedia {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), epoch: OnceLock::new() }
    }

    /// The photos that are there, in order of name.
    #[must_use]
    pub fn photos(&self) -> Vec<PhotoId> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the temporary folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a UTF-8 name")).collect();
        names.sort();
        names.iter().map(|name| PhotoId::parse(name).expect("the name of a photo")).collect()
    }

    /// Makes a photo look as if it had been stored at this time.
    pub fn date(&self, photo: &PhotoId, at: Timestamp) {
        let folder = File::open(self.folder_of(photo)).expect("the folder of a photo");
        folder.set_modified(at.into()).expect("a folder of this process");
    }

    fn stored_at(&self, photo: &PhotoId) -> Timestamp {
        let folder = std::fs::metadata(self.folder_of(photo)).expect("the folder of a photo");
        folder.modified().expect("a file system that knows").into()
    }

    fn folder_of(&self, photo: &PhotoId) -> PathBuf {
        self.folder.path().join(photo.as_str())
    }
}

#[async_trait]
impl Media for TempMedia {
    async fn put(&self, photo: &PhotoId, files: PhotoSet) -> Result<(), Failure> {
        let broken = |error| Failure::broken("store photo", error);
        std::fs::create_dir(self.folder_of(photo)).map_err(broken)?;
        for (file, bytes) in [
            (PhotoFile::Original, files.original),
            (PhotoFile::Square400, files.square400),
            (PhotoFile::Square100, files.square100),
            (PhotoFile::Square50, files.square50),
        ] {
            std::fs::write(self.path(photo, file), bytes).map_err(broken)?;
        }
        Ok(())
    }

    async fn remove(&self, photo: &PhotoId) -> Result<(), Failure> {
        match std::fs::remove_dir_all(self.folder_of(photo)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::broken("remove photo", error)),
            _ => Ok(()),
        }
    }

    fn path(&self, photo: &PhotoId, file: PhotoFile) -> PathBuf {
        self.folder_of(photo).join(file.name())
    }

    async fn bind(&self, epoch: &Epoch) -> Result<bool, Failure> {
        Ok(self.epoch.get_or_init(|| epoch.clone()) == epoch)
    }

    fn stored_before(&self, moment: Timestamp) -> Box<dyn PhotoWalk> {
        let mut photos = self.photos();
        photos.retain(|photo| self.stored_at(photo) < moment);
        Box::new(Listed(photos))
    }

    async fn remove_leftovers(&self, _before: Timestamp) -> Result<u64, Failure> {
        Ok(0)
    }
}

/// A walk over what was there when it began.
struct Listed(Vec<PhotoId>);

#[async_trait]
impl PhotoWalk for Listed {
    async fn next(&mut self, most: usize) -> Result<Vec<PhotoId>, Failure> {
        Ok(self.0.drain(..most.min(self.0.len())).collect())
    }
}
