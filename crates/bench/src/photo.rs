//! A photo to sign up with: as large as one from a telephone that was made smaller for sending.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// Its size in bytes is near to this, 541 KB.
const BYTES: usize = 541_000;
const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1280;

/// The photo as base64 of a JPEG.
///
/// # Errors
/// When it cannot be encoded.
pub fn photo() -> Result<String> {
    let image = picture();
    let (mut low, mut high) = (1_u8, 100_u8);
    let mut best = Vec::new();
    // The size grows with the quality.
    while low <= high {
        let quality = u8::midpoint(low, high);
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&image)?;
        if jpeg.len() <= BYTES {
            best = jpeg;
            low = quality + 1;
        } else {
            high = quality - 1;
        }
    }
    Ok(STANDARD.encode(best))
}

/// Soft shapes with some grain, as a camera sees a landscape. The grain comes from a generator that always gives the same.
fn picture() -> RgbImage {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [grain, ..] = state.to_le_bytes();
        let wave = |a: u32, b: u32| {
            let phase = (x * a + y * b) % 512;
            let height = if phase < 256 { phase } else { 511 - phase };
            u8::try_from(height).unwrap_or(u8::MAX) / 4 * 3
        };
        let rough = grain / 8;
        Rgb([wave(1, 2) + rough, wave(2, 1) + rough, wave(1, 1) + rough])
    })
}
