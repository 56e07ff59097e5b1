//! Colour profiles: what a picture's numbers mean is worked into the pixels, since the profile itself is dropped.

use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Turns the colours of a picture with an RGB profile (telephones write Display P3) into sRGB. A profile that is damaged or
/// is of another kind (CMYK, grey; the decoder has already turned those into what the eye expects) is ignored: colours a
/// little off are better than no photo.
pub(crate) fn to_srgb(picture: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Some(profile) = ColorProfile::new_from_slice(profile).ok().filter(|it| it.color_space == DataColorSpace::Rgb)
    else {
        return picture;
    };
    let convert = |samples: &[u8], layout: Layout| {
        let options = TransformOptions::default();
        let transform = profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, options).ok()?;
        let mut converted = vec![0; samples.len()];
        transform.transform(samples, &mut converted).ok()?;
        Some(converted)
    };
    match picture {
        DynamicImage::ImageRgb8(mut pixels) => {
            if let Some(converted) = convert(&pixels, Layout::Rgb) {
                pixels.copy_from_slice(&converted);
            }
            DynamicImage::ImageRgb8(pixels)
        }
        DynamicImage::ImageRgba8(mut pixels) => {
            if let Some(converted) = convert(&pixels, Layout::Rgba) {
                pixels.copy_from_slice(&converted);
            }
            DynamicImage::ImageRgba8(pixels)
        }
        other => other,
    }
}
