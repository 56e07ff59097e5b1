//! Decoding of strangers' pictures: the kind is found from the content, and the limits are set before decoding.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageResult, Limits};
use mango_domain::ports::ImageError;

use crate::budget::{Budget, Share};
use crate::jpeg;
use crate::limits::{ImageLimits, too_much_memory};
use crate::webp_layout::Layout;

/// Most bytes that the compressed metadata of a PNG may have beyond what the file has. Colour profiles have a few kilobytes, those of
/// printing presses two megabytes.
const MAX_METADATA: u64 = 4 * 1024 * 1024;

/// A decoded picture and what of its metadata changes how it looks.
pub(crate) struct Picture {
    /// The pixels as they lie in the file.
    pub(crate) pixels: DynamicImage,
    /// How to turn them upright.
    pub(crate) orientation: Orientation,
    /// The ICC profile that says what their colours mean.
    pub(crate) profile: Option<Vec<u8>>,
    /// The memory that it may have until its files are made.
    pub(crate) share: Share,
}

/// Decodes a JPEG, PNG, WebP or GIF, of animations the first frame, as soon as there is memory for it.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, budget: &Budget) -> Result<Picture, ImageError> {
    limits.check_bytes(bytes.len())?;
    // A decoder that panics does so over a file that is not as it should be; that is no reason to answer as if the
    // server were broken.
    catch_unwind(AssertUnwindSafe(|| decode_any(bytes, limits, budget))).unwrap_or_else(|_| {
        tracing::warn!(bytes = bytes.len(), "a picture made its decoder panic");
        Err(ImageError::NotAPicture)
    })
}

fn decode_any(bytes: &[u8], limits: &ImageLimits, budget: &Budget) -> Result<Picture, ImageError> {
    match image::guess_format(bytes).map_err(|_| ImageError::NotAPicture)? {
        ImageFormat::Jpeg => jpeg::decode(bytes, limits, budget),
        ImageFormat::Png => {
            // What is inflated before the picture itself is its metadata. A profile beyond this is passed over.
            let metadata = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(MAX_METADATA);
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), decoder_limits(limits, metadata));
            read(decoder, 0, limits, budget)
        }
        ImageFormat::Gif => read(GifDecoder::new(Cursor::new(bytes)), 0, limits, budget),
        ImageFormat::WebP => {
            let layout = Layout::read(bytes).ok_or(ImageError::NotAPicture)?;
            layout.sizes().try_for_each(|(width, height)| limits.check_size(width, height))?;
            limits.check_memory(layout.memory())?;
            read(WebPDecoder::new(Cursor::new(bytes)), layout.memory(), limits, budget)
        }
        _ => Err(ImageError::NotAPicture),
    }
}

/// Reads a picture out of a decoder that has so far seen only its header, and needs at least this much memory.
fn read(
    decoder: ImageResult<impl ImageDecoder>,
    memory: u64,
    limits: &ImageLimits,
    budget: &Budget,
) -> Result<Picture, ImageError> {
    let mut decoder = decoder.map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    let memory = memory.max(decoder.total_bytes());
    limits.check_memory(memory)?;
    let share = budget.take(memory, width, height)?;
    let left = limits.memory.saturating_sub(decoder.total_bytes());
    decoder.set_limits(decoder_limits(limits, left)).map_err(refusal)?;
    // Metadata that cannot be read is no reason to refuse a picture that can be.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let pixels = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok(Picture { pixels, orientation, profile, share })
}

fn decoder_limits(limits: &ImageLimits, memory: u64) -> Limits {
    let mut decoder = Limits::no_limits();
    // The sides are not set here: they have been, or will be, checked with a better text.
    decoder.max_alloc = Some(memory.min(limits.memory));
    decoder
}

fn refusal(error: image::ImageError) -> ImageError {
    match error {
        image::ImageError::Limits(_) => too_much_memory(),
        // Whatever else a decoder of bytes in memory complains of is the fault of the bytes.
        _ => ImageError::NotAPicture,
    }
}
