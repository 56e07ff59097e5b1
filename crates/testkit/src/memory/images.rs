//! Pictures that are not looked at.

use async_trait::async_trait;
use mango_domain::model::Client;
use mango_domain::ports::{ImageError, Images, PhotoSet};

/// A picture of one pixel, a whole PNG that real adapters take too.
#[must_use]
pub fn picture() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n\
      \0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
      \0\0\0\rIDATx\xdac\xf8\xbf\x94\xe1?\0\x06\xef\x02\xa4\xd6\x92`d\
      \0\0\0\0IEND\xaeB`\x82"
        .to_vec()
}

/// Takes whatever begins like a JPEG, PNG, WebP or GIF and is at most a megabyte, and makes files that tell their name and the
/// picture's first bytes.
#[derive(Debug, Default, Clone, Copy)]
pub struct FakeImages;

impl FakeImages {
    /// Most bytes of a picture.
    pub const MAX: usize = 1024 * 1024;
}

#[async_trait]
impl Images for FakeImages {
    async fn process(&self, picture: Vec<u8>, by: Client) -> Result<PhotoSet, ImageError> {
        let picture = self.check(picture, by).await?;
        let file = |name: &str| [name.as_bytes(), b" of ", &picture].concat();
        Ok(PhotoSet {
            original: file("original"),
            square400: file("400x400"),
            square100: file("100x100"),
            square50: file("50x50"),
        })
    }

    async fn check(&self, picture: Vec<u8>, _: Client) -> Result<Vec<u8>, ImageError> {
        const KINDS: [&[u8]; 4] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8"];
        if picture.len() > Self::MAX {
            return Err(ImageError::TooLarge(format!("must have at most {} bytes", Self::MAX)));
        }
        if !KINDS.iter().any(|kind| picture.starts_with(kind)) {
            return Err(ImageError::NotAPicture);
        }
        Ok(picture)
    }
}
