//! What a picture may cost, and the texts that say that one costs too much.

use mango_domain::ports::ImageError;

const MIB: u64 = 1024 * 1024;

/// What is taken of a picture. All of it is checked on the picture's header, before anything of its size is allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Width times height.
    pub pixels: u64,
    /// Pixels of the longer side.
    pub side: u32,
    /// Bytes that decoding may need at once, as far as the header tells.
    pub memory: u64,
}

impl Default for ImageLimits {
    /// What the cameras of telephones make: 10 MiB, 50 megapixels, 16,384 pixels a side; and 384 MiB of memory, which is
    /// enough for 50 megapixels of anything but animated WebP and progressive JPEG without subsampling.
    fn default() -> Self {
        Self { bytes: 10 * MIB, pixels: 50_000_000, side: 16_384, memory: 384 * MIB }
    }
}

impl ImageLimits {
    /// Refuses a file of too many bytes.
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), ImageError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes <= self.bytes {
            return Ok(());
        }
        Err(ImageError::TooLarge(format!("must have at most {} bytes, this picture has {bytes}", self.bytes)))
    }

    /// Refuses a picture whose header tells of too many pixels.
    pub(crate) fn check_size(&self, width: u32, height: u32) -> Result<(), ImageError> {
        if width.max(height) > self.side {
            let text = format!("must have sides of at most {} pixels, this picture has {width} by {height}", self.side);
            return Err(ImageError::TooLarge(text));
        }
        if u64::from(width) * u64::from(height) > self.pixels {
            let text =
                format!("must have at most {} pixels in all, this picture has {width} by {height} pixels", self.pixels);
            return Err(ImageError::TooLarge(text));
        }
        Ok(())
    }

    /// Refuses a picture that needs too much memory while it is decoded.
    pub(crate) fn check_memory(&self, bytes: u64) -> Result<(), ImageError> {
        if bytes <= self.memory { Ok(()) } else { Err(too_much_memory()) }
    }
}

/// The refusal of a picture that needs too much memory, for when a decoder finds out.
pub(crate) fn too_much_memory() -> ImageError {
    ImageError::TooLarge("must have fewer pixels: decoding it needs too much memory".to_owned())
}
