//! Resizing, with transparency and brightness handled right.
//!
//! Transparent pixels have colours too, which nobody is meant to see; so the alpha channel is multiplied into the colours
//! before pixels are mixed and divided out afterwards (the resizer does so by itself).
//!
//! The numbers in a picture are not proportional to light: black and white mixed by their numbers come out far too dark.
//! [`square`] therefore turns numbers into light first, at 16 bits, and back afterwards: it mixes dozens of pixels into one,
//! where hair, leaves and text would visibly darken. [`shrink`] does not: going down to 2048 pixels the difference can
//! hardly be seen, and light would cost the memory of the whole decoded picture twice over. Nor does [`square`] when it
//! enlarges, for mixing light draws dark halos around edges.

use std::error::Error;
use std::sync::LazyLock;

use fast_image_resize::images::CroppedImage;
use fast_image_resize::{
    FilterType, IntoImageView, PixelComponentMapper, ResizeAlg, ResizeOptions, Resizer, create_srgb_mapper,
};
use image::{ColorType, DynamicImage};

/// Why pixels could not be worked on. None of it is the fault of the picture.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Numbers to light (forward) and back: tables of some hundred kilobytes, filled once.
static LIGHT: LazyLock<PixelComponentMapper> = LazyLock::new(create_srgb_mapper);

/// Makes a picture smaller.
pub(crate) fn shrink(picture: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, Fault> {
    let mut small = DynamicImage::new(width, height, picture.color());
    resize(picture, &mut small)?;
    Ok(small)
}

/// Makes a square with sides of `side` pixels, at 8 bits, of the middle of a picture.
pub(crate) fn square(picture: &DynamicImage, side: u32) -> Result<DynamicImage, Fault> {
    let (width, height) = (picture.width(), picture.height());
    let crop = width.min(height);
    let middle = CroppedImage::new(picture, (width - crop) / 2, (height - crop) / 2, crop, crop)?;

    let mut square = DynamicImage::new(side, side, at_8_bits(picture.color()));
    if crop > side {
        let wide = at_16_bits(picture.color());
        let mut light = DynamicImage::new(crop, crop, wide);
        LIGHT.forward_map(&middle, &mut light)?;
        let mut small = DynamicImage::new(side, side, wide);
        resize(&light, &mut small)?;
        LIGHT.backward_map(&small, &mut square)?;
    } else {
        let mut large = DynamicImage::new(side, side, picture.color());
        resize(&middle, &mut large)?;
        square = to_8_bits(large);
    }
    Ok(square)
}

/// Rounds a picture of 16 bits a channel to 8, and spreads grey to three channels.
pub(crate) fn to_8_bits(picture: DynamicImage) -> DynamicImage {
    if picture.color().has_alpha() { picture.into_rgba8().into() } else { picture.into_rgb8().into() }
}

fn resize(from: &impl IntoImageView, to: &mut DynamicImage) -> Result<(), Fault> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Ok(Resizer::new().resize(from, to, &options)?)
}

fn at_8_bits(color: ColorType) -> ColorType {
    match (color.has_color(), color.has_alpha()) {
        (false, false) => ColorType::L8,
        (false, true) => ColorType::La8,
        (true, false) => ColorType::Rgb8,
        (true, true) => ColorType::Rgba8,
    }
}

fn at_16_bits(color: ColorType) -> ColorType {
    match (color.has_color(), color.has_alpha()) {
        (false, false) => ColorType::L16,
        (false, true) => ColorType::La16,
        (true, false) => ColorType::Rgb16,
        (true, true) => ColorType::Rgba16,
    }
}
