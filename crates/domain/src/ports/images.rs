//! The processing of photos.

use async_trait::async_trait;
use thiserror::Error;

use crate::Failure;
use crate::model::Client;

/// Decodes strangers' pictures under limits, off the event loops, a bounded number at a time. Those that wait for their turn share the places with
/// each other by whom it is done for: a call for somebody who has taken their share of the line fails as
/// [busy](crate::FailureKind::Busy).
#[async_trait]
pub trait Images: Send + Sync {
    /// Makes the files of a photo of a JPEG, PNG, WebP or GIF (its first frame): upright, without metadata.
    async fn process(&self, picture: Vec<u8>, by: Client) -> Result<PhotoSet, ImageError>;

    /// Decodes a picture only to see that [`process`](Self::process) would take it, and gives it back.
    async fn check(&self, picture: Vec<u8>, by: Client) -> Result<Vec<u8>, ImageError>;
}

/// The files of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoSet {
    /// JPEG, at most 2048 pixels on its long side.
    pub original: Vec<u8>,
    /// WebP, 400 by 400 pixels.
    pub square400: Vec<u8>,
    /// WebP, 100 by 100 pixels.
    pub square100: Vec<u8>,
    /// WebP, 50 by 50 pixels.
    pub square50: Vec<u8>,
}

/// Why a picture was not taken.
#[derive(Debug, Error)]
pub enum ImageError {
    /// It is not a picture of a kind that is taken, or is damaged.
    #[error("must be a whole JPEG, PNG, WebP or GIF picture")]
    NotAPicture,
    /// It has more bytes, pixels or length than is allowed; the text says which.
    #[error("{0}")]
    TooLarge(String),
    /// The processing failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}
