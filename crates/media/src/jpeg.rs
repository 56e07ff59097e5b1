//! JPEG: its structure is walked before it is decoded, to see that the file is whole and what it will cost.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use mango_domain::ports::ImageError;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::budget::Budget;
use crate::decode::Picture;
use crate::limits::ImageLimits;

/// More scans than any encoder writes. Each can cost a pass over the whole picture for a few bytes of file.
const MAX_SCANS: usize = 64;

/// Decodes a JPEG. It must be whole, up to its end marker: half a photo is not a photo.
pub(crate) fn decode(bytes: &[u8], limits: &ImageLimits, budget: &Budget) -> Result<Picture, ImageError> {
    let frame = Frame::read(bytes).ok_or(ImageError::NotAPicture)?;
    limits.check_size(frame.width, frame.height)?;
    limits.check_memory(frame.memory)?;
    let share = budget.take(frame.memory, frame.width, frame.height)?;

    // The image crate's own decoder is this one, but told to fill what is missing with grey.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| ImageError::NotAPicture)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let space = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let samples = decoder.decode().map_err(|_| ImageError::NotAPicture)?;

    let pixels = if grey {
        GrayImage::from_raw(frame.width, frame.height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(frame.width, frame.height, samples).map(DynamicImage::ImageRgb8)
    };
    Ok(Picture {
        pixels: pixels.ok_or(ImageError::NotAPicture)?,
        orientation: decoder
            .exif()
            .and_then(|exif| Orientation::from_exif_chunk(exif))
            .unwrap_or(Orientation::NoTransforms),
        profile: decoder.icc_profile(),
        share,
    })
}

/// What the markers of a JPEG tell.
struct Frame {
    width: u32,
    height: u32,
    /// What decoding allocates: the pixels, and for a picture in several scans all its coefficients as well.
    memory: u64,
}

impl Frame {
    /// Walks from marker to marker to the end of the picture; `None` when the end or a sensible frame header is missing.
    /// What comes after the end (a second picture of a stereo pair, a brightness map) is nobody's business.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
        let mut header = None;
        let mut scans = 0;
        loop {
            // Between segments stand only fill bytes, and after a start of scan the entropy-coded data, in which
            // 0xFF is followed by zero or a restart marker.
            let at = rest.iter().position(|&byte| byte == 0xFF)?;
            rest = rest.get(at + 1..)?;
            match *rest.first()? {
                0xFF => continue,
                0x00 | 0x01 | 0xD0..=0xD8 => {
                    rest = rest.get(1..)?;
                    continue;
                }
                0xD9 => break,
                marker => {
                    let length = usize::from(u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?]));
                    let segment = rest.get(3..)?.get(..length.checked_sub(2)?)?;
                    match marker {
                        0xC0..=0xC2 if header.is_none() => header = Some((segment, marker == 0xC2)),
                        // A second frame, or one of a kind that is not decoded: lossless, hierarchical, arithmetic.
                        0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return None,
                        0xDA => scans += 1,
                        _ => {}
                    }
                    rest = rest.get(length + 1..)?;
                }
            }
        }
        let (header, progressive) = header?;
        (1..=MAX_SCANS).contains(&scans).then_some(())?;
        Self::from_header(header, progressive || scans > 1)
    }

    /// Reads a frame header: precision, height, width, and of each component its sampling factors.
    fn from_header(header: &[u8], keeps_coefficients: bool) -> Option<Self> {
        let &[_, h1, h0, w1, w0, count, ref components @ ..] = header else { return None };
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        if width == 0 || height == 0 || components.len() != usize::from(count) * 3 {
            return None;
        }
        let factors = || components.iter().skip(1).step_by(3).map(|factors| (factors >> 4, factors & 15));
        let widest = factors().map(|(across, _)| across).max().filter(|&widest| widest > 0)?;
        let tallest = factors().map(|(_, down)| down).max().filter(|&tallest| tallest > 0)?;

        let pixels = u64::from(width) * u64::from(height) * if count == 1 { 1 } else { 3 };
        let units = |side: u16, factor: u8| u64::from(side).div_ceil(8 * u64::from(factor));
        let blocks: u64 = factors().map(|(across, down)| u64::from(across) * u64::from(down)).sum();
        // A block has 64 coefficients of two bytes.
        let coefficients = units(width, widest) * units(height, tallest) * blocks * 128;
        Some(Self {
            width: width.into(),
            height: height.into(),
            memory: pixels + if keeps_coefficients { coefficients } else { 0 },
        })
    }
}
