//! The storing of a photo, shared by sign-up and profile changes.

use std::sync::Arc;

use crate::model::{Client, PhotoId};
use crate::ports::{ImageError, Images, Media, Random};
use crate::{Error, FieldError, Result};

/// Processes pictures and keeps their files.
#[derive(Clone)]
pub(super) struct Photos {
    images: Arc<dyn Images>,
    media: Arc<dyn Media>,
    random: Arc<dyn Random>,
}

impl Photos {
    pub fn new(images: Arc<dyn Images>, media: Arc<dyn Media>, random: Arc<dyn Random>) -> Self {
        Self { images, media, random }
    }

    /// Processes a picture and stores its files under a new name.
    pub async fn store(&self, picture: Vec<u8>, by: Client) -> Result<PhotoId> {
        let files = self.images.process(picture, by).await.map_err(|error| refused("photo", error))?;
        let mut name = [0; 16];
        self.random.fill(&mut name)?;
        let photo = PhotoId::from_random(name);
        self.media.put(&photo, files).await?;
        Ok(photo)
    }

    /// Removes the photo, if there is one, that nobody refers to any more.
    pub async fn discard(&self, photo: Option<&PhotoId>) {
        if let Some(photo) = photo {
            discard(&*self.media, photo).await;
        }
    }
}

/// Removes a photo that nobody refers to; whether it is gone. What cannot be removed is logged: it takes room and harms nobody.
pub(super) async fn discard(media: &dyn Media, photo: &PhotoId) -> bool {
    let removed = media.remove(photo).await;
    if let Err(error) = &removed {
        tracing::warn!(%photo, error = %crate::error::chain(error), "an unused photo was not removed");
    }
    removed.is_ok()
}

/// Says of a field that its picture was not taken, and why.
pub(super) fn refused(field: &str, error: ImageError) -> Error {
    match error {
        ImageError::Failed(failure) => failure.into(),
        refusal @ (ImageError::NotAPicture | ImageError::TooLarge(_)) => {
            FieldError::new(field, refusal.to_string()).into()
        }
    }
}
