//! The store of photo files.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::Failure;
use crate::model::{Epoch, PhotoFile, PhotoId, Timestamp};
use crate::ports::PhotoSet;

/// Keeps the files of photos.
#[async_trait]
pub trait Media: Send + Sync {
    /// Stores all files of a photo, or none. They are durable and can be read when this returns.
    async fn put(&self, photo: &PhotoId, files: PhotoSet) -> Result<(), Failure>;

    /// Removes a photo. One that is not there is no error.
    async fn remove(&self, photo: &PhotoId) -> Result<(), Failure>;

    /// Where a file of a photo lies, for serving it. Whether it is there is seen when it is opened.
    fn path(&self, photo: &PhotoId, file: PhotoFile) -> PathBuf;

    /// Binds the photos to the database with this epoch, unless they are bound to one already. Whether they are bound to this one.
    async fn bind(&self, epoch: &Epoch) -> Result<bool, Failure>;

    /// Begins a walk over the photos that were stored before a moment.
    fn stored_before(&self, moment: Timestamp) -> Box<dyn PhotoWalk>;

    /// Removes what was begun before a moment, of a photo that was being stored or removed, and never finished; how many there
    /// were.
    async fn remove_leftovers(&self, before: Timestamp) -> Result<u64, Failure>;
}

/// A walk over photos, in no order. It meets each once; one that comes or goes meanwhile may be met or not.
#[async_trait]
pub trait PhotoWalk: Send {
    /// The next photos, at most so many; none when all have been met. A walk that failed is over.
    async fn next(&mut self, most: usize) -> Result<Vec<PhotoId>, Failure>;
}
