//! Resizing, with transparency and brightness handled right.
//!
//! Transparent pixels have colours too, which nobody is meant to see; so the alpha channel is multiplied into the colours
//! before pixels are mixed and divided out afterwards (the resizer does so by itself).
//!
//! The numbers in a picture are not proportional to light: black and white mixed by their numbers come out far too dark, and hair,
//! leaves and text with them. Whatever gets smaller is therefore turned into light first, at 16 bits, and back afterwards. The light
//! of a whole picture would take twice the memory of the picture, and its transparency as much again; so it is made of one band
//! of rows after the other, each with the rows above and below it that shine into it.
//!
//! What gets larger is mixed by its numbers, for mixing light draws dark halos around edges.

use std::error::Error;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use fast_image_resize::images::{CroppedImage, CroppedImageMut};
use fast_image_resize::{
    FilterType, IntoImageView, IntoImageViewMut, PixelComponentMapper, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    create_srgb_mapper, pixels,
};
use image::{ColorType, DynamicImage};

/// Why pixels could not be worked on. None of it is the fault of the picture.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Numbers to light (forward) and back: tables of some hundred kilobytes, filled once.
static LIGHT: LazyLock<PixelComponentMapper> = LazyLock::new(create_srgb_mapper);

/// How many rows of a smaller picture are made at once: fewer of a wide one, whose light takes more memory.
const BAND: RangeInclusive<u64> = 16..=64;
/// The light of a band should have no more bytes than this.
const LIGHT_BYTES: u64 = 8 << 20;
/// How many of its own rows away a pixel of a smaller picture still gets light from: the reach of the filter.
const REACH: u32 = 3;

/// Makes a picture smaller, at 8 bits.
pub(crate) fn shrink(picture: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, Fault> {
    mix_light(picture, Part { left: 0, top: 0, width: picture.width(), height: picture.height() }, width, height)
}

/// Makes a square with sides of `side` pixels, at 8 bits, of the middle of a picture.
pub(crate) fn square(picture: &DynamicImage, side: u32) -> Result<DynamicImage, Fault> {
    let (width, height) = (picture.width(), picture.height());
    let crop = width.min(height);
    let (left, top) = ((width - crop) / 2, (height - crop) / 2);
    if crop > side {
        return mix_light(picture, Part { left, top, width: crop, height: crop }, side, side);
    }
    let mut large = DynamicImage::new(side, side, picture.color());
    let middle = options().crop(left.into(), top.into(), crop.into(), crop.into());
    resize(&mut Resizer::new(), picture, &middle, &mut large)?;
    Ok(to_8_bits(large))
}

/// A part of a picture, in pixels.
struct Part {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// Makes a part of a picture smaller, at 8 bits, by mixing light.
fn mix_light(picture: &DynamicImage, part: Part, width: u32, height: u32) -> Result<DynamicImage, Fault> {
    let wide = at_16_bits(picture.color());
    let mut small = DynamicImage::new(width, height, at_8_bits(picture.color()));
    let row = u64::from(part.width) * u64::from(part.height) * u64::from(wide.bytes_per_pixel()) / u64::from(height);
    let band = u32::try_from((LIGHT_BYTES / row.max(1)).clamp(*BAND.start(), *BAND.end()))?;

    // All bands have light of one size, and the memory for it is had once. At the edges there is more of it than is needed.
    let scale = |rows: u32| u64::from(rows) * u64::from(part.height) / u64::from(height);
    let rows = u32::try_from(scale(band + 2 * REACH) + 2)?.min(part.height);
    let mut light = DynamicImage::new(part.width, rows, wide);
    let mut resizer = Resizer::new();
    // Where the upper edge of a row of the smaller picture lies in the part.
    let edge = |row: u32| f64::from(row) * f64::from(part.height) / f64::from(height);
    for first in (0..height).step_by(usize::try_from(band)?) {
        let end = first.saturating_add(band).min(height);
        let from = u32::try_from(scale(first.saturating_sub(REACH)))?.min(part.height - rows);
        let source = CroppedImage::new(picture, part.left, part.top + from, part.width, rows)?;
        LIGHT.forward_map(&source, &mut light)?;

        let mut mixed = DynamicImage::new(width, end - first, wide);
        let top = edge(first) - f64::from(from);
        // Rounding must not carry the last row over the edge of the picture.
        let tall = (edge(end) - edge(first)).min(f64::from(rows) - top);
        resize(&mut resizer, &light, &options().crop(0.0, top, part.width.into(), tall), &mut mixed)?;
        LIGHT.backward_map(&mixed, &mut CroppedImageMut::new(&mut small, 0, first, width, end - first)?)?;
    }
    Ok(small)
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
fn resize(
    resizer: &mut Resizer,
    from: &DynamicImage,
    options: &ResizeOptions,
    to: &mut DynamicImage,
) -> Result<(), Fault> {
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
    resize(resizer, from, options, to)
}

fn resize_typed<P: PixelTrait>(
    resizer: &mut Resizer,
    from: &DynamicImage,
    options: &ResizeOptions,
    to: &mut DynamicImage,
) -> Result<(), Fault> {
    let views = from.image_view::<P>().zip(to.image_view_mut::<P>());
    let (from, mut to) = views.ok_or("the pictures are not of one kind")?;
    Ok(resizer.resize_typed(&from, &mut to, options)?)
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
