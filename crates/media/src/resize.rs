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
    FilterType, IntoImageView, IntoImageViewMut, PixelComponentMapper, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    create_srgb_mapper, pixels,
};
use image::{ColorType, DynamicImage};

/// Why pixels could not be worked on. None of it is the fault of the picture.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Numbers to light (forward) and back: tables of some hundred kilobytes, filled once.
static LIGHT: LazyLock<PixelComponentMapper> = LazyLock::new(create_srgb_mapper);

/// Makes a picture smaller.
pub(crate) fn shrink(picture: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, Fault> {
    let mut small = DynamicImage::new(width, height, picture.color());
    resize(picture, &options(), &mut small)?;
    Ok(small)
}

/// Makes a square with sides of `side` pixels, at 8 bits, of the middle of a picture.
pub(crate) fn square(picture: &DynamicImage, side: u32) -> Result<DynamicImage, Fault> {
    let (width, height) = (picture.width(), picture.height());
    let crop = width.min(height);
    let (left, top) = ((width - crop) / 2, (height - crop) / 2);

    let mut square = DynamicImage::new(side, side, at_8_bits(picture.color()));
    if crop > side {
        let wide = at_16_bits(picture.color());
        let mut light = DynamicImage::new(crop, crop, wide);
        LIGHT.forward_map(&CroppedImage::new(picture, left, top, crop, crop)?, &mut light)?;
        let mut small = DynamicImage::new(side, side, wide);
        resize(&light, &options(), &mut small)?;
        LIGHT.backward_map(&small, &mut square)?;
    } else {
        let mut large = DynamicImage::new(side, side, picture.color());
        let middle = options().crop(left.into(), top.into(), crop.into(), crop.into());
        resize(picture, &middle, &mut large)?;
        square = to_8_bits(large);
    }
    Ok(square)
}

/// Rounds a picture of 16 bits a channel to 8, and spreads grey to three channels.
pub(crate) fn to_8_bits(picture: DynamicImage) -> DynamicImage {
    if picture.color().has_alpha() { picture.into_rgba8().into() } else { picture.into_rgb8().into() }
}

fn options() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
}

/// Resizes into a picture of the same kind. The kinds are told apart here, since the resizer would be compiled for those as well that
/// no decoder gives, and takes minutes for each few of them.
fn resize(from: &DynamicImage, options: &ResizeOptions, to: &mut DynamicImage) -> Result<(), Fault> {
    let resize = match from.color() {
        ColorType::L8 => resize_typed::<pixels::U8>,
        ColorType::La8 => resize_typed::<pixels::U8x2>,
        ColorType::Rgb8 => resize_typed::<pixels::U8x3>,
        ColorType::Rgba8 => resize_typed::<pixels::U8x4>,
        ColorType::L16 => resize_typed::<pixels::U16>,
        ColorType::La16 => resize_typed::<pixels::U16x2>,
        ColorType::Rgb16 => resize_typed::<pixels::U16x3>,
        ColorType::Rgba16 => resize_typed::<pixels::U16x4>,
        other => return Err(format!("a picture of {other:?}, which no decoder gives").into()),
    };
    resize(from, options, to)
}

fn resize_typed<P: PixelTrait>(
    from: &DynamicImage,
    options: &ResizeOptions,
    to: &mut DynamicImage,
) -> Result<(), Fault> {
    let views = from.image_view::<P>().zip(to.image_view_mut::<P>());
    let (from, mut to) = views.ok_or("the pictures are not of one kind")?;
    Ok(Resizer::new().resize_typed(&from, &mut to, options)?)
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
