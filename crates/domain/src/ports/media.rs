//! The store of photo files.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::Failure;
use crate::model::{PhotoFile, PhotoId};
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
}
