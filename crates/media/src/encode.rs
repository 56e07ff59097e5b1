//! The files of a photo. They are made of pixels alone, so nothing of a stranger's metadata can be in them.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, RgbImage};
use webp::{PixelLayout, WebPConfig};

use crate::resize::Fault;

/// Where artefacts begin to be hard to find in photos.
const JPEG_QUALITY: u8 = 85;
const WEBP_QUALITY: f32 = 80.0;
/// How hard libwebp tries, from 0 to 6. Its default, 4, makes files 8 % smaller and takes two and a half times as long.
const WEBP_METHOD: i32 = 2;

/// Writes a JPEG. Where the picture is transparent it becomes white, which is what most pages show through.
pub(crate) fn jpeg(picture: &DynamicImage) -> Result<Vec<u8>, Fault> {
    let mut file = Vec::new();
    let flat;
    let pixels = match picture {
        DynamicImage::ImageRgb8(pixels) => pixels,
        other => {
            flat = on_white(other);
            &flat
        }
    };
    JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY).write_image(
        pixels,
        pixels.width(),
        pixels.height(),
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}

/// Writes a lossy WebP, transparency included.
pub(crate) fn webp(picture: &DynamicImage) -> Result<Vec<u8>, Fault> {
    let mut config = WebPConfig::new().map_err(|()| "libwebp refused its own defaults")?;
    config.quality = WEBP_QUALITY;
    config.method = WEBP_METHOD;
    let layout = if picture.color().has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    let converted;
    let pixels = match picture {
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => picture,
        other => {
            converted = crate::resize::to_8_bits(other.clone());
            &converted
        }
    };
    webp::Encoder::new(pixels.as_bytes(), layout, pixels.width(), pixels.height())
        .encode_advanced(&config)
        .map(|file| file.to_vec())
        .map_err(|error| format!("libwebp: {error:?}").into())
}

fn on_white(picture: &DynamicImage) -> RgbImage {
    let source = picture.to_rgba8();
    let mut flat = RgbImage::new(source.width(), source.height());
    for (to, from) in flat.pixels_mut().zip(source.pixels()) {
        let [red, green, blue, alpha] = from.0;
        to.0 = [red, green, blue].map(|colour| over_white(colour, alpha));
    }
    flat
}

fn over_white(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u16::from(colour), u16::from(alpha));
    u8::try_from((colour * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}
