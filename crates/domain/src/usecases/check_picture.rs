//! Seeing whether a picture would be taken as a photo.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Result;
use crate::model::Client;
use crate::ports::Images;
use crate::usecases::photos;

/// Sees whether a picture would be taken as a photo.
pub struct CheckPicture {
    images: Arc<dyn Images>,
}

impl CheckPicture {
    pub(super) fn new(images: Arc<dyn Images>) -> Self {
        Self { images }
    }

    /// Gives the picture back when it would be taken.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) on `image` with what is wrong with it.
    pub async fn run(&self, picture: Vec<u8>, address: Option<IpAddr>) -> Result<Vec<u8>> {
        let checked = self.images.check(picture, Client::at(address)).await;
        checked.map_err(|error| photos::refused("image", error))
    }
}
